"""Every copy of the validation images, as a joined entry judges it: what the rule is chosen on."""

from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import numpy as np

from sonoquality.attributes import measure
from sonoquality.model import QualityModel
from sonoquality.results import joined_rows, medqm_rows, rows
from sonoquality.results.joined_rows import JudgedCopy

Progress = Callable[[str, int, int], None]


def run(entry: Path, pictures: Path, results: Path, tell: Progress) -> Path:
    """Judge the copies that `medqm measure` listed; writes and returns the CSV.

    Args:
        entry: joined entry of the zoo.
        pictures: folder of the copies.
        results: folder of CSVs.
        tell: shows progress.

    Raises:
        FileNotFoundError: `medqm measure` was not run yet.
    """
    model = QualityModel.load(entry, ("cpu",))
    listed = rows.read(results / medqm_rows.COPIES)
    images = [(name, list(own)) for name, own in groupby(listed, key=lambda row: row["image"])]
    judged: list[JudgedCopy] = []
    for number, (name, own) in enumerate(images, start=1):
        judged += _judged(model, pictures / f"{name}.npz", own)
        tell("judging copies", number, len(images))
    rows.write(results / joined_rows.COPIES, judged)
    return results / joined_rows.COPIES


def _judged(model: QualityModel, path: Path, listed: list[rows.Row]) -> Iterator[JudgedCopy]:
    with np.load(path) as kept:
        shown, mask = kept["pictures"], kept["mask"]
    nothing = np.zeros_like(mask)
    for row, picture in zip(listed, shown, strict=True):
        found = model.score(picture[None], mask)[0]
        by_hand = measure(picture, mask, nothing, found.heat)
        yield JudgedCopy(
            **{key: row[key] for key in ("image", "group", "organ", "kind", "operator")},
            level=int(row["level"]),
            label=float(row["label"]) if row["label"] else None,
            nrq=float(row["nrq"]),
            quality=found.quality,
            uncertain=found.uncertain,
            scores=found.scores,
            by_hand={f"hand_{code}": fault.severity for code, fault in by_hand.items()},
            told={f"told_{code}": fault.severity for code, fault in found.faults.items()},
        )
