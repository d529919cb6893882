"""What nobody asked to be said: tracebacks, warnings, libraries' own log lines.

Their words may quote a value that a parser choked on, or a whole statement with its parameters, and
so a patient's name. So only types and places in code are said, at every level of logging.
"""

import errno
import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import PurePath
from types import TracebackType
from typing import Final, Protocol, TextIO

LEVELS: Final = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
MAX_FRAMES: Final = 12
"""Of one error, the innermost."""
MAX_ERRORS: Final = 8
"""An error, its causes, and the members of groups."""


class Teller(Protocol):
    """Writes a line: its level, what happened, fields of the allow-list."""

    def __call__(self, level: int, event: str, **fields: object) -> None:
        """Write it."""


def place(path: str, line: int | None) -> str:
    """Return where in some code that is: the last two names of its path, and the line."""
    return f"{'/'.join(PurePath(path).parts[-2:])}:{line or 0}"


def outline(error: BaseException) -> list[str]:
    """Return an error and what led to it, one line each: type, then places, the innermost last."""
    return [_line(each) for each in islice(_family(error, set()), MAX_ERRORS)]


def _family(error: BaseException, seen: set[int]) -> Iterator[BaseException]:
    if id(error) in seen:
        return
    seen.add(id(error))
    yield error
    for member in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        yield from _family(member, seen)
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        yield from _family(before, seen)


def _line(error: BaseException) -> str:
    frames = traceback.StackSummary.extract(
        traceback.walk_tb(error.__traceback__), lookup_lines=False
    )
    places = [place(each.filename, each.lineno) for each in frames[-MAX_FRAMES:]]
    return " ".join((name_of(error), *places))


def name_of(error: BaseException) -> str:
    """Return an error's type; with its number if the system gave one."""
    name = type(error).__name__
    code = errno.errorcode.get(error.errno or 0) if isinstance(error, OSError) else None
    return f"{name}({code})" if code else name


class Discreet(logging.Handler):
    """Says that a library logged something, and where; never what."""

    def __init__(self, tell: Teller) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Say it."""
        fields: dict[str, object] = {"origin": place(record.pathname, record.lineno)}
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            fields |= _fields(error)
        level = max((each for each in LEVELS if each <= record.levelno), default=logging.DEBUG)
        self._tell(level, "library message withheld", logger=record.name, **fields)


def _fields(error: BaseException) -> dict[str, object]:
    return {"exception_type": name_of(error), "frames": outline(error)}


def take_over(tell: Teller) -> None:
    """Say discreetly, from now on, what this process would print by itself."""
    root = logging.getLogger()
    for earlier in [each for each in root.handlers if isinstance(each, Discreet)]:
        root.removeHandler(earlier)
    root.addHandler(Discreet(tell))
    _take_over_errors(tell)

    def show(  # noqa: PLR0917 - as Python calls it
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        del message, file, line
        kind = category.__name__
        tell(logging.INFO, "warning withheld", origin=place(filename, lineno), exception_type=kind)

    warnings.showwarning = show


def _take_over_errors(tell: Teller) -> None:
    def crashed(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        tell(logging.CRITICAL, "crashed", **_fields(error.with_traceback(trace)))

    def thread_crashed(failed: threading.ExceptHookArgs) -> None:
        error = failed.exc_value
        tell(logging.ERROR, "thread crashed", **(_fields(error) if error else {}))

    def unraisable(failed: "sys.UnraisableHookArgs") -> None:
        error = failed.exc_value
        tell(logging.ERROR, "error while tidying up", **(_fields(error) if error else {}))

    sys.excepthook, threading.excepthook, sys.unraisablehook = crashed, thread_crashed, unraisable
