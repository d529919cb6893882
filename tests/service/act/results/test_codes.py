"""The codes, beside the standard's own dictionary and the gate's own findings."""

from pathlib import Path
from typing import Any

import pytest
from pydicom.sr import _concepts_dict

from sonogate.act.results import codes
from sonogate.act.results.codes import BANDS, FINDINGS, OWN_CODES, REASONS, Code, reason_of
from sonogate.act.results.reference import make_reference
from sonogate.judge.findings import CODES

concepts: Any = _concepts_dict.concepts
PAGE = Path(__file__).resolve().parents[4] / "docs" / "reference" / "result-codes.md"
STANDARD = [
    *BANDS.values(),
    *REASONS.values(),
    *(each for each in vars(codes).values() if isinstance(each, Code) and each.scheme == "DCM"),
]


@pytest.mark.parametrize("code", STANDARD, ids=lambda code: code.value)
def test_a_standard_code_has_the_standard_meaning(code: Code) -> None:
    """The dictionary of pydicom carries the standard's tables."""
    meanings = {
        meaning
        for by_value in concepts[code.scheme].values()
        for value, (meaning, _groups) in by_value.items()
        if value == code.value
    }

    assert code.meaning in meanings


def test_the_reasons_are_all_of_cid_7011() -> None:
    """No reason is missing and none is invented."""
    listed = {
        value
        for by_value in concepts["DCM"].values()
        for value, (_meaning, groups) in by_value.items()
        if 7011 in groups
    }

    assert listed == set(REASONS)


def test_every_finding_has_its_code_and_a_nearest_reason() -> None:
    """A finding that judging can name is never left out of a report."""
    assert set(CODES) == set(FINDINGS)
    assert all(each.nearest in REASONS for each in FINDINGS.values())


def test_own_codes_fit_their_attributes() -> None:
    """SH holds 16 characters, LO 64; no value twice (PS3.5 6.2)."""
    assert all(len(each.value) <= 16 and len(each.meaning) <= 64 for each in OWN_CODES)
    assert len({each.value for each in OWN_CODES}) == len(OWN_CODES)


def test_an_unknown_finding_is_another_failure() -> None:
    """Where nothing names a reason the standard has a word for that."""
    assert "111220" == reason_of([])
    assert "111213" == reason_of(["unheard_of", "empty"])


@pytest.mark.docs
def test_the_page_is_what_the_code_says() -> None:
    """Nobody can add a code and forget its line: python -m sonogate.act.results.reference."""
    assert make_reference() == PAGE.read_text(encoding="utf-8")
