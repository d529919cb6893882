"""The section of MedQM's page on what bounds any network that is to tell the labels."""

from pathlib import Path

import numpy as np

from sonoquality.results import rows
from sonoquality.results.medqm_rows import CEILING
from sonoquality.results.tables import markdown


def section(folder: Path) -> str:
    """Hold the network against halves of the labels, and against one who is told the fault.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    found = rows.read(folder / CEILING)
    halves = [line for line in found if line["what"] == "halves"]
    (fault,) = (line for line in found if line["what"] == "fault")
    mean, network = (
        float(np.mean([float(line[column]) for line in halves])) for column in ("srcc", "medqm")
    )
    lines = [
        [
            line["organ"].replace("_", " "),
            ", ".join(line["first"].split()),
            ", ".join(line["second"].split()),
            f"{float(line['srcc']):.3f}",
            f"{float(line['medqm']):.3f}",
        ]
        for line in halves
    ]
    header = ["organ", "one half", "the other half", "SRCC of the two", "MedQM-I, the other half"]
    return f"""## How well could anything do?

Labels are parted by kinds of diagnosticians, as evenly as it goes, and one half is ranked by the
other, on the same copies as above. The halves saw the clean image and the copy; MedQM-I sees the
copy alone, but learned from all kinds.

{markdown(header, lines)}

In the mean the halves rank each other with {mean:.3f}, and MedQM-I the same labels with
{network:.3f}. One who is told fault, level and organ, and says the mean label of such copies of
training images without a look, reaches {float(fault["srcc"]):.3f} on the {fault["n_copies"]} copies
of taught operators; MedQM-I, which is told nothing, {float(fault["medqm"]):.3f} on the same."""
