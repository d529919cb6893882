"""The page of faults is what the tables say."""

from pathlib import Path

import pytest

from sonoquality import degrade
from sonoquality.degrade.reference import DOUBTS, make_reference

pytestmark = pytest.mark.docs

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_of_faults_is_made_from_the_tables() -> None:
    """Nobody can change a strength and forget the page: python -m sonoquality.degrade.reference."""
    page = (ROOT / "docs" / "reference" / "degradations.md").read_text(encoding="utf-8")

    assert make_reference() == page


def test_every_fault_was_looked_at() -> None:
    """Each has a word on what is doubtful, or none if nothing is."""
    assert list(degrade.OPERATORS) == list(DOUBTS)
    assert (ROOT / "docs" / "images" / "degradations.png").is_file()
