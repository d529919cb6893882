"""What the page of re-acquisition says of equal views."""

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from scipy.stats import beta

from sonogate.domain.instance import Header, MediaType
from sonogate.read.objects.header import open_object
from sonogate.track.reacquisition import UNLIKE_BELOW
from tests.service.track.view_trial import (
    CAMUS,
    CHOOSING,
    N_FOLLOWERS,
    REPORTED,
    Low,
    coarse,
    is_cleared,
    passes,
    sideless,
    stale,
)

BARS = (0.0, 0.2, 0.3, 0.35, 0.4, 0.41, 0.45, 0.5)
MOST_WRONG = 0.02
"""Share of other patients' pictures that may pass the bar: what the bar was chosen by."""


KINDS: Mapping[str, Callable[[Low], Sequence[float | None]]] = {
    "wrong": lambda low: low.others,
    "same image": lambda low: (low.again,),
    "same view": lambda low: low.same_view,
}


def interval(n_yes: int, n: int) -> str:
    """Return a share with its exact 95 % interval (Clopper and Pearson)."""
    low = float(beta.ppf(0.025, n_yes, n - n_yes + 1)) if n_yes else 0.0
    high = float(beta.ppf(0.975, n_yes + 1, n - n_yes)) if n_yes < n else 1.0
    share = f"{n_yes / n:.1%} of {n}" if n else "none of 0"
    return f"{share} ({low:.1%} to {high:.1%})"


def share_of(yes: Sequence[bool]) -> str:
    """Return a share of yes with its interval."""
    return interval(sum(yes), len(yes))


def report(lows: Sequence[Low], dicom: Path) -> Iterator[str]:
    """Write the section as Markdown."""
    parts = {
        part: [low for low in lows if low.part == part] for part in (CHOOSING, REPORTED, CAMUS)
    }
    yield "\n## With a view: the label decides, unless the pictures contradict it\n"
    yield RULE
    yield from _bars(parts)
    yield from _models(parts)
    yield from _faults(parts)
    yield from _samples(dicom)


RULE = f"""
View code (else View Name, else View Position), laterality and modifiers must be equal on both
sides or missing on both. Image comments are not read, since carts and converters fill them with
other things. Sides or modifiers that differ never clear; a side that only one image tells is
asked. Pictures whose similarity is below {UNLIKE_BELOW} contradict an equal view: then the page
asks. Where nothing can be compared (no echo, or too little of the two scans in common) the label
stands alone.

No public set of exams has view codes, so the labels are written by models of error on pictures
whose true view is known: other patients' pictures of the source stand for other views of the
organ; CAMUS has two- and four-chamber hearts of one patient, the hardest pairs, used for
evaluation only. The rates hold for these models, not for any cart.
"""


def _bars(parts: dict[str, list[Low]]) -> Iterator[str]:
    columns = [
        (f"{kind}, {part}", [alike for low in lows for alike in of_low(low)])
        for kind, of_low in KINDS.items()
        for part, lows in parts.items()
    ]
    yield "Share of pairs with equal labels that clear, by bar:\n"
    yield "| bar | " + " | ".join(name for name, _ in columns) + " |"
    yield "|---|" + "---|" * len(columns)
    yield "| pairs | " + " | ".join(str(len(pairs)) for _, pairs in columns) + " |"
    for bar in BARS:
        shares = [
            sum(passes(alike, bar) for alike in pairs) / max(1, len(pairs)) for _, pairs in columns
        ]
        name = f"{bar} (the gate's)" if bar == UNLIKE_BELOW else f"{bar}"
        yield f"| {name} | " + " | ".join(f"{share:.1%}" for share in shares) + " |"
    unknown = [f"{share_unknown(lows):.1%} ({part})" for part, lows in parts.items()]
    yield f"\nOf the wrong pairs, {', '.join(unknown)} can't be compared and clear at every bar."
    chosen = choose([alike for low in parts[CHOOSING] for alike in low.others])
    yield f"On the choosing half, {chosen} is the lowest bar, in hundredths, at which at most"
    yield f"{MOST_WRONG:.0%} of the wrong pairs that can be compared clear; the gate's is"
    yield f"{UNLIKE_BELOW}."
    yield "Same view: other frames of one subject (lung, muscle), or the other phase of the heart"
    yield "(CAMUS).\n"


def share_unknown(lows: Sequence[Low]) -> float:
    """Return the share of wrong pairs of which nothing can be compared."""
    pairs = [alike for low in lows for alike in low.others]
    return pairs.count(None) / len(pairs)


def choose(wrong: Sequence[float | None]) -> float:
    """Return the lowest bar, in hundredths, at which few wrong pairs pass."""
    known = [alike for alike in wrong if alike is not None]
    bars = [n / 100 for n in range(101)]
    return next(
        bar for bar in bars if sum(alike >= bar for alike in known) <= MOST_WRONG * len(known)
    )


def _models(parts: dict[str, list[Low]]) -> Iterator[str]:
    reported = (REPORTED, CAMUS)
    yield "### Wrong lows cleared, by how carts err\n"
    yield f"Each low is followed by {N_FOLLOWERS} good images of other views (CAMUS: two of the"
    yield "other view). *Stale*: each image keeps the label of the one before it, with the chance"
    yield "given. *Coarse*: all images bear the organ's name. *No side*: the next image shows the"
    yield "other side under the same view code.\n"
    yield "| model | label alone | " + " | ".join(reported) + " |"
    yield "|---|---|" + "---|" * len(reported)
    for p in (0.01, 0.05, 0.1):
        rates = " | ".join(f"{stale(parts[part], p):.3%}" for part in reported)
        yield f"| stale {p:.0%} | {p:.0%} | {rates} |"
    for name, model in (("coarse", coarse), ("no side", sideless)):
        rates = " | ".join(share_of(model(parts[part])) for part in reported)
        yield f"| {name} | 100% | {rates} |"
    yield "\nRight lows still cleared; the others are asked. Label alone: all.\n"
    yield "| what is taken again | " + " | ".join(reported) + " |"
    yield "|---|" + "---|" * len(reported)
    again = [[is_cleared(low.again) for low in parts[part]] for part in reported]
    frames = [[is_cleared(a) for low in parts[part] for a in low.same_view] for part in reported]
    yield "| the same image, probe held anew | " + " | ".join(map(share_of, again)) + " |"
    yield "| another frame of the view | " + " | ".join(map(share_of, frames)) + " |"
    few = "the last row's intervals are too narrow"
    yield f"\nFrames of one subject are not independent: {few}; the"
    yield "others count images, of which lung and muscle have few subjects."


def _faults(parts: dict[str, list[Low]]) -> Iterator[str]:
    lows = [low for part in (REPORTED, CAMUS) for low in parts[part]]
    yield "\nThe same image cleared, by the fault of the earlier one, on both parts:\n"
    for fault in sorted({low.fault for low in lows}):
        mine = [is_cleared(low.again) for low in lows if low.fault == fault]
        yield f"- {fault}: {share_of(mine)}"


def _samples(dicom: Path) -> Iterator[str]:
    headers = list(_headers(dicom))
    n_views = sum(bool(header.view) for header in headers)
    n_sides = sum(bool(header.laterality) for header in headers)
    pairs = [
        pair
        for pair in combinations(headers, 2)
        if pair[0].view
        and pair[0].study_instance_uid == pair[1].study_instance_uid
        and (pair[0].view or "").casefold() == (pair[1].view or "").casefold()
    ]
    studies = Counter(header.study_instance_uid for header in headers)
    yield "\n### Real objects\n"
    yield f"Of the {len(headers)} sample objects of real carts ({len(studies)} studies), {n_views}"
    yield f"tell a view and {n_sides} a side. Pairs of one study with equal views: {len(pairs)}. So"
    yield "they say how seldom the view path speaks, and nothing about how often it errs: wrong"
    yield f"among them {interval(0, len(pairs))}."


def _headers(dicom: Path) -> Iterator[Header]:
    with (dicom / "INDEX.csv").open(newline="") as index:
        for row in csv.DictReader(index):
            yield open_object(dicom / row["path"], MediaType.DICOM).header
