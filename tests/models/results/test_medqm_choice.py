"""What was tried for MedQM's rank correlation: the page says what the CSV holds."""

from dataclasses import replace
from pathlib import Path

import pytest

from sonoquality.results import medqm_choice, rows
from sonoquality.results.medqm_choice import SHIPS, TOLD, TRIED, Tried
from sonoquality.results.medqm_rows import HARM, HarmRow

SHIPPED = Tried(
    name="labels", n_steps=3500, n_networks=1, kind=SHIPS, n_copies=100,
    srcc=0.74, low=0.7, high=0.78, ahead=0.0, ahead_low=0.0, ahead_high=0.0,
    plcc=0.73, plcc_low=0.7, plcc_high=0.76, within=0.77, unseen=0.6, crowded=0.4, rest=0.55,
    attributes=0.902, measured="2026-11-23",
)  # fmt: skip
BETTER = replace(
    SHIPPED, name="ranks", kind=TRIED, attributes=0.0, srcc=0.81, ahead=0.07, within=0.79
)
ORACLE = replace(BETTER, name="told", kind=TOLD, srcc=0.91, plcc=0.92, n_copies=60)


@pytest.mark.parametrize(("plcc", "said"), [(0.79, "**missed**"), (0.8, "reached")])
def test_both_correlations_are_asked_for(tmp_path: Path, plcc: float, said: str) -> None:
    """The best network decides; who is told the fault is no network."""
    medqm_choice.write_csv(tmp_path, [SHIPPED, replace(BETTER, plcc=plcc), ORACLE])
    clean = HarmRow(organ="liver", operator="clean", level=0, n_images=3, label=0.948)
    rows.write(tmp_path / HARM, [clean, replace(clean, operator="SPK", level=1, label=0.5)])
    page = " ".join(medqm_choice.section(tmp_path).split())
    assert f"labels, 0.80 of both: {said}; the best SRCC is 0.810 (ranks), with PLCC" in page
    assert "All 1 ways" in page
    assert "macro AUROC 0.902 (labels)." in page
    assert "label is now 0.948 (liver):" in page
    assert "0.020 of 0.070 stay" in page
    assert "PLCC 0.920 on the 60 copies" in page
    lines = [line for line in medqm_choice.section(tmp_path).splitlines() if line.startswith("|")]
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["labels: 1.1.0", "ranks"]


def test_a_study_that_was_not_made_is_left_out(tmp_path: Path) -> None:
    """As `pages` expects of a section."""
    with pytest.raises(FileNotFoundError):
        medqm_choice.section(tmp_path)
