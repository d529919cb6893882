"""The folder of a benchmark's run: the data set as it was drawn, and each entrant's answers.

`<out>/<data set>/bench.json` holds items and pairs (no pictures), `<entrant>.jsonl` its answers and
`<entrant>.json` what it is. A report needs nothing else.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sonoquality.errors import BenchError
from sonoquality.qbench.answers import Answers
from sonoquality.qbench.entrants import Entrant, file_name
from sonoquality.qbench.items import Bench, Item, Made, Pair

BENCH_FILE = "bench.json"
WHERE = "path"  #: the one thing of an item that may change between runs


def folder_of(out: Path, bench: Bench) -> Path:
    """Return the folder of a data set."""
    return out / bench.name


def keep(out: Path, bench: Bench) -> Path:
    """Write a data set into its folder, or find it there.

    Raises:
        BenchError: the folder holds another one of that name.
    """
    folder = folder_of(out, bench)
    path = folder / BENCH_FILE
    written = json.loads(json.dumps(asdict(bench)))
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else written
    if _without_paths(before) != _without_paths(written):
        raise BenchError(
            f"{folder} holds another data set, or another draw of it; name another --out, or run "
            "as before."
        )
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    return folder


def _without_paths(bench: Mapping[str, Any]) -> dict[str, Any]:
    items = [{k: v for k, v in item.items() if k != WHERE} for item in bench["items"]]
    return {**bench, "items": items}


def read(folder: Path) -> Bench:
    """Read a data set back.

    Raises:
        BenchError: there is none.
    """
    path = folder / BENCH_FILE
    if not path.is_file():
        raise BenchError(f"{folder} holds no {BENCH_FILE}; make it by sonoquality qbench run.")
    kept = json.loads(path.read_text(encoding="utf-8"))
    items = [
        Item(**{**item, "made": Made(**item["made"]) if item["made"] else None})
        for item in kept.pop("items")
    ]
    pairs = [Pair(**pair) for pair in kept.pop("pairs")]
    return Bench(**kept, items=tuple(items), pairs=tuple(pairs))


def benches(out: Path) -> list[Path]:
    """Return the folders of all data sets of a run.

    Raises:
        BenchError: there is none.
    """
    found = sorted(path.parent for path in out.glob(f"*/{BENCH_FILE}"))
    if not found:
        raise BenchError(f"{out} holds no answers; make them by sonoquality qbench run --out.")
    return found


def answers_of(folder: Path, entrant: str) -> Answers:
    """Open an entrant's answers to a data set."""
    return Answers(folder / f"{file_name(entrant)}.jsonl")


def note(folder: Path, entrant: Entrant, said: Mapping[str, object]) -> None:
    """Write down what an entrant is and how it was asked.

    Raises:
        BenchError: another entrant of that name has answers here.
    """
    path = folder / f"{file_name(entrant.name)}.json"
    record: dict[str, Any] = {"name": entrant.name, "kind": entrant.kind, **entrant.about, **said}
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        for key in ("kind", "sha256", "prompts"):
            if before.get(key) != record.get(key):
                raise BenchError(
                    f"{path} tells of another {entrant.name} (its {key} differs); move its two "
                    "files away, or name another --out."
                )
        levels = {*before.get("levels", ()), *record.get("levels", ())}
        record = {**before, **{key: value for key, value in record.items() if value != ""}}
        record |= {"levels": sorted(levels)} if levels else {}
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def entrants(folder: Path) -> list[dict[str, Any]]:
    """Return the records of all entrants that a data set has answers of, metrics first."""
    records = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.json"))
        if path.name != BENCH_FILE
    ]
    return sorted(records, key=lambda record: (record["kind"] != "metric", record["name"]))
