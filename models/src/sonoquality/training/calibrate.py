"""Turn badness into quality: four anchors per number of windows, from groups outside the fit.

A gate meets devices that no fit has seen. The DCT manifold's images therefore count twice: by the
shipped manifold, which knows their source, and by one fitted without it. NRQ's count once, by fits
without their source alone.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sonoquality import degrade
from sonoquality.arrays import Luma, Mask
from sonoquality.card import Anchors
from sonoquality.training.data import Readable

#: Operators that act on echoes; storage, text and the view are no physics.
PHYSICS = tuple(
    name for name in degrade.LADDER if degrade.OPERATORS[name].group not in ("display", "view")
)
QUALITY = (90.0, 75.0, 45.0, 5.0)
CLEAN_QUANTILES = (0.5, 0.85, 0.97)
#: Nobody graded the clean images: this share, the worst, may be taken for really bad ones.
TRIM = 0.03
#: Spoiled copies of each view.
N_SPOILED = 4
#: Most windows of each bin. A whole image has three or more, a piece (`PIECE`) two.
BINS = (2, 6, 99)
#: Fewer clean scores than this do not place the anchors of a bin: a three-percent tail of them is a
#: handful of images. The bin before lends its own.
LEAST_CLEAN = 200
GROSS = 5
#: Side, in px, of the pieces that show how small scans score.
PIECE = (236, 344)

Score = Callable[[Luma, Mask], tuple[Sequence[float], int]]
"""Badness by each manifold, and number of windows, of one image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One scored image."""

    badness: float
    n_windows: int
    gross: bool  #: spoiled by a physics operator at level 5


def samples(rows: Iterable[Readable], score: Score) -> Iterator[Sample]:
    """Score each image whole and as a small piece, clean and grossly spoiled."""
    for row in rows:
        luma, mask = row.read()
        for view, scan in _views(luma, mask, row.seed):
            yield from _samples(score(view, scan), gross=False)
            names = np.random.default_rng(row.seed).permutation(PHYSICS)[:N_SPOILED]
            for name in names:
                unit = view.astype(np.float32) / np.float32(255.0)
                spoiled = degrade.apply(str(name), unit, scan, GROSS, row.seed)
                yield from _samples(score(to_luma(spoiled), scan), gross=True)


def to_luma(image: NDArray[np.float32]) -> Luma:
    """Round [0, 1] to 8 bits."""
    return np.clip(np.round(image * 255.0), 0, 255).astype(np.uint8)


def _samples(scored: tuple[Sequence[float], int], *, gross: bool) -> Iterator[Sample]:
    for badness in scored[0]:
        yield Sample(badness=badness, n_windows=scored[1], gross=gross)


def _views(luma: Luma, mask: Mask, seed: int) -> Iterator[tuple[Luma, Mask]]:
    yield luma, mask
    height, width = (min(a, b) for a, b in zip(luma.shape, PIECE, strict=True))
    rng = np.random.default_rng(seed)
    top = int(rng.integers(luma.shape[0] - height + 1))
    left = int(rng.integers(luma.shape[1] - width + 1))
    piece = (slice(top, top + height), slice(left, left + width))
    if mask[piece].mean() > 0.6:
        yield np.ascontiguousarray(luma[piece]), np.ascontiguousarray(mask[piece])


def anchors_of(
    scored: list[Sample], trim: float = TRIM, bins: Sequence[int] = BINS
) -> tuple[Anchors, ...]:
    """Place the anchors of every bin of window counts; `trim` of the clean ones are left out.

    A bin with too few clean images has those of the bin before it, the first those of all images.
    """
    lower = 0
    found: list[Anchors] = []
    for upper in bins:
        inside = [s for s in scored if lower < s.n_windows <= upper]
        enough = sum(not s.gross for s in inside) >= LEAST_CLEAN
        own = _anchors(inside if enough else scored, upper, trim)
        found.append(own if enough or not found else replace(found[-1], max_windows=upper))
        lower = upper
    return tuple(found)


def _anchors(scored: list[Sample], max_windows: int, trim: float) -> Anchors:
    clean = np.sort([s.badness for s in scored if not s.gross])
    clean = clean[: max(1, round(len(clean) * (1.0 - trim)))]
    gross = np.array([s.badness for s in scored if s.gross])
    points = [float(np.quantile(clean, q)) for q in CLEAN_QUANTILES]
    # Level 5 lies beyond nearly all clean images; where it does not, the scale must still fall.
    points.append(max(float(np.median(gross)), points[2] + (points[2] - points[1])))
    return Anchors(
        max_windows=max_windows, badness=tuple(round(p, 6) for p in points), quality=QUALITY
    )
