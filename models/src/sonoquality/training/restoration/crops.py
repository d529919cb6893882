"""Crops to learn from and to compare on: of the collection's images, or of phantoms without one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from sonoquality.arrays import UnitImage
from sonoquality.golden import PHANTOMS, Phantom
from sonoquality.preprocess import WINDOW, luma_of, scan_mask, working_image
from sonoquality.training.data import Row, read_index, training_rows
from sonoquality.training.segmentation.probes import Scan, probes

N_PHANTOMS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One picture that crops are cut from."""

    name: str
    group: str  #: what the bootstrap draws whole
    read: Callable[[], UnitImage]  #: (height, width) of the scan in [0, 1], at working scale


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedScan:
    """One whole scan to compare on."""

    name: str
    group: str  #: what the bootstrap draws whole
    organ: str  #: key of `segmentation.pictures.ORGANS`; empty without an outline
    read: Callable[[], Scan]


def training_sources(data: Path | None) -> list[Source]:
    """Return the training split, or phantoms where there is no collection."""
    if data is None:
        return [_phantom_source(each) for each in _varied_phantoms()]
    return [_row_source(row) for row in training_rows(read_index(data))]


def validation_scans(data: Path | None, n_pictures: int) -> list[NamedScan]:
    """Return held-out scans, so many of each source with outlines; or phantoms."""
    if data is None:
        return [_phantom_scan(each) for each in PHANTOMS if not each.title]
    return [
        NamedScan(name=each.name, group=each.row.group, organ=each.organ, read=each.read)
        for each in probes(data, "val", n_pictures)
    ]


def phantom_sources() -> list[Source]:
    """Return the phantoms that documents may show."""
    return [_phantom_source(each) for each in PHANTOMS if not each.title]


def batch(sources: Sequence[Source], seed: int, step: int, n_crops: int) -> UnitImage:
    """Return (n, 1, 224, 224) crops of a step; they depend on seed and step alone."""
    rng = np.random.default_rng([seed, step])
    crops = []
    for _ in range(n_crops):
        image = sources[int(rng.integers(len(sources)))].read()
        room = [side - WINDOW for side in image.shape]
        top, left = (int(rng.integers(r + 1)) for r in room)
        crop = image[top : top + WINDOW, left : left + WINDOW]
        crops.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
    return np.stack(crops)[:, None]


def middle(source: Source) -> UnitImage:
    """Return the crop (224, 224) from the middle of a scan."""
    image = source.read()
    top, left = ((side - WINDOW) // 2 for side in image.shape)
    return image[top : top + WINDOW, left : left + WINDOW]


def _row_source(row: Row) -> Source:
    @lru_cache(maxsize=1)
    def read() -> UnitImage:
        return _scan(working_image(*row.read()).image)

    return Source(name=f"{row.source}/{row.sha256[:12]}", group=row.group, read=read)


def _phantom_source(phantom: Phantom) -> Source:
    @lru_cache(maxsize=1)
    def read() -> UnitImage:
        luma = luma_of(phantom.picture())
        return _scan(working_image(luma, scan_mask(luma)).image)

    return Source(name=phantom.name, group=phantom.name, read=read)


def _phantom_scan(phantom: Phantom) -> NamedScan:
    def read() -> Scan:
        luma = luma_of(phantom.picture())
        work = working_image(luma, scan_mask(luma))
        width, height = work.size
        image = np.ascontiguousarray(work.image[:height, :width])
        return Scan(image=image, mask=work.mask[:height, :width], organ=None)

    return NamedScan(name=phantom.name, group=phantom.name, organ="", read=read)


def _scan(image: UnitImage) -> UnitImage:
    """Let go of what the image was cut from."""
    return np.ascontiguousarray(image)


def _varied_phantoms() -> list[Phantom]:
    rng = np.random.default_rng(0)
    return [
        replace(
            PHANTOMS[i % 2],
            name=f"varied-{i}",
            width=int(rng.integers(260, 480)),
            height=int(rng.integers(260, 480)),
            loss=float(rng.uniform(0.0, 30.0)),
            blur=float(rng.uniform(0.7, 2.0)),
        )
        for i in range(N_PHANTOMS)
    ]
