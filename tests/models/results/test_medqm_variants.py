"""What MedQM-I is without a part: the page says so by intervals."""

from dataclasses import replace
from pathlib import Path

import pytest

from sonoquality.results import rows
from sonoquality.results.medqm import variant_section
from sonoquality.results.medqm_rows import VARIANTS, VariantRow

PART = VariantRow(
    variant="without hands", held_against="label", n_images=9, n_copies=99, srcc=0.70, low=0.68,
    high=0.72, whole=0.80, ahead=-0.10, ahead_low=-0.12, ahead_high=-0.08,
)  # fmt: skip
ODD = replace(PART, variant="without feet", ahead=-0.01, ahead_low=-0.03, ahead_high=0.01)
BETTER = replace(PART, variant="without hat", ahead=0.02, ahead_low=0.01, ahead_high=0.03)
KIND = replace(PART, variant="without organ", held_against="organ", ahead=0.2, ahead_low=0.1)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([PART, ODD], "Clearly worse: without hands; clearly better: none."),
        ([ODD, BETTER], "Clearly worse: none; clearly better: without hat."),
        ([PART, replace(PART, variant="without head")], "worse: without hands, without head;"),
    ],
)
def test_parts_are_told_by_their_intervals(
    parts: list[VariantRow], said: str, tmp_path: Path
) -> None:
    """An interval that holds 0 says nothing."""
    rows.write(tmp_path / VARIANTS, [*parts, KIND])
    page = variant_section(tmp_path)
    assert said in page
    assert "0.800 (below 0: the part pays)" in page
    assert all(f"| {each.variant} |" in page for each in parts)


def test_nrq_is_passed_where_the_mean_is_ahead(tmp_path: Path) -> None:
    """Of every kind; how many intervals lie above 0 stands beside it."""
    behind = replace(KIND, variant="without outline", ahead=-0.1, ahead_low=-0.2)
    rows.write(tmp_path / VARIANTS, [PART, KIND])
    assert "NRQ: reached in the mean; with an interval above 0 for 1 of\n1." in variant_section(
        tmp_path
    )
    rows.write(tmp_path / VARIANTS, [PART, KIND, behind])
    assert "NRQ: **missed**" in variant_section(tmp_path)
