"""Read data sets of the benchmark: tables, folders of grades, and graded rows of the collection.

A table is CSV or JSON lines with the columns of `Item`: `path` (beside the table) and `label` or
`score` are needed; further columns of a CSV become attributes.

IVUSQA and CardiacUltraQA are not published, so their form is not known. Assumed is the plainest
that their abstract allows: a folder with `high`, `medium` and `low` in it, or with a table of
labels (`labels.csv` or `labels.jsonl`). Folders below a grade are patients; without them every
picture is a patient of its own.
"""

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path

from sonoquality.errors import BenchError
from sonoquality.qbench.drawing import N_PAIRS, of_unlike_grades
from sonoquality.qbench.items import GRADES, Bench, Item
from sonoquality.training.data import INDEX, read_index

GRADED = {"Poor": "low", "Medium": "medium", "Good": "high"}
LABEL_TABLES = ("labels.csv", "labels.jsonl")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".dcm", ".nii", ".gz")
OWN = ("id", "path", "organ", "view", "label", "patient", "split", "source", "licence")
MOST_SCORE = 100.0


class Form(StrEnum):
    """How a data set lies on the disk."""

    TABLE = "table"
    FOLDER = "folder"
    GRADED = "graded"


def form_of(path: Path) -> Form:
    """Tell the form by what is there."""
    if path.is_file():
        return Form.TABLE
    if (path / INDEX).is_file():
        return Form.GRADED
    return Form.FOLDER


def read_table(path: Path, n_pairs: int = N_PAIRS, organ: str = "") -> Bench:
    """Read a CSV or JSON lines.

    Raises:
        BenchError: a column is missing, or a label or score is none; names the line.
    """
    items = tuple(_item(line, path, number, organ) for number, line in _lines(path))
    return _bench(items, path.stem, f"`{path.name}`", n_pairs)


def read_folder(path: Path, n_pairs: int = N_PAIRS, organ: str = "") -> Bench:
    """Read folders called by grades, or the table of labels in a folder.

    Raises:
        BenchError: there is neither.
    """
    for name in LABEL_TABLES:
        if (path / name).is_file():
            bench = read_table(path / name, n_pairs, organ)
            return Bench(name=path.name, items=bench.items, pairs=bench.pairs, about=bench.about)
    items = tuple(_of_folder(path, organ))
    return _bench(items, path.name, f"folders of grades in `{path.name}`", n_pairs)


def read_graded(path: Path, n_pairs: int = N_PAIRS) -> Bench:
    """Read the rows of a collection's index that people graded and that are for evaluation only.

    Raises:
        BenchError: there is none.
    """
    with (path / INDEX).open(encoding="utf-8", newline="") as file:
        views = [line.get("class_label") or "" for line in csv.DictReader(file)]
    found = [
        (row, view)
        for row, view in zip(read_index(path), views, strict=True)
        if row.split == "eval" and row.quality_label in GRADED
    ]
    items = tuple(
        Item(
            id=row.sha256[:12],
            path=str(row.path),
            organ=row.organ,
            view=view,
            label=GRADED[row.quality_label],
            patient=row.group,
            split=row.split,
            source=row.source,
            licence=row.licence,
        )
        for row, view in found
    )
    sources = sorted({row.source for row, _ in found})
    bench = _bench(items, "-".join(sources), f"graded frames of {', '.join(sources)}", n_pairs)
    return Bench(
        name=bench.name,
        items=bench.items,
        pairs=bench.pairs,
        about=bench.about,
        evaluation_only=True,
    )


def _bench(items: tuple[Item, ...], name: str, says: str, n_pairs: int) -> Bench:
    if not items:
        raise BenchError(
            f"No graded picture found in {says}; expected folders {', '.join(reversed(GRADES))}, a "
            f"table with path and label, or an {INDEX} with quality_label."
        )
    identity, n_times = Counter(item.id for item in items).most_common(1)[0]
    if n_times > 1:
        raise BenchError(f"{n_times} pictures have the id {identity}; give each its own.")
    pairs = tuple(of_unlike_grades(items, n_pairs))
    return Bench(name=name, items=items, pairs=pairs, about=says)


def _lines(path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    with path.open(encoding="utf-8", newline="") as file:
        if path.suffix == ".csv":
            for number, row in enumerate(csv.DictReader(file), start=2):
                own = {key: value for key, value in row.items() if key in (*OWN, "score")}
                rest = {key: value for key, value in row.items() if key not in own and value}
                yield number, {**own, "attrs": rest}
            return
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, _json(path, number, line)


def _json(path: Path, number: int, line: str) -> Mapping[str, object]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise BenchError(f"{path}, line {number}: not JSON ({error}).") from error
    if not isinstance(found, dict):
        raise BenchError(f"{path}, line {number}: expected one JSON object a line.")
    return found


def _item(line: Mapping[str, object], table: Path, number: int, organ: str) -> Item:
    texts = {key: str(line.get(key) or "") for key in OWN}
    where = f"{table}, line {number}"
    if not texts["path"]:
        raise BenchError(f"{where}: no path; each picture needs one, relative to the table.")
    label = texts["label"].lower()
    score = _score(line.get("score"), where)
    if label not in (*GRADES, "") or (not label and score is None):
        raise BenchError(
            f"{where}: label {texts['label']!r}; it is one of {', '.join(GRADES)}, or a score from "
            "0 to 100 stands in its place."
        )
    attrs = line.get("attrs")
    identity = texts["id"] or texts["path"]
    return Item(
        id=identity,
        path=str(table.parent / texts["path"]),
        organ=texts["organ"] or organ,
        view=texts["view"],
        label=label,
        score=score,
        attrs={k: str(v) for k, v in attrs.items()} if isinstance(attrs, Mapping) else {},
        patient=texts["patient"] or identity,
        split=texts["split"],
        source=texts["source"],
        licence=texts["licence"],
    )


def _score(written: object, where: str) -> float | None:
    if written is None or written == "":
        return None
    try:
        score = float(str(written))
    except ValueError:
        score = -1.0
    if not 0 <= score <= MOST_SCORE:
        raise BenchError(f"{where}: score {written!r} is not between 0 and 100.")
    return score


def _of_folder(path: Path, organ: str) -> Iterator[Item]:
    grades = {each.name.lower(): each for each in sorted(path.glob("*")) if each.is_dir()}
    for grade in GRADES:
        if grade not in grades:
            continue
        for picture in sorted(grades[grade].rglob("*")):
            if picture.suffix.lower() not in PICTURES or picture.name.startswith("."):
                continue
            inside = picture.relative_to(grades[grade]).parts
            identity = picture.relative_to(path).as_posix()
            yield Item(
                id=identity,
                path=str(picture),
                organ=organ,
                label=grade,
                patient=inside[0] if len(inside) > 1 else identity,
                source=path.name,
            )
