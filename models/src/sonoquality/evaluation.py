"""How honest a model is: known faults on validation images, and people's grades on the heart set.

The validation split is spoiled by the ladder of `degrade`; nothing here fits or chooses anything.
The heart set (CAMUS) may only be evaluated on: every model ever scored on it is written to a
ledger, so that a reader sees how many tries stand behind a number.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import numpy as np

from sonoquality import degrade
from sonoquality.arrays import Luma, Mask
from sonoquality.attributes import measure
from sonoquality.metrics.sharpness import mean_gradient, tenengrad
from sonoquality.model import QualityModel
from sonoquality.preprocess import working_image
from sonoquality.training.data import Row, read_index

PER_SOURCE = 6
"""Validation images per source on which the ladder is built; keeps the run to a few minutes."""

FINDINGS_LEVEL = 4
"""Level at which the measured faults are tabulated."""

GAIN_STEPS = (("G-", -3.0), ("G+", 3.0))
GRADES = {"Poor": 0, "Medium": 1, "Good": 2}
SCORERS = ("model", "mean gradient, 2 px", "tenengrad")
LEDGER = "camus-ledger.txt"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One image at one level of one fault; level 0 is the image as it is."""

    row: Row
    operator: str
    level: int
    quality: float  #: [0, 100]
    ranks: tuple[float, ...]  #: of each of `SCORERS`, higher is better
    faults: dict[str, float]  #: severity by finding code; empty unless asked for
    hit: float | None = None  #: share of the worst heat that lies in the spoiled area
    area: float | None = None  #: share of the scan that was spoiled: the hit of chance


def evaluate(data: Path, out: Path, entry: Path, progress: Progress) -> Path:
    """Evaluate a zoo entry and write `baseline.md`.

    Args:
        data: folder with INDEX.csv.
        out: folder of the results; the ledger of the heart set is kept there too.
        entry: zoo entry to load.
        progress: told (work, done, total).

    Returns:
        The path of the page.
    """
    from sonoquality import evaluation_page

    model = QualityModel.load(entry)
    rows = read_index(data)
    validation = [row for row in rows if row.split == "val"]
    clean = list(_told(as_they_are(model, validation), "as they are", len(validation), progress))
    chosen = pick(validation)
    n_faults = len(chosen) * len(degrade.OPERATORS) * len(degrade.LEVELS)
    spoiled = list(_told(ladders(model, chosen), "ladders", n_faults, progress))
    heart = [row for row in rows if row.split == "eval"]
    graded = list(_told(as_they_are(model, heart), "graded hearts", len(heart), progress))
    out.mkdir(parents=True, exist_ok=True)
    n_variants = note(out / LEDGER, model)
    page = out / "baseline.md"
    text = evaluation_page.render(model, clean, spoiled, graded, n_variants)
    page.write_text(text, encoding="utf-8")
    print(text)  # noqa: T201 - the command line asked for it
    return page


def _told(samples: Iterable[Sample], work: str, total: int, progress: Progress) -> Iterator[Sample]:
    for done, sample in enumerate(samples, 1):
        progress(work, done, total)
        yield sample


def pick(rows: Sequence[Row]) -> list[Row]:
    """Choose up to `PER_SOURCE` images of each source, spread over its groups, by their hash."""
    chosen: list[Row] = []
    for source in sorted({row.source for row in rows}):
        own = sorted((row for row in rows if row.source == source), key=lambda row: row.sha256)
        first_of_group = {row.group: row for row in reversed(own)}
        spread = sorted(own, key=lambda row: row is not first_of_group[row.group])
        chosen += spread[:PER_SOURCE]
    return chosen


def as_they_are(model: QualityModel, rows: Sequence[Row]) -> Iterator[Sample]:
    """Score images without a fault."""
    for row in rows:
        luma, mask = row.read()
        yield sample_of(model, row, (luma, mask), ("none", 0))


def ladders(model: QualityModel, rows: Sequence[Row]) -> Iterator[Sample]:
    """Score every image under every fault at every level."""
    for row in rows:
        luma, mask = row.read()
        unit = luma.astype(np.float32) / np.float32(255)
        for name in degrade.OPERATORS:
            for level in degrade.LEVELS:
                spoiled = degrade.apply(name, unit, mask, level, row.seed)
                area = degrade.affected_area(name, unit, mask, level, row.seed)
                yield sample_of(model, row, (to_luma(spoiled), mask), (name, level), area)


def to_luma(image: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Luma:
    """Round [0, 1] to 8 bits."""
    return np.clip(np.round(image * 255), 0, 255).astype(np.uint8)


def sample_of(
    model: QualityModel,
    row: Row,
    scan: tuple[Luma, Mask],
    fault: tuple[str, int],
    area: Mask | None = None,
) -> Sample:
    """Score one image with the model and with the classic measures."""
    luma, mask = scan
    found = model.score(luma[None], mask)[0]
    working = working_image(luma, mask)
    name, level = fault
    faults: dict[str, float] = {}
    if level in (0, FINDINGS_LEVEL):
        measured = measure(luma, mask, np.zeros_like(mask))
        faults = {code: each.severity for code, each in measured.items()}
    return Sample(
        row=row,
        operator=name,
        level=level,
        quality=found.quality,
        ranks=(
            raw_rank(model, found.scores[model.card.scale.name]),
            mean_gradient(working.image, working.mask),
            tenengrad(working.image, working.mask),
        ),
        faults=faults,
        hit=None if area is None else hit(found.heat, mask, area),
        area=None if area is None else float(area.sum() / mask.sum()),
    )


def raw_rank(model: QualityModel, score: float) -> float:
    """Turn a raw score so that higher is better."""
    return score if model.card.scale.higher_is_better else -score


def hit(heat: np.ndarray[tuple[int, ...], np.dtype[np.float32]], mask: Mask, area: Mask) -> float:
    """Return the share of the worst 15 % of a heat map that lies in the spoiled area."""
    worst = mask & (heat >= np.percentile(heat[mask], 85))
    return float((worst & area).sum() / max(1, worst.sum()))


class Named(Protocol):
    """A model by name, version and hash."""

    @property
    def name(self) -> str:
        """The zoo's name of it."""

    @property
    def version(self) -> str:
        """Its version."""

    @property
    def sha256(self) -> str:
        """Hash of the model file."""


def note(ledger: Path, model: Named) -> int:
    """Write a model into the ledger of the heart set and count the models ever scored on it."""
    lines = ledger.read_text(encoding="utf-8").splitlines() if ledger.exists() else []
    known = {line.split()[-1] for line in lines if line.strip()}
    if model.sha256 not in known:
        lines.append(f"{datetime.now(UTC):%Y-%m-%d} {model.name}/{model.version} {model.sha256}")
        ledger.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(known | {model.sha256})
