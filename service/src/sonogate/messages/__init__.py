"""Every sentence a person reads, per language, in `<language>.toml`."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

LANGUAGE = "en"


@cache
def catalogue(language: str = LANGUAGE) -> Mapping[str, str]:
    """Return all sentences of a language by dotted key."""
    content = files(__name__).joinpath(f"{language}.toml").read_text(encoding="utf-8")
    return dict(flattened(tomllib.loads(content)))


def flattened(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Turn nested tables into dotted keys."""
    pairs: list[tuple[str, str]] = []
    for key, value in table.items():
        if isinstance(value, str):
            pairs.append((prefix + key, value))
        else:
            pairs += flattened(value, f"{prefix}{key}.")
    return pairs


def text(key: str, language: str = LANGUAGE) -> str:
    """Return one sentence.

    Raises:
        KeyError: there is no such sentence; a test asks for every key the code uses.
    """
    return catalogue(language)[key]
