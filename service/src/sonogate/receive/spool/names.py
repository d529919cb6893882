"""What the names in the spool say: when something was begun, by whom, and where it is."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from ulid import ULID

from sonogate.receive.spool.segment import SUFFIX

FILES: Final = "files"
SEGMENTS: Final = "segments"
ID_LENGTH: Final = 26
"""Letters of a ULID, with which the name of a segment and of a file begins."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a dead owner left behind."""

    segments: tuple[Path, ...]  #: not sealed
    files: tuple[str, ...]  #: spool names of files of their own


def began_at(segment: str) -> datetime:
    """Return when a segment was begun; its name says so."""
    return ULID.from_str(segment[:ID_LENGTH]).datetime


def owner_of(segment: str) -> str:
    """Return who writes a segment; its name says so, "" is the gate's own process."""
    return segment.removesuffix(SUFFIX)[ID_LENGTH:]


def segments_of(spool_names: Iterable[str]) -> set[str]:
    """Return the segments in which these objects lie; files of their own left out."""
    return {name.partition("/")[0] for name in spool_names} - {FILES}
