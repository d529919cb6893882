"""What is drawn over a scan should not move its quality: measured on real images.

    python -m tests.service.read.annotation_trial ../shared after

writes docs/results/csv/annotations.csv and docs/results/annotations.md anew, keeping the rows of
other states of the program.

Validation images are written over by the degradation ladder's own annotations (ANN: labels,
calipers, frames and boxes of results over 0.5 to 8 % of the scan), read as a PNG is and scored by
the gate's default model. Nothing is told to the reader.
"""

import csv
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonogate.domain.frames import FrameStack, Region
from sonogate.domain.instance import Header
from sonogate.errors import NotApplicableError
from sonogate.read.drawn.morphology import dilate
from sonogate.read.scan import Scene, assemble
from sonogate.score.scorer import ModelScorer, scored
from sonogate.settings import Settings
from sonoquality import degrade
from sonoquality.training.data import Row, read_index
from sonoquality.trials.pictures import name_of, spread

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]

TABLE = Path("docs/results/csv/annotations.csv")
PER_SOURCE = 8
#: Faults below the annotations, at this level, on so many images, and the annotations' level then.
FAULTS, FAULT_LEVEL, N_FAULTY, FAULTY_LEVEL = ("SPK", "ATT", "CON"), 4, 10, 3
#: Pixels around a stroke that count neither as drawn nor as untouched.
RIM = 2
NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One image with annotations of one level."""

    state: str  #: of the program
    image: str
    source: str
    group: str
    fault: str  #: put on the image before; "none"
    level: int  #: of the annotations
    drawn: float  #: share of the scan that is written over
    found: float  #: share of that which the reader masks
    wrong: float  #: share of the untouched scan that is not scored as it is
    clean: float  #: quality without annotations
    quality: float  #: quality with them; negative: not graded


def measure(data: Path, state: str, scorer: ModelScorer) -> Iterator[Try]:
    """Try every level on every image, and one level on images with faults."""
    rows = [r for r in read_index(data) if r.split == "val" and not r.non_commercial]
    for number, row in enumerate(spread(rows, PER_SOURCE)):
        luma, scan = row.read()
        for level in degrade.LEVELS:
            yield _try(Base(state, row, NONE, luma, scan), level, scorer)
        for fault in FAULTS if number < N_FAULTY else ():
            faulty = _spoiled(fault, luma, scan, FAULT_LEVEL, row.seed)
            yield _try(Base(state, row, fault, faulty, scan), FAULTY_LEVEL, scorer)


@dataclass(frozen=True, slots=True)
class Base:
    """What is written over."""

    state: str
    row: Row
    fault: str
    luma: Grey
    scan: Mask


def _try(base: Base, level: int, scorer: ModelScorer) -> Try:
    row, luma, scan = base.row, base.luma, base.scan
    written = _spoiled("ANN", luma, scan, level, row.seed)
    unit = luma.astype(np.float32) / np.float32(255)
    ink = degrade.affected_area("ANN", unit, scan, level, row.seed)
    assert ink is not None
    before = read(luma)
    untouched = scan & ~before.overlay_mask & ~dilate(ink, RIM)
    found, wrong, quality = 0.0, 0.0, -1.0
    try:
        after = read(written)
        found = float(after.overlay_mask[ink].mean())
        wrong = float(covered(after)[untouched].mean())
        quality = quality_of(after, scorer)
    except NotApplicableError:
        pass
    return Try(
        state=base.state,
        image=name_of(row),
        source=row.source,
        group=row.group,
        fault=base.fault,
        level=level,
        drawn=float(ink[scan].mean()),
        found=found,
        wrong=wrong,
        clean=quality_of(before, scorer),
        quality=quality,
    )


def _spoiled(operator: str, luma: Grey, scan: Mask, level: int, seed: int) -> Grey:
    unit = luma.astype(np.float32) / np.float32(255)
    changed = degrade.apply(operator, unit, scan, level, seed)
    return np.asarray(np.round(changed * 255), dtype=np.uint8)


def read(luma: Grey) -> FrameStack:
    """Read a picture as the gate reads a PNG."""
    height, width = luma.shape
    whole = Region(x=0, y=0, width=width, height=height)
    return assemble([luma], (1,), 1, Scene(crop=whole, screen=(height, width)), Header())


def covered(stack: FrameStack) -> Mask:
    """Return the pixels that are filled or left out."""
    changed: Mask = scored(stack)[0] != stack.frames[0]
    return changed | stack.hidden_mask


def quality_of(stack: FrameStack, scorer: ModelScorer) -> float:
    """Return the quality of the only frame."""
    return scorer.score(stack).scores.frames[0].quality


def load(path: Path) -> list[Try]:
    """Read a table back."""
    if not path.exists():
        return []
    kinds = {field.name: field.type for field in fields(Try)}
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Try(**{name: _parsed(kinds[name], value) for name, value in line.items()})  # type: ignore[arg-type]
            for line in csv.DictReader(file)
        ]


def _parsed(kind: object, value: str) -> str | int | float:
    return int(value) if kind is int else float(value) if kind is float else value


def save(tries: Iterable[Try], path: Path) -> None:
    """Write a table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Try)], lineterminator="\n")
        writer.writeheader()
        for each in tries:
            line = asdict(each)
            writer.writerow(
                {k: round(v, 5) if isinstance(v, float) else v for k, v in line.items()}
            )


def main(shared: Path, state: str) -> None:
    """Measure one state and write the table and the page."""
    from tests.service.read.annotation_page import PAGE, page_of

    scorer = ModelScorer.open(Settings().scoring)
    others = [each for each in load(TABLE) if each.state != state]
    tries = [*others, *measure(shared / "data", state, scorer)]
    save(tries, TABLE)
    PAGE.write_text(page_of(tries), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
