"""The copies of an image that diagnosticians are shown: ladders, mixtures, no fault, no tissue."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sonoquality import degrade
from sonoquality.arrays import UnitImage
from sonoquality.degrade.scene import Scene, compress, psf_noise
from sonoquality.geometry import geometry_of
from sonoquality.labelling.cases import Case, Scan
from sonoquality.labelling.folds import HELD_BACK

HELD_OUT = ("RF", "SLB", "DYR", "ALI")
"""Operators that MedQM-I never learns from: what it makes of them is transfer. Each attribute keeps
one that it does learn from, which is why REV, unknown to the encoder, is not among them."""
NAMES = (*degrade.LADDER, "ANN")
TAUGHT = tuple(name for name in NAMES if name not in HELD_OUT)
N_MIXTURES, N_JITTERS = 3, 2
APART = 5  #: operators of one image lie so far apart in the table: they are of different kinds
SPECKLE_GREY = 0.45  #: mean grey of what says nothing

Kind = Literal["clean", "ladder", "mixture", "jitter", "blank"]
Greys = NDArray[np.uint8]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """How one copy was made; the case's own seed and this number make it again."""

    kind: Kind
    faults: Mapping[str, int] = field(default_factory=dict)  #: operator to level
    number: int = 0  #: of its kind: seeds differ by it


def copies_of(case: Case, turn: int, n_ladders: int) -> list[Copy]:
    """Return what is made of an image: itself first, then ladders, mixtures, jitter, no tissue.

    Args:
        case: the image; a validation image is put under every operator, another only under those
            that MedQM-I may learn from.
        turn: of the image: the operators go round, so that all are used alike.
        n_ladders: operators, each at five levels.
    """
    names = NAMES if case.fold == HELD_BACK else TAUGHT
    chosen = [names[(turn + APART * k) % len(names)] for k in range(n_ladders)]
    rng = np.random.default_rng([case.row.seed, 5])
    mixtures = [degrade.draw_faults(rng, names) for _ in range(N_MIXTURES)]
    return [
        Copy(kind="clean"),
        *(Copy(kind="ladder", faults={n: level}) for n in chosen for level in degrade.LEVELS),
        *(Copy(kind="mixture", faults=each, number=k) for k, each in enumerate(mixtures)),
        *(Copy(kind="jitter", number=k) for k in range(N_JITTERS)),
        Copy(kind="blank"),
    ]


def make(copy: Copy, scan: Scan, seed: int) -> UnitImage:
    """Return the copy (height, width) of a scan, in the greys that a file can hold."""
    if copy.kind == "jitter":
        made = degrade.jitter(scan.image, scan.mask, seed + copy.number)
    elif copy.kind == "blank":
        made = speckle_only(scan, seed)
    else:
        made = degrade.compose(copy.faults, scan.image, scan.mask, seed + copy.number)
    return np.asarray(np.rint(np.clip(made, 0, 1) * 255) / 255, np.float32)


def speckle_only(scan: Scan, seed: int) -> UnitImage:
    """Fill the scan with speckle of one brightness: all that is left is the shape of the scan."""
    scene = Scene(image=scan.image, scan_mask=scan.mask, geometry=geometry_of(scan.mask))
    grey = compress(psf_noise(scene, np.random.default_rng([seed, 11])))
    shifted = np.clip(grey + (SPECKLE_GREY - float(grey[scan.mask].mean())), 0, 1)
    return np.where(scan.mask, shifted, 0).astype(np.float32)


def write_all(cases: Sequence[Case], n_ladders: int, out: Path, progress: Progress) -> None:
    """Write the copies of each case, `OUT/<case>.npz`; those that are there stay.

    A validation image has twice as many ladders: it is measured on, and there are fewer of them.
    """
    out.mkdir(parents=True, exist_ok=True)
    for turn, case in enumerate(cases):
        path = out / f"{case.name}.npz"
        if not path.exists():
            scan = case.read()
            wanted = 2 * n_ladders if case.fold == HELD_BACK else n_ladders
            copies = copies_of(case, turn, wanted)
            made = np.stack([make(copy, scan, case.row.seed) for copy in copies])
            unfinished = path.with_suffix(".part")
            with unfinished.open("wb") as file:
                np.savez(
                    file,
                    pictures=np.rint(made * 255).astype(np.uint8),
                    mask=scan.mask,
                    copies=np.array(json.dumps([asdict(each) for each in copies])),
                )
            unfinished.replace(path)
        progress("spoiling images", turn + 1, len(cases))


def read(out: Path, case: Case) -> tuple[list[Copy], Greys]:
    """Return how the copies of a case were made, and the copies (n, height, width).

    Raises:
        FileNotFoundError: they were not made.
    """
    with np.load(out / f"{case.name}.npz") as kept:
        copies = [Copy(**each) for each in json.loads(str(kept["copies"]))]
        return copies, kept["pictures"]
