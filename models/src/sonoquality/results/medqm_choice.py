"""The section of MedQM's page on ways to learn that were tried before there were committees."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sonoquality.agreement import Interval
from sonoquality.results import rows as csvs
from sonoquality.results.medqm import ASKED_SRCC
from sonoquality.results.medqm_rows import HARM
from sonoquality.results.tables import markdown

CSV = "medqm-choice.csv"
SHIPS, TRIED, TOLD = "ships", "tried", "told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One way to learn, on the copies that the network is measured on."""

    name: str
    n_steps: int  #: of the longest
    n_networks: int  #: whose answers are averaged; of seeds that follow one another
    kind: str  #: `SHIPS`, `TRIED`, or `TOLD`: no network, one who is told fault, level and organ
    n_copies: int
    srcc: float
    low: float
    high: float
    ahead: float  #: SRCC, of the network that ships; pairs drawn by patients
    ahead_low: float
    ahead_high: float
    plcc: float
    plcc_low: float
    plcc_high: float
    within: float  #: SRCC within an organ, in the mean of organs
    unseen: float  #: SRCC on operators never taught
    crowded: float  #: SRCC among copies whose label is over .9
    rest: float  #: among the others
    attributes: float  #: macro AUROC of attributes; 0: not measured
    measured: str  #: the day


def write_csv(folder: Path, tried: Sequence[Tried]) -> None:
    """Keep the numbers."""
    csvs.write(folder / CSV, tried)


def section(folder: Path) -> str:
    """Lay out what was tried, and say what keeps the rest away.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    found = [Tried(**csvs.plain(Tried, row)) for row in csvs.read(folder / CSV)]
    (shipped,), tried, (told,) = (
        [each for each in found if each.kind == kind] for kind in (SHIPS, TRIED, TOLD)
    )
    best = max(tried, key=lambda each: each.srcc)
    alone = max((each for each in tried if each.n_networks == 1), key=lambda each: each.srcc)
    rest = [each.rest for each in (shipped, *tried)]
    header = [
        "way",
        "steps",
        "SRCC",
        "ahead",
        "PLCC",
        "in an organ",
        "never taught",
        "over .9",
        "rest",
    ]
    return f"""## Why it learns ranks

Over half of the labels lie between .90 and .95, near those of clean images, and a network that
learns labels as they are hardly orders them: the SRCC of MedQM-I 1.1.0 was {shipped.crowded:.2f}
among copies with a label over .9, {shipped.rest:.2f} among the others. Its loss of order did not
see them: pairs whose labels differ by less than .05 do not count. So ranks of labels, among those
of training copies, were learned: either the network says them and a fixed scale leads back to
labels, or it says labels and most of what is lost is reckoned between ranks. All {len(tried)} ways
below were looked at on the validation copies, and eight more means of the same networks: the best
of so many is flattered. **This was before there were committees:** the labels are those by one
network a task, with which nothing can be told as well as with the labels above. What ships now says
ranks, learns a little of labels too, and learned from labels by committees
(`models/recipes/medqm.toml`).

{markdown(header, [_line(each) for each in (shipped, *tried)])}

- Ahead: of MedQM-I 1.1.0, drawn by patients. SRCC in an organ: mean of organs.
- With those labels, {ASKED_SRCC:.2f} of both: {_met(best)}; the best SRCC is {best.srcc:.3f}
  ({best.name}), with PLCC {best.plcc:.3f};
  of one network {alone.srcc:.3f} ({alone.name}, {alone.n_steps:,} steps), of one seed.
  They were run by a script that is not kept here. Attributes: macro AUROC {_attributes(found)}.
- A part of what is won lies between organs: a clean image's label is now
  {_clean(folder)}:
  not the same diagnosticians judge all organs, and ranks make much of that. In an organ
  {best.within - shipped.within:.3f} of {best.ahead:.3f} stay.
- What is left: copies with a label up to .9 are ordered with {min(rest):.2f} to {max(rest):.2f},
  by 1.1.0 {shipped.rest:.2f}. PLCC is mostly about these, and stayed below {ASKED_SRCC:.2f} in
  every way, as it did for one who is told fault, level and organ: SRCC {told.srcc:.3f}, PLCC
  {told.plcc:.3f} on the {told.n_copies} copies of taught operators. So the noise of labels was
  looked at next."""


def _attributes(found: Sequence[Tried]) -> str:
    measured = [each for each in found if each.attributes]
    return ", ".join(f"{each.attributes:.3f} ({each.name})" for each in measured)


def _clean(folder: Path) -> str:
    labels = {
        line["organ"].replace("_", " "): float(line["label"])
        for line in csvs.read(folder / HARM)
        if line["operator"] == "clean"
    }
    return ", ".join(f"{value:.3f} ({organ})" for organ, value in labels.items())


def _line(each: Tried) -> list[str]:
    return [
        f"{each.name}: 1.1.0" if each.kind == SHIPS else each.name,
        f"{each.n_steps:,}" if each.n_networks == 1 else "",
        str(Interval(each.srcc, each.low, each.high)),
        "" if each.kind == SHIPS else str(Interval(each.ahead, each.ahead_low, each.ahead_high)),
        str(Interval(each.plcc, each.plcc_low, each.plcc_high)),
        *(f"{value:.3f}" for value in (each.within, each.unseen, each.crowded, each.rest)),
    ]


def _met(best: Tried) -> str:
    return "reached" if min(best.srcc, best.plcc) >= ASKED_SRCC else "**missed**"
