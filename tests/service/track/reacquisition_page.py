"""The page of what re-acquisition was measured to do.

python -m tests.service.track.reacquisition_page ../shared > docs/results/reacquisition.md
"""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from sonogate.track.reacquisition import ASK_FROM, CLEAR_FROM
from tests.service.track import view_page
from tests.service.track.reacquisition_trial import FAULTS, Trial, measure, share
from tests.service.track.view_trial import measure_views


def report(trial: Trial) -> Iterator[str]:
    """Write the results as Markdown."""
    yield "# Re-acquisition: how often the wrong low would be cleared\n"
    yield f"Measured {datetime.now(UTC):%Y-%m-%d} by"
    yield "`python -m tests.service.track.reacquisition_page ../shared`; see the top of"
    yield "`reacquisition_trial.py` and `view_trial.py` beside it for what is compared with what."
    yield "Real images; the earlier one of each pair has one gross fault (level 4 or 5 of"
    yield f"{', '.join(FAULTS)}) and a probe held anew.\n"
    yield "## Without a view: the pictures decide\n"
    columns = (trial.strangers, trial.other_view, trial.same_image, trial.same_view)
    yield "| similarity from | other patient | other view of the patient | same image | same view |"
    yield "|---|---|---|---|---|"
    yield "| pairs | " + " | ".join(str(len(pairs)) for pairs in columns) + " |"
    for threshold in (0.3, ASK_FROM, 0.5, 0.6, CLEAR_FROM, 0.7, 0.8):
        name = {ASK_FROM: " (asks)", CLEAR_FROM: " (clears)"}.get(threshold, "")
        shares = " | ".join(f"{share(pairs, threshold):.2%}" for pairs in columns)
        yield f"| {threshold}{name} | {shares} |"
    yield "\nThe first two columns are wrong lows cleared or asked about, the last two right ones."
    yield "Other patients: same source, so same organ and often the same cart. Other view: four-"
    yield "against two-chamber hearts of CAMUS, used for evaluation only. Same view: other frames"
    yield "of one subject."
    yield from _by_name("Wrong low cleared, by source", trial.strangers, ".3%")
    yield from _by_name("Same image found, by fault of the earlier one", trial.same_image, ".0%")
    yield "\n## Caliper twins\n"
    found, taken = np.mean(trial.twins), np.mean(trial.false_twins)
    yield f"Same frame with drawn calipers found: {found:.1%} of {len(trial.twins)}."
    yield f"Another frame of the view taken for a twin: {taken:.1%} of"
    yield f"{len(trial.false_twins)}. These fingerprints know nothing of the calipers; the"
    yield "reader masks those it finds, so the gate sees less difference than this."


def _by_name(title: str, pairs: list[tuple[str, float]], form: str) -> Iterator[str]:
    yield f"\n## {title}, at {CLEAR_FROM}\n"
    for name in sorted({name for name, _ in pairs}):
        mine = [pair for pair in pairs if pair[0] == name]
        yield f"- {name}: {share(mine, CLEAR_FROM):{form}} of {len(mine)}"


if __name__ == "__main__":
    shared = Path(sys.argv[1])
    lines = [
        *report(measure(shared / "data", 211, 20)),
        *view_page.report(measure_views(shared / "data", 100), shared / "dicom"),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
