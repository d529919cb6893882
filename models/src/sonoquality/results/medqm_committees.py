"""The section of MedQM's page on committees: what several networks a task bring over one."""

from dataclasses import dataclass
from pathlib import Path

from sonoquality.results import rows as csvs
from sonoquality.results.tables import markdown

CSV = "medqm-committees.csv"
TITLE = "## Why several of each"


@dataclass(frozen=True, slots=True, kw_only=True)
class Committees:
    """Labels by committees of one size, in the mean of all that the first members make."""

    members: str  #: of each committee: a number, or what ships
    n_committees: int  #: that the mean is taken over
    tau_train: float  #: median agreement of two diagnosticians of different kinds
    tau_val: float
    srcc: float  #: of a network that learned from labels by the first of each committee alone
    plcc: float
    likeness: float  #: SRCC between labels by two committees without a common member; 0: not made


def section(folder: Path) -> str:
    """Show that a label by several is less noisy, by what did not learn from it.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    found = [Committees(**csvs.plain(Committees, row)) for row in csvs.read(folder / CSV)]
    if not found:
        return f"{TITLE}\n\nSome task has one network only: nothing was compared."
    alone = found[0]
    header = ["networks a task", "tau, training", "tau, validation", "SRCC", "PLCC"]
    table = [[each.members, *(f"{value:.3f}" for value in _shown(each))] for each in found]
    return f"""{TITLE}

What a copy costs one small network is partly its own. Labels by two sets of networks that differ by
their seeds alone rank the same validation copies with {alone.likeness:.2f} only. So each task, and
the questions to the language model, has a committee, and the mean of what a copy costs its members
counts. Below, the agreement of diagnosticians of different kinds (median of Kendall's tau), and how
well a network that learned from labels by one network a task (the short run of that name, below)
tells labels by others; in the mean over all committees that can be made of the first members, and
for those whose labels are used.

{markdown(header, table)}

Larger ones were not tried; diseases and the questions to the language model got more members after
the noise of each kind was looked at. Labels that are less noisy are told better by a network that
never saw them; whether a network learns more from them is among its parts, below."""


def _shown(each: Committees) -> tuple[float, ...]:
    return each.tau_train, each.tau_val, each.srcc, each.plcc
