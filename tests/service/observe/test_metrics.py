"""Metrics: documented, bounded, and shown from the start."""

from pathlib import Path

import pytest
from prometheus_client import generate_latest

from sonogate.errors import UnscorableError
from sonogate.observe.labels import LabelLimit
from sonogate.observe.metrics import Metrics
from sonogate.observe.reference import make_reference

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "metrics.md"


@pytest.mark.docs
def test_the_reference_is_what_the_code_says() -> None:
    """Nobody can add a metric and forget its line: python -m sonogate.observe.reference."""
    assert make_reference() == PAGE.read_text()


@pytest.mark.docs
def test_the_reference_names_every_metric() -> None:
    """The page is made from the attributes; what is registered must be among them."""
    page = make_reference()

    families = list(Metrics().registry.collect())
    assert len(families) > 20
    for family in families:
        assert f"`{family.name}" in page


@pytest.mark.parametrize(
    "family", list(Metrics().registry.collect()), ids=lambda family: family.name
)
def test_names_follow_the_conventions(family: object) -> None:
    """Base units and closed labels: never a UID, a patient, a file."""
    name = getattr(family, "name", "")
    labels = {label for sample in getattr(family, "samples", ()) for label in sample.labels}

    assert name.startswith("sonogate_")
    assert not name.endswith(("_ms", "_mb", "_percent"))
    assert not [each for each in labels if "uid" in each or "patient" in each or "path" in each]


def test_a_flood_of_senders_does_not_flood_the_metrics() -> None:
    """Whoever may associate may choose an AE title: only so many are told apart."""
    limit = LabelLimit(2)

    assert ["A", "B", "other", "A", "none", "none"] == [
        limit(value) for value in ("A", "B", "C", "A", "", None)
    ]


def test_what_a_person_typed_is_no_label() -> None:
    """A study description may hold a name; exam types that the standard or the site names pass."""
    exam = Metrics().exam
    exam.learn(["Sonography of wrists"])

    assert ["LIVER", "SMALL PARTS", "SONOGRAPHY OF WRISTS", "other", "none", "none"] == [
        exam(value)
        for value in ("LIVER", "small parts", "SONOGRAPHY OF WRISTS", "LIVER CANARY^NAME", "", None)
    ]


def test_closed_labels_start_at_zero() -> None:
    """Prometheus' `increase` does not see a first value, so a first crash must not be one."""
    metrics = Metrics()

    text = generate_latest(metrics.registry).decode()

    assert 'sonogate_worker_restarts_total{reason="crash"} 0.0' in text
    assert 'sonogate_deliveries_total{result="failed"} 0.0' in text
    assert 'sonogate_overrides_total{from_band="low",to_band="high"} 0.0' in text


@pytest.mark.parametrize("error", UnscorableError.__subclasses__())
def test_every_reason_of_unscorable_starts_at_zero(error: type[UnscorableError]) -> None:
    """A new leaf of the error tree needs its series."""
    value = Metrics().registry.get_sample_value("sonogate_unscorable_total", {"reason": error.code})

    assert 0.0 == value


def test_two_gates_in_one_process_do_not_share_counts() -> None:
    """One registry per running gate."""
    one, other = Metrics(), Metrics()

    one.outbox_pending.set(3)

    assert 0.0 == other.registry.get_sample_value("sonogate_outbox_pending")
