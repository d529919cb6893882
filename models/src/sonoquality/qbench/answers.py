"""Answers of one entrant to one data set: JSON lines that only ever grow, so that a run resumes.

A line holds a key, which tells the question, and the answer. A run that was killed leaves at most
one unfinished line, which the next run drops.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sonoquality.errors import BenchError

Answer = Mapping[str, Any]


def key_of(*parts: object) -> str:
    """Return the key of a question from its parts."""
    return "/".join(str(part) for part in parts)


class Answers:
    """Answers by key, in memory and in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[str, Answer] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._read()

    def __contains__(self, key: str) -> bool:
        return key in self._found

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: str) -> Answer | None:
        """Return an answer, or None where it was not given yet."""
        return self._found.get(key)

    def add(self, key: str, answer: Answer) -> None:
        """Keep an answer; it is in the file when this returns."""
        line = json.dumps({"key": key, **answer}, allow_nan=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        self._found[key] = answer

    def _read(self) -> None:
        if not self._path.exists():
            return
        whole, end, rest = self._path.read_bytes().rpartition(b"\n")
        if rest:
            with self._path.open("r+b") as file:
                file.truncate(len(whole) + len(end))
        for number, line in enumerate(whole.decode().splitlines(), start=1):
            try:
                content = json.loads(line)
                self._found[content.pop("key")] = content
            except (ValueError, KeyError, AttributeError) as error:
                raise BenchError(
                    f"{self._path}, line {number}: not an answer; delete the line and run again."
                ) from error


def values(answers: Answers, keys: Sequence[str], field: str) -> list[Any]:
    """Return one field of the answers to questions, None where there is no answer."""
    return [found.get(field) if (found := answers.get(key)) else None for key in keys]
