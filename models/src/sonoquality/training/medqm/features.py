"""What the encoder says of every copy of every case, once and for all: a file a case."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from sonoquality.arrays import Floats
from sonoquality.card import ModelCard
from sonoquality.export.cells import CELL_COUNTS, CELLS, with_cells
from sonoquality.labelling import spoiled
from sonoquality.labelling.cases import Case
from sonoquality.metrics import experts_file
from sonoquality.model import QualityModel
from sonoquality.pooling import area_mean, worst_area_mean
from sonoquality.preprocess import WINDOW, WindowSet, WorkingImage, windows_of
from sonoquality.session import Session, open_session

DCT, BADNESS = "dct", "badness"
Halves = NDArray[np.float16]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What the encoder says of a case's copies; windows of all copies one after another."""

    cells: Halves  #: (window, 49, tap * width)
    counts: Halves  #: (window, 49), share of each cell in the mask
    dct: NDArray[np.float32]  #: (window, 38), the baseline's statistics
    areas: Floats  #: (window,) share in the mask
    starts: NDArray[np.intp]  #: (copy + 1,), where the windows of each copy begin
    nrq: Floats  #: (copy,), quality by NRQ alone, 0 to 100


class Reader:
    """The shipped graph with the cells among its outputs."""

    def __init__(self, entry: Path, threads: int = 1) -> None:
        self._model = QualityModel.load(entry, providers=("cpu",), threads=threads)
        self._session = _open(entry, self._model, threads)

    def read(self, pictures: spoiled.Greys, mask: NDArray[np.bool_]) -> Features:
        """Return the features of pictures (n, height, width) at working scale, one mask for all."""
        sets = [windows_of(_padded(picture, mask)) for picture in pictures]
        out = self._session.run(
            np.concatenate([each.pixels for each in sets]),
            np.concatenate([each.masks for each in sets]),
            (CELLS, CELL_COUNTS, DCT, BADNESS),
        )
        starts = np.cumsum([0, *(len(each.pixels) for each in sets)])
        return Features(
            cells=out[CELLS].astype(np.float16),
            counts=out[CELL_COUNTS].astype(np.float16),
            dct=out[DCT],
            areas=np.concatenate([each.areas for each in sets]),
            starts=starts,
            nrq=self._nrq(out[BADNESS].astype(np.float64), sets, starts),
        )

    def _nrq(self, badness: Floats, sets: Sequence[WindowSet], starts: NDArray[np.intp]) -> Floats:
        card, found = self._model.card, []
        for number, each in enumerate(sets):
            own = badness[starts[number] : starts[number + 1]]
            mean = area_mean(own, each.areas)
            worst = worst_area_mean(own, each.areas, card.tail_share)
            score = (1 - card.tail_weight) * mean + card.tail_weight * worst
            found.append(card.scale.to_quality(score, len(own)))
        return np.array(found)


def extract(
    cases: Sequence[Case], pictures: Path, entry: Path, out: Path, progress: Progress
) -> None:
    """Write the features of each case, `OUT/<case>.npz`; those that are there stay."""
    out.mkdir(parents=True, exist_ok=True)
    reader = Reader(entry)
    for number, case in enumerate(cases, start=1):
        path = out / f"{case.name}.npz"
        if not path.exists():
            with np.load(pictures / f"{case.name}.npz") as kept:
                found = reader.read(kept["pictures"], kept["mask"])
            unfinished = path.with_suffix(".part")
            with unfinished.open("wb") as file:
                np.savez(file, **{key: getattr(found, key) for key in Features.__slots__})
            unfinished.replace(path)
        progress("encoding", number, len(cases))


def load(out: Path, case: Case) -> Features:
    """Read the features of a case.

    Raises:
        FileNotFoundError: they were not extracted.
    """
    with np.load(out / f"{case.name}.npz") as kept:
        return Features(**{key: kept[key] for key in Features.__slots__})


def _padded(picture: NDArray[np.uint8], mask: NDArray[np.bool_]) -> WorkingImage:
    height, width = mask.shape
    pad = [(0, max(WINDOW - side, 0)) for side in (height, width)]
    return WorkingImage(
        image=np.pad(picture.astype(np.float32) / np.float32(255), pad),
        mask=np.pad(mask, pad),
        box=(0, 0, width, height),
        size=(width, height),
    )


def _open(entry: Path, model: QualityModel, threads: int) -> Session:
    """Open the entry's graph with one more pair of outputs."""
    graph = with_cells(onnx.load(ModelCard.read(entry).check_hash(entry)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cells.onnx"
        onnx.save(graph, path)
        session = open_session(
            path, sha256=model.sha256, ladder=("cpu",), threads=threads, cache=Path(folder)
        )
    if model.manifold is None:
        return session
    return session.given(experts_file.tensors_of(model.manifold))
