"""Which cells of a screen show a spectrum or an M-mode trace: a small convolutional net.

It sees a whole screen, reduced to 256x320 px, and labels each cell of 8x8 of them. Its graph is an
entry of the zoo like the quality models; it is taught by `training.traces`.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from sonoquality.arrays import Luma
from sonoquality.card import BadCardError, checked_file
from sonoquality.session import Session, open_session
from sonoquality.zoo import CARD_FILE, MODEL_FILE

#: (height, width) of what the net sees, and the side of a cell, in px.
SEEN, CELL = (256, 320), 8
N_CELLS = (SEEN[0] // CELL, SEEN[1] // CELL)
LABELS = ("none", "spectral_doppler", "m_mode")

#: Cells are of a trace from this sum of its labels' shares on.
LEAST_SHARE = 0.5
#: Rows and columns belong to the rectangle if so much of the widest one is of the trace.
LEAST_OF_WIDEST = 0.5

#: (rows, columns) of cells that a trace has at least: an eighth of what is seen, and a fifth.
LEAST_CELLS = (4, 8)

Shares: TypeAlias = NDArray[np.float32]
"""(*N_CELLS, label): how likely each cell shows each of LABELS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The largest patch of cells that look like a trace."""

    label: str  #: of LABELS, but the first
    box: tuple[slice, slice]  #: rows and columns of the picture
    evidence: float
    """How sure the cells of the rectangle are on average that they show this label, in [0, 1]."""
    believed: bool = False  #: surer than the card asks for; less is a doubt about the picture


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TraceNet:
    """The loaded net, and the evidence from which on a trace is believed or thought possible."""

    session: Session
    least: Mapping[str, float]  #: evidence of `Found` by label, to believe it
    possible: float  #: evidence of any label from which on a picture is in doubt

    @classmethod
    def load(cls, entry: Path, threads: int = 1) -> "TraceNet":
        """Load an entry of the zoo; the net is so small that it always runs on the CPU.

        Raises:
            BadCardError: card or graph are missing or incomplete.
            HashMismatchError: the graph is not that of the card.
        """
        path = entry / CARD_FILE
        try:
            card = tomllib.loads(path.read_text(encoding="utf-8"))
            sha256, decision = str(card["model"]["sha256"]), card["decision"]
            least = {label: float(decision[label]) for label in LABELS[1:]}
            possible = float(decision["possible"])
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise BadCardError(f"{path}: {error!r}; install the release again.") from error
        graph = checked_file(entry / MODEL_FILE, sha256)
        session = open_session(graph, sha256=sha256, ladder=("cpu",), threads=threads, cache=entry)
        return cls(session=session, least=least, possible=possible)

    def find(self, luma: Luma) -> Found | None:
        """Find the largest patch of a trace, believed or not; None if no cell looks like one.

        Args:
            luma: (height, width) of a whole screen.
        """
        return found_in(self.shares(luma), CELL / scale_of(luma.shape))

    def told(self, luma: Luma) -> Found | None:
        """Find the largest patch of a trace, if there is evidence to believe or to doubt.

        Args:
            luma: (height, width) of a whole screen.
        """
        found = self.find(luma)
        if found is None or found.evidence < min(self.possible, self.least[found.label]):
            return None
        return replace(found, believed=found.evidence >= self.least[found.label])

    def shares(self, luma: Luma) -> Shares:
        """Return how likely each cell shows each of LABELS: the mean of the screen and its mirror.

        Args:
            luma: (height, width) of a whole screen; see `seen_of` for what the cells cover.
        """
        seen = seen_of(luma).astype(np.float32) / np.float32(127.5) - np.float32(1)
        screens = np.stack([seen, seen[:, ::-1]])[:, None]
        (found,) = self.session.runtime.run(["shares"], {"screens": screens})
        return np.asarray((found[0] + found[1][:, ::-1]) / 2, dtype=np.float32)


def found_in(shares: Shares, pixels_per_cell: float) -> Found | None:
    """Find the largest patch of cells that look like a trace; None if it is smaller than one.

    Args:
        shares: of a screen's cells.
        pixels_per_cell: of the picture that the rectangle is told in.
    """
    traced = 1.0 - shares[..., 0]
    patches, n_patches = ndimage.label(traced > LEAST_SHARE)
    if n_patches == 0:
        return None
    sure = ndimage.sum_labels(2 * traced - 1, patches, np.arange(1, n_patches + 1))
    patch = patches == 1 + int(np.argmax(sure))
    rows, columns = _extent(patch.sum(axis=1)), _extent(patch.sum(axis=0))
    if rows.stop - rows.start < LEAST_CELLS[0] or columns.stop - columns.start < LEAST_CELLS[1]:
        return None
    mean = shares[rows, columns, 1:].mean(axis=(0, 1))
    return Found(
        label=LABELS[1 + int(mean.argmax())],
        box=(_scaled(rows, pixels_per_cell), _scaled(columns, pixels_per_cell)),
        evidence=float(mean.max()),
    )


def seen_of(luma: Luma) -> Luma:
    """Return a picture as the net sees it: reduced or enlarged to fit SEEN, top left, on black."""
    scale = scale_of(luma.shape)
    height, width = (max(1, round(side * scale)) for side in luma.shape)
    picture = Image.fromarray(luma)
    resized = picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    seen = np.zeros(SEEN, dtype=np.uint8)
    seen[:height, :width] = np.asarray(resized)
    return seen


def scale_of(shape: tuple[int, ...]) -> float:
    """Return pixels of SEEN per pixel of a picture of (height, width)."""
    return min(SEEN[0] / shape[0], SEEN[1] / shape[1])


def _extent(counts: NDArray[np.intp]) -> slice:
    """Return from the first to the last row that is nearly as wide as the widest."""
    kept = np.flatnonzero(counts >= LEAST_OF_WIDEST * counts.max())
    return slice(int(kept[0]), int(kept[-1]) + 1)


def _scaled(cells: slice, pixels_per_cell: float) -> slice:
    return slice(round(cells.start * pixels_per_cell), round(cells.stop * pixels_per_cell))
