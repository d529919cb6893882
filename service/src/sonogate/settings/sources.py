"""Where values come from: the keys there are, the TOML file, the environment.

Nothing here checks a value; `loading` hands the joined tree to the sections, which do.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from sonogate.errors import SettingsError
from sonogate.settings.sections import Settings

PREFIX = "SONOGATE_"
Location = tuple[str | int, ...]
Tree = dict[str, Any]

_TABLE = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*([A-Za-z0-9_\-."' ]+?)\s*=""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """One key of the settings file."""

    path: tuple[str, ...]  #: ("listener", "port")
    field: FieldInfo

    @property
    def key(self) -> str:
        """Its name in messages: `listener.port`."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """Its environment variable: `SONOGATE_LISTENER__PORT`."""
        return PREFIX + "__".join(self.path).upper()

    @property
    def kind(self) -> Any:
        """Its Python type, without `| None`."""
        return without_none(self.field.annotation)

    @property
    def is_secret(self) -> bool:
        """Whether its value must never be shown."""
        return self.kind is SecretStr

    @property
    def is_list(self) -> bool:
        """Whether it takes a list."""
        return get_origin(self.kind) is tuple


def without_none(annotation: Any) -> Any:
    """Return `T` for `T | None`, anything else as it is."""
    if get_origin(annotation) in (Union, UnionType):
        left = [part for part in get_args(annotation) if part is not NoneType]
        return left[0] if len(left) == 1 else annotation
    return annotation


def knobs_of(model: type[BaseModel], prefix: tuple[str, ...] = ()) -> Iterator[Knob]:
    """Walk a section and its sub-sections, in the order they are written."""
    for name, field in model.model_fields.items():
        knob = Knob(path=(*prefix, name), field=field)
        if isinstance(knob.kind, type) and issubclass(knob.kind, BaseModel):
            yield from knobs_of(knob.kind, knob.path)
        else:
            yield knob


@cache
def all_knobs() -> tuple[Knob, ...]:
    """Every key there is."""
    return tuple(knobs_of(Settings))


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A settings file as read."""

    path: Path | None
    tree: Tree
    lines: Mapping[Location, int]  #: line of each key and table, from 1

    def line_of(self, location: Location) -> int | None:
        """Line of a key, else of the nearest table around it; None if the file says nothing."""
        for end in range(len(location), 0, -1):
            if location[:end] in self.lines:
                return self.lines[location[:end]]
        return None


def read_file(path: Path | None) -> File:
    """Read a TOML file.

    Raises:
        SettingsError: It can't be read or is not TOML; the message has the line.
    """
    if path is None:
        return File(path=None, tree={}, lines={})
    try:
        text = path.read_text("utf-8")
        return File(path=path, tree=tomllib.loads(text), lines=_lines_of(text))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{_place(path, str(error))}: this is not TOML: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path}: can't be read ({error}); give an existing TOML file, or leave --config out"
        ) from error


def _place(path: Path, message: str) -> str:
    found = re.search(r"at line (\d+)", message)
    return f"{path}:{found[1]}" if found else str(path)


def _lines_of(text: str) -> dict[Location, int]:
    lines: dict[Location, int] = {}
    counts: dict[Location, int] = {}
    table: Location = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if found := _TABLE.match(line):
            table = _parts(found[2])
            if found[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            lines.setdefault(table, number)
        elif found := _KEY.match(line):
            lines.setdefault((*table, *_parts(found[1])), number)
    return lines


def _parts(dotted: str) -> Location:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def read_environment(env: Mapping[str, str]) -> Tree:
    """Read `SONOGATE_…` variables into a tree; an empty variable counts as unset.

    Lists are JSON, or plain words between commas.

    Raises:
        SettingsError: A list variable starts like JSON and is not.
    """
    tree: Tree = {}
    for knob in all_knobs():
        text = env.get(knob.variable, "").strip()
        if text:
            branch = tree
            for name in knob.path[:-1]:
                branch = branch.setdefault(name, {})
            branch[knob.path[-1]] = _list_from(knob, text) if knob.is_list else text
    return tree


def _list_from(knob: Knob, text: str) -> Any:
    if not text.startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingsError(
            f'{knob.variable}: not a JSON list ({error}); write it like ["ONE", "TWO"]'
        ) from error
