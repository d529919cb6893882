"""The doctor's line on calibrations: none, in force, stale, or of numbers nobody measures."""

from pathlib import Path

import pytest

from sonogate.calibrating import book, commands
from sonogate.doctor import calibrations
from sonogate.doctor.check import Check, Level
from sonogate.domain.calibration import Calibration
from sonogate.errors import CalibrationError
from sonogate.score.identity import named_model
from sonogate.score.numbers import numbers_given
from sonogate.settings import ScoringSettings, Settings
from sonoquality.attributes import CODES
from tests.service.calibrating.make import calibration

pytestmark = pytest.mark.integration

SCORING = ScoringSettings(model="dct-manifold/1.0.0", providers=("cpu",))
CONTENT = """[model]
name = "{name}"
version = "{version}"
sha256 = "{sha256}"
card_sha256 = "{card_sha256}"
[scope]
exam_type = "LIVER"
[map]
knots = [[0.0, 0.0], [60.0, 45.0], [90.0, 75.0], [100.0, 100.0]]
[bands]
high_from = 75
medium_from = 45
{head}
[provenance]
made_at = 2026-11-01T00:00:00+00:00
made_by = "sonogate 0"
labels_sha256 = "ef"
images = 90
patients = 45
high = 30
medium = 30
low = 30
[expected]
balanced_accuracy = {{ value = 0.7, low = 0.6, high = 0.8 }}
quadratic_kappa = {{ value = 0.7, low = 0.6, high = 0.8 }}
shipped_balanced_accuracy = {{ value = 0.5, low = 0.4, high = 0.6 }}
shipped_quadratic_kappa = {{ value = 0.5, low = 0.4, high = 0.6 }}
gain = {{ value = 0.2, low = 0.1, high = 0.3 }}
"""
HEAD = """[head]
names = ["{name}", "noisy", "quality"]
centre = [0.0, 0.0, 50.0]
scale = [1.0, 1.0, 1.0]
weight = [1.0, 1.0, 1.0]"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A gate's settings with a folder of its own."""
    return Settings(data_dir=tmp_path, scoring=SCORING)


def applied(settings: Settings, content: str) -> None:
    """Let a file hold, as `apply` does once it is checked."""
    book.write(settings, book.apply(content, calibration(scope={"exam_type": "LIVER"}), "dr"))


def content(*, head: str = "", **changes: str) -> str:
    """A calibration file of the model that runs, with changes."""
    model = named_model(SCORING).model_dump() | changes
    return CONTENT.format(**model, head=HEAD.format(name=head) if head else "")


def only(settings: Settings) -> Check:
    """Return the doctor's one line."""
    (line,) = calibrations.checks(settings)
    return line


def test_a_gate_that_never_ran_has_none_and_gets_no_database(settings: Settings) -> None:
    """The doctor looks; it makes nothing."""
    assert (Level.OK, "none in force; bands are as shipped") == (
        only(settings).level,
        only(settings).said,
    )
    assert [] == list(settings.data_dir.iterdir())


@pytest.mark.parametrize("head", ["", "mean_gradient"])
def test_one_in_force_is_named_with_model_and_exams(settings: Settings, head: str) -> None:
    """With and without a head."""
    applied(settings, content(head=head))

    assert Level.OK == only(settings).level
    assert "of dct-manifold/1.0.0, for LIVER, since " in only(settings).said


def test_one_of_another_card_is_stale(settings: Settings) -> None:
    """The gate judges as shipped, and how to end it is said."""
    applied(settings, content(card_sha256="00" * 32))

    assert Level.WARN == only(settings).level
    assert "is stale, the gate judges as shipped" in only(settings).said
    assert "sonogate calibrate revoke" in only(settings).remedy


def test_a_head_of_numbers_that_nobody_measures_is_told_and_never_applied(
    settings: Settings, tmp_path: Path
) -> None:
    """By the doctor, and by `apply` before it holds."""
    applied(settings, content(head="loudness"))
    file, config = tmp_path / "site.toml", tmp_path / "gate.toml"
    file.write_text(content(head="loudness"), encoding="utf-8")
    config.write_text(
        f'data_dir = "{tmp_path}"\n[scoring]\nmodel = "{SCORING.model}"\n', encoding="utf-8"
    )

    assert Level.WARN == only(settings).level
    assert "weighs loudness, which this release does not measure" in only(settings).said
    with pytest.raises(CalibrationError, match="loudness"):
        commands.apply_file(file, "dr", config)


def test_a_database_that_cannot_be_read_is_a_warning(settings: Settings) -> None:
    """Not the end of the examination."""
    (settings.data_dir / "sonogate.db").write_bytes(b"no database" * 100)

    assert Level.WARN == only(settings).level


def test_a_gate_gives_raw_scores_every_fault_and_the_mean_gradient() -> None:
    """What a head may weigh."""
    given = numbers_given(SCORING)

    assert {*CODES, "mean_gradient", "windows"} <= given


def test_what_a_head_lacks_is_named() -> None:
    """Quality as shipped is always there; without a head nothing is needed."""
    head = {"names": ["a", "quality"], "centre": [0, 0], "scale": [1, 1], "weight": [1, 1]}
    made: Calibration = calibration(head=head)

    assert (("a",), (), ()) == (made.lacks({"b"}), made.lacks({"a"}), calibration().lacks(()))
