"""One thing looked at, and what to say of it."""

from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any


class Level(IntEnum):
    """How bad it is; the largest counts."""

    OK = 0
    WARN = 1
    FAIL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the doctor's report."""

    name: str  #: what was looked at
    level: Level
    said: str  #: what is the case
    remedy: str = ""  #: what to do; empty if all is well

    def to_line(self) -> str:
        """Write it as one line."""
        remedy = f" -> {self.remedy}" if self.remedy else ""
        return f"{self.level.name.lower():<4}  {self.name}: {self.said}{remedy}"

    def to_json(self) -> dict[str, Any]:
        """Write it for programs."""
        return {**asdict(self), "level": self.level.name.lower()}


def ok(name: str, said: str) -> Check:
    """All is well."""
    return Check(name=name, level=Level.OK, said=said)


def warn(name: str, said: str, remedy: str) -> Check:
    """It works, but."""
    return Check(name=name, level=Level.WARN, said=said, remedy=remedy)


def fail(name: str, said: str, remedy: str) -> Check:
    """The gate can't work like this."""
    return Check(name=name, level=Level.FAIL, said=said, remedy=remedy)
