"""Calibrations in the database: what holds, what held, what would change."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sonogate.calibrating import book
from sonogate.calibrating.preview import preview
from sonogate.domain.calibration import id_of
from sonogate.domain.verdict import Band, Calibrated, Finding, Verdict
from sonogate.errors import CalibrationError
from sonogate.judge.policy import Policy
from sonogate.settings import JudgeSettings, Settings
from sonogate.store.calibrations import StoredQuality
from tests.service.calibrating.make import MODEL, calibration

NOW = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A gate's settings with a folder of its own."""
    return Settings(data_dir=tmp_path)


@pytest.mark.integration
def test_applying_replaces_the_one_of_the_same_exams_and_revoking_ends_it(
    settings: Settings,
) -> None:
    """The history stays, and every step is in the audit trail."""
    liver = calibration(scope={"exam_type": "LIVER"})
    first = book.write(settings, book.apply("first", calibration(), "ab"))
    other = book.write(settings, book.apply("liver", liver, "ab"))
    second = book.write(settings, book.apply("second", calibration(), "cd"))
    with pytest.raises(CalibrationError, match="in force already"):
        book.write(settings, book.apply("second", calibration(), "cd"))
    with pytest.raises(CalibrationError, match="names no calibration in force"):
        book.write(settings, book.revoke("", "cd"))
    ended = book.write(settings, book.revoke(id_of("second")[:6], "ef"))

    history = book.read(settings, lambda tx: tx.calibrations.all())
    trail = book.read(settings, lambda tx: tx.audit.all())
    assert [None, None, id_of("first"), id_of("second")] == [first, other, second, ended]
    assert [("first", "cd"), ("liver", None), ("second", "ef")] == [
        (each.content, each.ended_by) for each in history
    ]
    assert [("apply_calibration", "ab")] * 2 + [
        ("apply_calibration", "cd"),
        ("revoke_calibration", "ef"),
    ] == [(entry.action, entry.by) for entry in trail]


def stored(
    quality: float,
    band: Band,
    *findings: Finding,
    calibrated: Calibrated | None = None,
    **numbers: dict[str, float],
) -> StoredQuality:
    """A verdict as kept."""
    body = {key: value for key, value in MODEL.items() if key != "card_sha256"}
    return StoredQuality(
        verdict=Verdict.model_validate(
            {
                "status": "graded",
                "band": band,
                "quality": quality,
                "findings": [each.model_dump() for each in findings],
                "model": body | {"provider": "cpu"},
                "calibration": calibrated.model_dump() if calibrated else None,
                **numbers,
            }
        ),
        exam_type="LIVER",
        view=None,
    )


def test_a_preview_judges_stored_verdicts_again() -> None:
    """By their shipped quality, under the rules that stand above; others' are left out."""
    strict = calibration()
    policy = replace(Policy.from_settings(75, 45, JudgeSettings()), calibrations={"strict": strict})
    blurred = Finding(code="blurred", label="", severity=0.95)
    of_another = stored(80, Band.HIGH)
    alien = of_another.verdict.model
    assert alien is not None
    another = of_another.verdict.model_copy(
        update={"model": alien.model_copy(update={"sha256": "00" * 32})}
    )
    found = preview(
        [
            stored(95, Band.HIGH),
            stored(80, Band.HIGH),
            stored(50, Band.MEDIUM),
            stored(44, Band.LOW, blurred),
            stored(99, Band.HIGH, calibrated=Calibrated(id="former", quality=30)),
            replace(of_another, verdict=another),
        ],
        "strict",
        strict,
        policy,
    )

    assert Counter({Band.HIGH: 3, Band.MEDIUM: 1, Band.LOW: 1}) == found.before
    assert Counter({Band.LOW: 3, Band.HIGH: 1, Band.MEDIUM: 1}) == found.after
    assert 1 == found.n_others
    assert "  low     20 % -> 60 %   (1 -> 3 images)" in found.in_words()


def test_a_preview_of_a_head_weighs_the_stored_numbers() -> None:
    """Raw scores and severities as kept; the rules above the model stay above."""
    head = {
        "names": ["mean_gradient", "noisy", "quality"],
        "centre": [0.0, 0.0, 50.0],
        "scale": [0.01, 1.0, 10.0],
        "weight": [30.0, -100.0, 0.0],
    }
    made = calibration(head=head)
    policy = replace(Policy.from_settings(75, 45, JudgeSettings()), calibrations={"head": made})
    blurred = Finding(code="blurred", label="", severity=0.95)
    kept = [
        stored(20, Band.LOW, scores={"mean_gradient": 0.032}, severities={"noisy": 0.0}),
        stored(95, Band.HIGH, scores={"mean_gradient": 0.03}, severities={"noisy": 0.2}),
        stored(95, Band.LOW, blurred, scores={"mean_gradient": 0.032}, severities={"noisy": 0.0}),
    ]

    found = preview(kept, "head", made, policy)

    assert Counter({Band.HIGH: 1, Band.LOW: 2}) == found.before
    assert Counter({Band.HIGH: 1, Band.MEDIUM: 1, Band.LOW: 1}) == found.after


def test_a_preview_names_the_numbers_that_stored_verdicts_lack() -> None:
    """An earlier release's verdict is neither counted nor taken for average."""
    head = {"names": ["mean_gradient"], "centre": [0.0], "scale": [1.0], "weight": [1.0]}
    made = calibration(head=head)
    policy = replace(Policy.from_settings(75, 45, JudgeSettings()), calibrations={"head": made})

    found = preview([stored(95, Band.HIGH, scores={"nrq": 5.0})], "head", made, policy)
    said = found.in_words()

    assert "No stored verdict to compare with." == said[0]
    assert said[1].startswith(
        "  1 verdicts lack numbers that the calibration weighs (mean_gradient)"
    )
