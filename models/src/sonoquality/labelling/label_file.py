"""The label file: one line a copy, and beside it how each label came about."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from sonoquality.labelling.diagnosing import Diagnosed
from sonoquality.labelling.excess import HARMLESS, NOTHING, Scale, labels
from sonoquality.labelling.folds import HELD_BACK, OPTIMISTIC

LABELS, PROVENANCE = "labels.csv", "labels.json"


def write(
    out: Path,
    found: Sequence[Diagnosed],
    used: Mapping[str, Scale],
    unused: Mapping[str, str],
    about: Mapping[str, object],
) -> Path:
    """Write `OUT/labels.csv` and `OUT/labels.json`; returns the first.

    Args:
        out: folder.
        found: the judged images.
        used: scales of the diagnosticians whose word counts.
        unused: why each of the others does not count.
        about: what else made the labels: configuration, sample, versions.
    """
    out.mkdir(parents=True, exist_ok=True)
    kinds = sorted({scale.kind for scale in used.values()})
    with (out / LABELS).open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(
            ["image", "organ", "group", "split", "copy", "kind", "faults", "label", "apart", *kinds]
        )
        for each in found:
            lines.writerows(_lines(each, used, kinds))
    provenance = {
        **about,
        "anchors": {"harmless gain, 95th percentile": HARMLESS, "speckle alone": NOTHING},
        "scales": {name: asdict(scale) for name, scale in sorted(used.items())},
        "not_used": dict(sorted(unused.items())),
        "optimistic_groups": list(OPTIMISTIC),
        "images": {each.case.row.sha256: each.case.fold for each in found},
    }
    text = json.dumps(provenance, indent=2) + "\n"
    (out / PROVENANCE).write_text(text, encoding="utf-8")
    return out / LABELS


def _lines(each: Diagnosed, used: Mapping[str, Scale], kinds: Sequence[str]) -> list[list[str]]:
    joined = labels(each, used)
    if joined is None:
        return []
    label, apart = joined
    of_kinds = {kind: _of_kind(each, used, kind) for kind in kinds}
    case = each.case
    split = "val" if case.fold == HELD_BACK else "train"
    first = [case.name, case.anatomy.organ, case.row.group, split]
    return [
        [
            *first,
            str(number),
            copy.kind,
            " ".join(f"{name}:{level}" for name, level in copy.faults.items()),
            f"{label[number]:.4f}",
            f"{apart[number]:.4f}",
            *("" if q is None else f"{q[number]:.4f}" for q in of_kinds.values()),
        ]
        for number, copy in enumerate(each.copies)
    ]


def _of_kind(each: Diagnosed, used: Mapping[str, Scale], kind: str) -> np.ndarray | None:
    own = [
        used[name].quality(losses)
        for name, losses in each.losses.items()
        if name in used and used[name].kind == kind
    ]
    return np.mean(own, axis=0) if own else None
