"""What an exported encoder and the hand-made features say of a bank's ladders, window by window.

A ranking learns from these; they are made once and kept.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonoquality.arrays import Windows
from sonoquality.degrade.scene import DISPLAY_RANGE_DB
from sonoquality.metrics.baselines import block_counts, window_features
from sonoquality.preprocess import WINDOW
from sonoquality.training.data import Row, allowed
from sonoquality.training.encoder.bank import BankRecipe, Ladder, Pages, ladders_of
from sonoquality.training.encoder.windows import RUNGS, corner_of
from sonoquality.training.experts import Encoder

#: Mean change of grey in a window from which a fault is taken to show in full.
SHOWS = 0.004
AT_ONCE = 4  #: ladders per run of the encoder

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderFeatures:
    """One window of each of n ladders, at its three rungs: clean, lower level, higher level."""

    values: NDArray[np.float32]  #: (n, 3, D): what a ranking sees
    bad: NDArray[np.float32]  #: (n, 3) in [0, 1]: levels of the faults that show, together
    image: NDArray[np.int32]  #: (n,): place among the rows
    encoder_sha256: str

    def save(self, path: Path) -> None:
        """Keep them."""
        np.savez_compressed(
            path,
            values=self.values,
            bad=self.bad,
            image=self.image,
            encoder_sha256=np.array(self.encoder_sha256),
        )

    @classmethod
    def load(cls, path: Path) -> "LadderFeatures":
        """Read back `save`."""
        with np.load(path, allow_pickle=False) as file:
            return cls(
                values=file["values"],
                bad=file["bad"],
                image=file["image"],
                encoder_sha256=str(file["encoder_sha256"]),
            )


def measure(
    encoder: Encoder,
    rows: Sequence[Row],
    bank: Path,
    recipe: BankRecipe,
    *,
    gain_db: float,
    progress: Progress,
) -> LadderFeatures:
    """Measure one window of every ladder of a bank.

    Args:
        encoder: gives what its heads read.
        rows: those of the bank, in its order.
        bank: its folder.
        recipe: of the bank.
        gain_db: up to so much gain is added to all rungs alike, since gain is a choice.
        progress: called as rounds are done.

    Raises:
        ForbiddenDataError: a row may not be learned from.
    """
    rows = list(allowed(rows))
    clean = Pages(bank, -1)
    cuts: list[_Cut] = []
    values: list[NDArray[np.float32]] = []
    for number in range(recipe.n_rounds):
        pages, ladders = Pages(bank, number), ladders_of(rows, number, recipe)
        found = _cuts(clean, pages, ladders, (recipe.seed, number, gain_db))
        while some := list(islice(found, AT_ONCE)):
            values.append(_measured(encoder, some))
            cuts.extend(some)
        progress("ladders", number + 1, recipe.n_rounds)
    return LadderFeatures(
        values=np.concatenate(values),
        bad=np.array([cut.bad for cut in cuts], np.float32),
        image=np.array([cut.image for cut in cuts], np.int32),
        encoder_sha256=encoder.sha256,
    )


@dataclass(slots=True, kw_only=True)
class _Cut:
    image: int
    bad: tuple[float, ...]
    pixels: Windows | None  #: (3, 1, 224, 224); gone once measured
    mask: Windows | None


def _cuts(
    clean: Pages, pages: Pages, ladders: Sequence[Ladder], drawn: tuple[int, int, float]
) -> Iterator[_Cut]:
    *seed, gain_db = drawn
    for place, ladder in enumerate(ladders):
        rng = np.random.default_rng([*map(int, seed), place])
        scan = clean[2 * ladder.image + 1]
        top, left = corner_of(scan, rng)
        cut = (slice(top, top + WINDOW), slice(left, left + WINDOW))
        rungs = (clean[2 * ladder.image], pages[2 * place], pages[2 * place + 1])
        pixels = np.stack([rung[cut] for rung in rungs])[:, None].astype(np.float32)
        pixels /= np.float32(255)
        inside = scan[cut] > 0
        shift = np.float32(rng.uniform(-gain_db, gain_db) / DISPLAY_RANGE_DB)
        yield _Cut(
            image=ladder.image,
            bad=_bad(ladder, pixels, inside),
            pixels=np.where(inside, np.clip(pixels + shift, 0, 1), pixels),
            mask=np.repeat(inside[None, None].astype(np.float32), RUNGS, axis=0),
        )


def _bad(ladder: Ladder, pixels: Windows, inside: NDArray[np.bool_]) -> tuple[float, ...]:
    """Join the levels of the faults on each rung; what does not show in the window counts less."""
    found = [0.0]
    for rung in range(2):
        changed = float(np.abs(pixels[rung + 1, 0] - pixels[0, 0])[inside].mean())
        kept = 1.0
        for level in ladder.labels(rung).values():
            kept *= 1.0 - level / 5 * min(1.0, changed / SHOWS)
        found.append(1.0 - kept)
    return tuple(found)


def _measured(encoder: Encoder, cuts: Sequence[_Cut]) -> NDArray[np.float32]:
    """Return (ladder, 3, D) and let the pixels go."""
    pixels = np.concatenate([cut.pixels for cut in cuts if cut.pixels is not None])
    masks = np.concatenate([cut.mask for cut in cuts if cut.mask is not None])
    taps, tokens = (each.astype(np.float64) for each in encoder.encode(pixels, masks))
    read = encoder.reader.read(taps[:, -1], tokens, block_counts(masks))
    found = np.hstack([window_features(pixels, masks), read])
    for cut in cuts:
        cut.pixels = cut.mask = None
    return found.reshape(len(cuts), RUNGS, -1).astype(np.float32)
