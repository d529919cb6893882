"""What answers mean: the tables, and that the conformance statement says the same."""

import re
from pathlib import Path

import pytest

from sonogate.act.forward import outcome
from sonogate.act.forward.outcome import Fate, of_dimse, of_http
from sonogate.act.forward.stow import sort

STATEMENT = Path(__file__).resolve().parents[4] / "docs" / "conformance.md"
ROW = re.compile(r"^\| (0x[^|]+) \| (stored|the destination|refused|tried again)[^|]* \|$", re.M)
WORDS = {
    "stored": Fate.TAKEN,
    "the destination": Fate.BUSY,
    "refused": Fate.REFUSED,
    "tried again": Fate.AT_FAULT,
}


@pytest.mark.docs
def test_the_statement_says_how_each_status_is_taken() -> None:
    """Every code and both ends of every range in the table are sorted as it says."""
    rows = ROW.findall(STATEMENT.read_text(encoding="utf-8"))
    said = [(int(code, 16), WORDS[word]) for codes, word in rows
            for code in re.findall(r"0x([0-9A-F]{4})", codes)]  # fmt: skip

    assert 17 == len(said)
    assert said == [(code, of_dimse(code).fate) for code, _fate in said]


def test_every_status_has_one_fate() -> None:
    """No status, however odd, is left unsorted; only success and warnings count as taken."""
    taken = [code for code in range(0x10000) if of_dimse(code).fate is Fate.TAKEN]
    warnings = [0x0001, 0x0107, 0x0111, 0x0116, *range(0xB000, 0xC000)]

    assert [0x0000, *warnings] == taken


@pytest.mark.parametrize(
    ("status", "fate"),
    [(200, Fate.TAKEN), (202, Fate.AT_FAULT), (302, Fate.BUSY), (400, Fate.AT_FAULT),
     (401, Fate.BUSY), (409, Fate.AT_FAULT), (413, Fate.REFUSED), (415, Fate.REFUSED),
     (429, Fate.BUSY), (500, Fate.BUSY), (503, Fate.BUSY)],
)  # fmt: skip
def test_an_http_status_without_words_is_sorted_by_itself(status: int, fate: Fate) -> None:
    """A server that says no more than its status is understood all the same."""
    assert fate is sort(status, b"no JSON").fate
    assert fate is of_http(status).fate or status == 202


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [(409, 0xA700, "out_of_resources"), (409, 0x0111, "duplicate"), (202, 0xC000,
     "cannot_understand"), (409, 0xC122, "transfer_syntax"), (200, 0x0110, "failure"),
     (409, 0x0000, "failure"), (409, 0xB000, "failure")],
)  # fmt: skip
def test_what_stow_says_of_the_instance_counts(status: int, reason: int, expected: str) -> None:
    """The Failure Reason is sorted like a C-STORE status, and is never a success."""
    said = b'{"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [%d]}}]}}'

    assert expected == sort(status, said % reason).reason


def test_stow_s_warning_is_stored() -> None:
    """A stored instance with a Warning Reason is there."""
    said = b'{"00081199": {"Value": [{"00081196": {"vr": "US", "Value": [45056]}}]}}'

    assert outcome.WARNING == sort(202, said)
