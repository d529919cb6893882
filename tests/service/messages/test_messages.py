"""Nothing that a person reads is missing."""

import re
from pathlib import Path

import pytest

import sonogate
from sonogate import messages
from sonogate.errors import UnscorableError
from sonogate.judge.findings import CODES, place
from sonogate.read.classify import REASONS

NOT_APPLICABLE = (  # what the gate promises to tell apart
    "not_an_image",
    "non_ultrasound",
    "structured_report",
    "key_object_selection",
    "presentation_state",
    "encapsulated_document",
    "raw_data",
    "private_object",
    "spectral_doppler",
    "m_mode",
    "colour_doppler_only",
    "report_page",
    "quality_control_phantom",
    "too_small_to_grade",
)
SOURCES = Path(sonogate.__file__).parent


def unscorable_codes() -> list[str]:
    """The code of every leaf of the error tree, and of the branch itself."""
    return [UnscorableError.code, *(leaf.code for leaf in UnscorableError.__subclasses__())]


@pytest.mark.parametrize("code", [*NOT_APPLICABLE, *unscorable_codes()])
def test_every_reason_has_a_sentence(code: str) -> None:
    """A new reason can't reach a person before someone wrote what it means."""
    assert messages.text(f"reason.{code}")


def test_every_reason_the_reader_raises_has_a_sentence() -> None:
    """The codes are looked up in the source, so that none is forgotten here."""
    raised = {
        code
        for path in (SOURCES / "read").glob("*.py")
        for code in re.findall(r'NotApplicableError\("(\w+)"\)', path.read_text(encoding="utf-8"))
    } | {code for _, code in REASONS}

    assert len(raised) > 5
    assert set() == {code for code in raised if f"reason.{code}" not in messages.catalogue()}


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("part", ["sentence", "action"])
def test_every_finding_has_its_words(code: str, part: str) -> None:
    """A sentence that says what is seen, an action for the hands."""
    assert messages.text(f"finding.{code}.{part}")


@pytest.mark.parametrize("key", [key for key in messages.catalogue() if key.endswith("sentence")])
def test_a_sentence_asks_for_nothing_but_the_place(key: str) -> None:
    """A sentence with another gap would fail in front of a patient."""
    assert set(re.findall(r"\{(\w*)\}", messages.text(key))) <= {"where"}


@pytest.mark.parametrize(
    "where", ["left", "middle", "right", "left_half", "right_half", "near", "mid", "far", "all"]
)
def test_every_place_has_a_name(where: str) -> None:
    """Each value that `place` can return, the one without a region among them."""
    assert messages.text(f"where.{where}")
    assert "all" == place(None, None)


def test_a_missing_sentence_is_an_error() -> None:
    """Rather a failing test than an empty line on the page."""
    with pytest.raises(KeyError):
        messages.text("finding.unheard_of.sentence")
