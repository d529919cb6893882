"""Every sentence a person reads, per language, in `<language>.toml`.

English is complete by definition; a test names what another language lacks. Until it is written
English stands in, so that nobody is left without a word.
"""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

Language = Literal["en", "de", "fr", "es", "zh"]

LANGUAGE: Final[Language] = "en"
"""Where nobody chose one."""

LANGUAGES: Final[Mapping[Language, str]] = {
    "en": "English",
    "de": "Deutsch",
    "fr": "Français",
    "es": "Español",
    "zh": "中文",
}
"""Every language there is, by its own name."""


@cache
def written(language: Language) -> Mapping[str, str]:
    """Return the sentences that a language's own file holds, by dotted key."""
    content = files(__name__).joinpath(f"{language}.toml").read_text(encoding="utf-8")
    return dict(flattened(tomllib.loads(content)))


@cache
def catalogue(language: Language = LANGUAGE) -> Mapping[str, str]:
    """Return all sentences of a language by dotted key; English where it has none."""
    return {**written(LANGUAGE), **written(language)}


def flattened(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Turn nested tables into dotted keys."""
    for key, value in table.items():
        if isinstance(value, str):
            yield prefix + key, value
        else:
            yield from flattened(value, f"{prefix}{key}.")


def text(key: str, language: Language = LANGUAGE) -> str:
    """Return one sentence.

    Raises:
        KeyError: there is no such sentence; a test asks for every key the code uses.
    """
    return catalogue(language)[key]


def choose(accept_language: str | None, default: Language) -> Language:
    """Return the language that a client likes best (RFC 9110 12.5.4), else the default.

    A region is no other language here: `de-CH` gets German, and `zh-TW` simplified Chinese.
    """
    wishes = sorted(_wishes(accept_language or ""), key=lambda wish: -wish[1])
    for wanted, weight in wishes:
        if weight > 0 and wanted == "*":
            return default
        for language in LANGUAGES:
            if weight > 0 and wanted.partition("-")[0] == language:
                return language
    return default


def _wishes(accept_language: str) -> Iterator[tuple[str, float]]:
    for part in accept_language.split(",")[:20]:
        wanted, _, parameter = part.partition(";")
        name, _, value = parameter.strip().partition("=")
        try:
            weight = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            continue
        yield wanted.strip().lower(), weight
