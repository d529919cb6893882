"""The conformance statement says what the code does."""

import re
from pathlib import Path

import pytest

from sonogate.domain.commitment import CommitmentOutcome, FailureReason
from sonogate.domain.procedure import StepOutcome
from sonogate.receive import conformance, conformance_words
from sonogate.receive.admission import Rejection, Rule
from sonogate.receive.contexts import PROCEDURE_STEP, STORAGE_COMMITMENT, supported_contexts
from sonogate.receive.negotiation import ContextResult
from sonogate.receive.status import C_STORE_STATUS, DimseStatus

PAGE = Path(__file__).resolve().parents[3] / "docs" / "conformance.md"


@pytest.mark.docs
def test_the_page_is_what_the_code_says() -> None:
    """Nobody can change a table alone: python -m sonogate.receive.conformance."""
    assert conformance.make_statement() == PAGE.read_text("utf-8")


@pytest.mark.docs
def test_every_class_and_syntax_that_is_accepted_is_on_the_page() -> None:
    """What the negotiation works by, not a copy of it; and nothing is left to fill in."""
    page = PAGE.read_text("utf-8")
    contexts = supported_contexts(services=(PROCEDURE_STEP, STORAGE_COMMITMENT))
    accepted = {*contexts, *(uid for syntaxes in contexts.values() for uid in syntaxes)}

    assert [] == [uid for uid in accepted if f"`{uid}`" not in page]
    assert "<!--" not in page
    rows = re.findall(r"^\|.*\|$", page, re.MULTILINE)
    assert len(rows) > len(contexts)


@pytest.mark.docs
def test_everything_answered_has_its_words() -> None:
    """A new rule, status, cause or result can't be answered before it is explained."""
    assert set(Rule) == set(conformance.RULES)
    assert set(DimseStatus) == conformance_words.answered()
    assert set(StepOutcome) == set(conformance_words.STEP_WORDS)
    assert set(CommitmentOutcome) == set(conformance_words.COMMITMENT_WORDS)
    assert set(FailureReason) == set(conformance_words.FAILURES)
    assert set(C_STORE_STATUS) == set(conformance.CAUSES)
    assert set(ContextResult) == set(conformance.RESULTS)
    page = PAGE.read_text("utf-8")
    assert [] == [r for r in Rejection if ", ".join(map(str, r.value)) not in page]
