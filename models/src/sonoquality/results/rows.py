"""Records as the rows of a CSV: a column for each field, mapping and side of a pair."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Row = Mapping[str, str]
PLAIN: Mapping[Any, Callable[[str], object]] = {
    str: str,
    int: int,
    float: float,
    bool: lambda written: written == "True",
}


def write(path: Path, rows: Sequence["DataclassInstance"]) -> None:
    """Write records of one kind, numbers to seven digits; of no records, an empty file.

    A field that is a mapping becomes a column for each of its keys; a pair becomes two columns,
    `_1` and `_2`.
    """
    flat = [dict(_columns(row)) for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        if flat:
            table = csv.DictWriter(file, list(flat[0]), lineterminator="\n")
            table.writeheader()
            table.writerows(flat)


def read(path: Path) -> list[Row]:
    """Read what `write` wrote, as text by column.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def plain(kind: type["DataclassInstance"], row: Row) -> dict[str, Any]:
    """Return the fields of a record that are one text, number or truth."""
    return {
        field.name: PLAIN[field.type](row[field.name])
        for field in fields(kind)
        if field.type in PLAIN
    }


def _columns(row: "DataclassInstance") -> Iterator[tuple[str, object]]:
    for field in fields(row):
        value = getattr(row, field.name)
        named = value if isinstance(value, Mapping) else {field.name: value}
        for name, each in named.items():
            if isinstance(each, tuple):
                yield from ((f"{name}_{side}", _cell(one)) for side, one in enumerate(each, 1))
            else:
                yield name, _cell(each)


def _cell(value: object) -> object:
    return f"{value:.7g}" if isinstance(value, float) else value
