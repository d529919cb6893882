"""Join the file and the environment, check them, and say what is wrong, where, and the remedy."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sonogate.errors import SettingFileError, SettingsError
from sonogate.settings import reference
from sonogate.settings.sections import Settings
from sonogate.settings.sources import (
    PREFIX,
    File,
    Knob,
    Location,
    Tree,
    all_knobs,
    read_environment,
    read_file,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Settings, and where each value came from."""

    settings: Settings
    origins: Mapping[str, str]  #: by key: "default", "gate.toml:12" or "SONOGATE_HTTP__PORT"


def load(config: Path | None, env: Mapping[str, str] | None = None) -> Settings:
    """Read the settings: defaults, then the file, then the environment.

    Args:
        config: TOML file; None for none.
        env: Environment variables; None for this process's own.

    Raises:
        SettingsError: One line for each wrong setting: where, which, what, and the remedy.
    """
    return load_with_origins(config, env).settings


def load_with_origins(config: Path | None, env: Mapping[str, str] | None = None) -> Loaded:
    """Like `load`, and tell where each value came from."""
    env = os.environ if env is None else env
    file = read_file(config)
    variables = read_environment(env)
    wrong = _unknown_variables(env)
    try:
        settings = Settings.model_validate(_merge(file.tree, variables))
    except ValidationError as error:
        wrong += [_sentence(details, file, variables) for details in error.errors()]
    if wrong:
        raise SettingsError("\n".join(wrong))
    origins = {knob.key: _origin(knob, file, variables) for knob in all_knobs()}
    return Loaded(settings=settings, origins=origins)


def load_checked(config: Path | None, check: Callable[[Settings], object]) -> Settings:
    """Like `load`, and look at the files that settings name.

    Args:
        config: TOML file; None for none.
        check: Raises `SettingFileError` for a file that is not right.

    Raises:
        SettingsError: As `load`, and what the check said, after the setting's place.
    """
    loaded = load_with_origins(config)
    try:
        check(loaded.settings)
    except SettingFileError as error:
        origin = loaded.origins[error.key]
        place = f"environment {origin}" if origin.startswith(PREFIX) else origin
        raise SettingsError(f"{place}: {error}") from error
    return loaded.settings


def _merge(under: Tree, over: Tree) -> Tree:
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = _merge(below, value) if both else value  # type: ignore[arg-type]
    return merged


def _unknown_variables(env: Mapping[str, str]) -> list[str]:
    known = [knob.variable for knob in all_knobs()]
    wrong = []
    for name in sorted(env):
        if not name.startswith(PREFIX) or name in known:
            continue
        close = get_close_matches(name, known, n=1, cutoff=0.85)
        if close or "__" in name:
            remedy = f"did you mean {close[0]}?" if close else "see: sonogate settings docs"
            wrong.append(f"environment: {name} is not a setting; {remedy}")
    return wrong


def _origin(knob: Knob, file: File, variables: Tree) -> str:
    if _holds(variables, knob.path):
        return knob.variable
    if _holds(file.tree, knob.path):
        return f"{file.path}:{file.line_of(knob.path)}"
    return "default"


def _holds(tree: Tree, path: Location) -> bool:
    branch: Any = tree
    for name in path:
        if not isinstance(branch, dict) or name not in branch:
            return False
        branch = branch[name]
    return True


def _sentence(error: ErrorDetails, file: File, variables: Tree) -> str:
    location = error["loc"]
    place = _place(location, file, variables)
    key = ".".join(str(part) for part in location)
    if error["type"] == "extra_forbidden":
        return f"{place}: {key} is not a setting; {_nearest(location)}"
    if error["type"] == "missing":
        return f"{place}: {key} is missing; add it"
    what = error["msg"].removeprefix("Value error, ")
    return f"{place}: {key}: {what}{_remedy(location)}"


def _place(location: Location, file: File, variables: Tree) -> str:
    for knob in all_knobs():
        reached = knob.path == location[: len(knob.path)] or location == knob.path[: len(location)]
        if reached and _holds(variables, knob.path):
            return f"environment {knob.variable}"
    line = file.line_of(location)
    return f"{file.path}:{line}" if line else str(file.path or "settings")


def _nearest(location: Location) -> str:
    parent, name = _shape(location[:-1]), str(location[-1])
    names = reference.names_below(parent)
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {'.'.join((*parent, close[0]))}?"
    if found := [knob.key for knob in all_knobs() if knob.path[-1] == name]:
        return f"did you mean {found[0]}?"
    return f"here there are: {', '.join(names)}"


def _shape(location: Location) -> tuple[str, ...]:
    return tuple(part for part in location if isinstance(part, str))


def _remedy(location: Location) -> str:
    knob = reference.knob_at(_shape(location))
    if knob is None:
        return ""
    return f"; give {reference.allowed(knob)} (default {reference.default_text(knob)})"
