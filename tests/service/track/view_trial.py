"""How often an equal view would clear the wrong low, if carts write views as wrong as this.

No public set of exams has view codes, so labels are written here by stated models on pictures whose
true view is known from elsewhere: CAMUS tells two- from four-chamber hearts of one patient; of the
other sources, pictures of other patients stand for other views of the organ. What follows a low in
its exam is drawn; what is asked of two pictures is asked of the very rule that the gate runs. The
bar was chosen on one half of the groups; CAMUS is evaluation only, and nothing is chosen on it.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from sonogate.domain.verdict import Band
from sonogate.store.records import Candidate
from sonogate.track.reacquisition import clears
from sonogate.track.similarity import similarities
from tests.service.track.reacquisition_trial import (
    FAULTS,
    FRAMES_OF_ONE_VIEW,
    Grey,
    Picture,
    fingerprint_of,
    load,
    moved,
    pictures,
    with_fault,
)

N_FOLLOWERS = 5
"""Good images of other views between a low and the end of its exam."""
CHOOSING, REPORTED, CAMUS = "choosing half", "other half", "CAMUS"


@dataclass(frozen=True)
class Low:
    """One low, the good images of other views that follow it, and its own good twins."""

    part: str  #: CHOOSING, REPORTED or CAMUS
    fault: str
    others: tuple[float | None, ...]  #: similarity of each follower, in order
    again: float | None  #: of the same image, taken again
    same_view: tuple[float | None, ...] = ()  #: of other frames of its view


def half_of(group: str) -> str:
    """Put a group on one side, always the same."""
    return (CHOOSING, REPORTED)[zlib.crc32(group.encode()) % 2]


def measure_views(data: Path, n_low: int) -> list[Low]:
    """Make lows, one fault each in turn, of every source, and of CAMUS."""
    found: list[Low] = []
    for of_source in pictures(data, n_low, 0):
        for part in (CHOOSING, REPORTED):
            mine = [each for each in of_source if half_of(_group(each)) == part]
            found += _of_source(part, mine)
    return found + list(_of_camus(data / "eval_noncommercial" / "camus_heart", n_low))


def _group(picture: Picture) -> str:
    return f"{picture.source}/{picture.group}"


def _of_source(part: str, mine: Sequence[Picture]) -> Iterator[Low]:
    rng = np.random.default_rng(7)
    for n, picture in enumerate(mine):
        low, fault = _low(picture.grey, n, rng)
        strangers = [each.newer for each in mine if each.group != picture.group]
        if low is None or not strangers:
            continue
        chosen = rng.permutation(len(strangers))[:N_FOLLOWERS]
        frames = [
            each.newer
            for each in mine
            if each is not picture
            and each.group == picture.group
            and picture.source in FRAMES_OF_ONE_VIEW
        ]
        yield Low(
            part,
            fault,
            tuple(similarities(low, [strangers[i] for i in chosen])),
            similarities(low, [picture.newer])[0],
            tuple(similarities(low, frames[:N_FOLLOWERS])),
        )


def _of_camus(folder: Path, n_low: int) -> Iterator[Low]:
    rng = np.random.default_rng(8)
    for n, path in enumerate(sorted(folder.glob("*CH_ED.png"))[:n_low]):
        here = "2CH" if "2CH" in path.name else "4CH"
        there = {"2CH": "4CH", "4CH": "2CH"}[here]
        named = {
            (view, phase): fingerprint_of(
                load(path.with_name(path.name.replace(f"{here}_ED", f"{view}_{phase}")))
            )
            for view in (here, there)
            for phase in ("ED", "ES")
        }
        low, fault = _low(load(path), n, rng)
        if low is not None:
            others = tuple(similarities(low, [named[there, "ED"], named[there, "ES"]]))
            again, later = similarities(low, [named[here, "ED"], named[here, "ES"]])
            yield Low(CAMUS, fault, others, again, (later,))


def _low(grey: Grey, n: int, rng: np.random.Generator) -> tuple[bytes | None, str]:
    """Put the n-th fault on an image, level 4 or 5, and hold the probe again."""
    fault, level = FAULTS[n % len(FAULTS)], 4 + n // len(FAULTS) % 2
    return fingerprint_of(moved(with_fault(grey, fault, level, n), rng)), fault


def is_cleared(alike: float | None) -> bool:
    """Whether the gate clears a low for a good image that bears its view."""
    return clears(_labelled("2", Band.HIGH), _labelled("1", Band.LOW), alike) is not None


def _labelled(name: str, band: Band) -> Candidate:
    return Candidate(
        object_id=name,
        number=int(name),
        view="LIVER",
        laterality=None,
        view_modifiers=None,
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
        acquired_at=None,
        effective_band=band,
        has_calipers=False,
        fingerprint=None,
    )


def passes(alike: float | None, bar: float) -> bool:
    """Whether a picture does not contradict the label, at a bar."""
    return alike is None or alike >= bar


def stale(lows: Iterable[Low], p: float) -> float:
    """Return the share of lows cleared by another view, each label kept from before with `p`.

    The m-th image after a low bears the low's view only if all m labels were kept.
    """
    chances = []
    for low in lows:
        cleared = [m for m, alike in enumerate(low.others, 1) if is_cleared(alike)]
        chances.append(p ** cleared[0] if cleared else 0.0)
    return float(np.mean(chances))


def coarse(lows: Iterable[Low]) -> list[bool]:
    """Say of each low whether an image of another view clears it, if all bear the organ's name."""
    return [any(is_cleared(alike) for alike in low.others) for low in lows]


def sideless(lows: Iterable[Low]) -> list[bool]:
    """Say of each low whether the next image, of the other side, clears it, if no side is told."""
    return [is_cleared(low.others[0]) for low in lows]
