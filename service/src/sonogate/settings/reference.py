"""Settings written out for people: the reference page, the example file, what is in force.

The words are the attribute docstrings of `sections`; a test asks that the files in the repository
equal what this module prints.
"""

import re
import types
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import annotated_types
from pydantic import BaseModel, IPvAnyNetwork, SecretStr
from pydantic_core import PydanticUndefined

from sonogate.settings.kinds import GIB, KIB, MIB
from sonogate.settings.sections import Settings
from sonogate.settings.sources import Knob, all_knobs, knobs_of, without_none

WORDS: Mapping[Any, str] = types.MappingProxyType(
    {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "text",
        Path: "a path",
        SecretStr: "text (secret)",
        IPvAnyNetwork: "IP addresses or networks",
    }
)
BOUNDS: Mapping[type, tuple[str, str]] = types.MappingProxyType(
    {
        annotated_types.Gt: ("gt", "above {}"),
        annotated_types.Ge: ("ge", "at least {}"),
        annotated_types.Lt: ("lt", "below {}"),
        annotated_types.Le: ("le", "at most {}"),
        annotated_types.MaxLen: ("max_length", "at most {} characters"),
    }
)


@cache
def list_items() -> Mapping[tuple[str, ...], tuple[Knob, ...]]:
    """Keys of the tables that stand in lists (`[[webhooks]]`), by the path of their list."""
    found = {}
    for knob in all_knobs():
        item = get_args(knob.kind)[0] if knob.is_list else None
        if isinstance(item, type) and issubclass(item, BaseModel):
            found[knob.path] = tuple(knobs_of(item, knob.path))
    return found


def knob_at(path: tuple[str, ...]) -> Knob | None:
    """Return the key with this path, in a section or in a list's table."""
    below = [knob for items in list_items().values() for knob in items]
    return next((knob for knob in (*all_knobs(), *below) if knob.path == path), None)


def names_below(path: tuple[str, ...]) -> list[str]:
    """Names that may stand in a section; the root is the empty path."""
    below = [knob for items in list_items().values() for knob in items]
    deeper = [knob.path for knob in (*all_knobs(), *below) if knob.path[: len(path)] == path]
    return list(dict.fromkeys(found[len(path)] for found in deeper if len(found) > len(path)))


def why(knob: Knob) -> str:
    """Return the sentence on a key, in one line."""
    return " ".join((knob.field.description or "").split())


def allowed(knob: Knob) -> str:
    """Say in words what a key takes."""
    words = [_kind_words(knob.kind), *_bounds(knob.field.metadata)]
    return ", ".join(words)


def _kind_words(kind: Any) -> str:
    kind = without_none(kind)
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(str(value) for value in get_args(kind))
    if get_origin(kind) is tuple:
        return f"a list of {_item_words(get_args(kind)[0])}"
    return WORDS.get(kind, "a table")


def _item_words(item: Any) -> str:
    metadata = getattr(item, "__metadata__", ())
    plain = get_args(item)[0] if metadata else item
    if isinstance(plain, type) and issubclass(plain, BaseModel):
        return "tables"
    bounds = [part for entry in metadata for part in _bounds(getattr(entry, "metadata", [entry]))]
    return " ".join([_kind_words(plain), *(f"({bound})" for bound in bounds)])


def _bounds(metadata: list[Any]) -> Iterator[str]:
    for entry in metadata:
        if type(entry) in BOUNDS:
            attribute, words = BOUNDS[type(entry)]
            yield words.format(_number(getattr(entry, attribute)))


def _number(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def default_text(knob: Knob) -> str:
    """Return a key's default as it would stand in TOML; "none" if it has none."""
    shown = (knob.field.json_schema_extra or {}) if knob.field.default_factory else {}
    if isinstance(shown, dict) and "shown_default" in shown:
        return toml_value(shown["shown_default"])
    if knob.field.default is PydanticUndefined:
        return "required"
    return "none" if knob.field.default is None else toml_value(knob.field.default)


def toml_value(value: Any) -> str:
    """Write a value as TOML does."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:_}" if value >= 100_000 else str(value)
    if isinstance(value, float):
        return str(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _size(knob: Knob) -> str:
    value = knob.field.default
    if not knob.path[-1].endswith("_bytes") or not isinstance(value, int):
        return ""
    unit, name = next((u, n) for u, n in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")) if value >= u)
    return f" ({value // unit} {name})"


def _sections() -> Iterator[tuple[str, str, list[Knob]]]:
    """Yield (heading, sentence, keys), the keys without a section first."""
    yield "", "", [knob for knob in all_knobs() if len(knob.path) == 1 and not _is_table_list(knob)]
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            sentence = field.annotation.__doc__ or ""
            keys = [k for k in all_knobs() if k.path[0] == name and not _is_table_list(k)]
            yield f"[{name}]", sentence, keys
    for path, keys_below in list_items().items():
        item = get_args(next(k for k in all_knobs() if k.path == path).kind)[0]
        yield f"[[{'.'.join(path)}]]", item.__doc__ or "", list(keys_below)


def _is_table_list(knob: Knob) -> bool:
    return knob.path in list_items()


def markdown() -> str:
    """Return the reference page of all settings."""
    parts = [_HEAD]
    for heading, sentence, keys in _sections():
        parts.append(f"\n## `{heading}`\n\n{sentence}\n" if heading else "\n## Top level\n")
        in_list = heading.startswith("[[")
        if in_list:
            parts.append(_list_note(keys[0].path[:-1]))
        parts += _table(keys, with_variable=not in_list)
    return "\n".join(parts) + "\n"


_HEAD = """# Settings

Written by `sonogate settings docs` from the code; a test keeps it so. Values come from the
defaults, then the TOML file given with `--config`, then the environment; the last one wins.
An empty variable counts as unset. Lists in a variable are JSON, or plain words between commas.
`sonogate settings check --config FILE` checks a file, `sonogate settings show` says what is in
force and where it came from. A commented example with every key: `deploy/sonogate.example.toml`."""


def _list_note(path: tuple[str, ...]) -> str:
    knob = next(knob for knob in all_knobs() if knob.path == path)
    return f"{why(knob)} Any number of these tables; as a variable: `{knob.variable}`, JSON.\n"


def _table(keys: list[Knob], *, with_variable: bool) -> list[str]:
    head = ["key", "variable"] if with_variable else ["key"]
    columns = [*head, "default", "allowed", "why"]
    rows = ["| " + " | ".join(columns) + " |", "| " + " | ".join("---" for _ in columns) + " |"]
    for knob in keys:
        cells = [f"`{knob.path[-1]}`"]
        cells += [f"`{knob.variable}`"] if with_variable else []
        cells += [f"`{default_text(knob)}`{_size(knob)}", allowed(knob), why(knob)]
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return rows


def example_toml() -> str:
    """Return a settings file in which every key stands, commented out, with its default."""
    parts = [_EXAMPLE_HEAD]
    for heading, sentence, keys in _sections():
        hidden = "# " if heading.startswith("[[") else ""
        parts += ["", f"## {sentence}", f"{hidden}{heading}"] if heading else [""]
        for knob in keys:
            parts += [f"## {why(knob)}", f"## {_takes(knob)}", _example_line(knob)]
    return "\n".join(parts) + "\n"


_EXAMPLE_HEAD = """## SonoGate settings: every key, with its default. Take the "# " off to change.
## Lines with "##" explain. Check the result with: sonogate settings check --config FILE
## Environment variables win over this file: [listener] port is SONOGATE_LISTENER__PORT."""


def _takes(knob: Knob) -> str:
    text = default_text(knob)
    note = text if text in ("none", "required") else f"default {text}{_size(knob)}"
    return f"{allowed(knob)}; {note}"


def _example_line(knob: Knob) -> str:
    text = default_text(knob)
    if text in ("none", "required"):
        text = toml_value((knob.field.examples or [""])[0])
    return f"# {knob.path[-1]} = {text}"


def shown(knob: Knob, settings: Settings) -> str:
    """Return a key's value in force; a secret is only said to be set."""
    value: Any = settings
    for name in knob.path:
        value = getattr(value, name)
    if value is None:
        return "none"
    if knob.is_secret:
        return "(set, not shown)"
    if _is_table_list(knob):
        return "; ".join(_table_text(item) for item in value) or "none"
    return without_password(toml_value(value))


def _table_text(item: BaseModel) -> str:
    pairs = ((name, getattr(item, name)) for name in type(item).model_fields)
    words = [
        f"{name} = {'(set, not shown)' if isinstance(value, SecretStr) else toml_value(value)}"
        for name, value in pairs
        if value is not None
    ]
    return without_password("{" + ", ".join(words) + "}")


def without_password(text: str) -> str:
    """Hide the password in `scheme://user:password@host`."""
    return re.sub(r"(://[^/@:\s]*:)[^@/\s]+@", r"\1***@", text)
