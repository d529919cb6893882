"""Figures are of patients that no fit has seen."""

from collections import Counter

import numpy as np
import pytest

from sonoquality.calibration import fit as fitting
from sonoquality.calibration.crossval import Images, compare, folds, out_of_fold
from sonoquality.calibration.cuts import Cuts, Grades
from sonoquality.calibration.fit import GradedImage, fit

N_PATIENTS, EACH = 40, 5
CARD = Cuts(45, 75)


def patients() -> list[str]:
    """Forty patients with five images each."""
    return [f"p{i // EACH}" for i in range(N_PATIENTS * EACH)]


def test_no_patient_is_ever_on_both_sides() -> None:
    """In no fold of any repeat."""
    names, seen = np.array(patients()), []
    grades = np.random.default_rng(0).integers(0, 3, len(names))

    def predict(train: Images, test: Images) -> Grades:
        seen.append(set(names[train]) & set(names[test]))
        return np.zeros(len(test), np.intp)

    out_of_fold(predict, patients(), grades, n_folds=5, n_repeats=3)

    assert [set()] * 15 == seen


def test_every_fold_has_patients_of_the_rarest_grade() -> None:
    """Else a fold's accuracy would speak of two grades only."""
    grades = np.full(N_PATIENTS * EACH, 2)
    grades[: 10 * EACH : EACH] = 0
    fold = folds(patients(), grades, 5, seed=1)

    assert dict.fromkeys(range(5), 2) == Counter(fold[grades == 0].tolist())


def marked(leak: float) -> list[GradedImage]:
    """Images whose grade is their patient's, by chance; and numbers that only name the patient."""
    rng = np.random.default_rng(5)
    of_patient = rng.integers(0, 3, N_PATIENTS)
    marks = rng.normal(size=(N_PATIENTS, 12))
    return [
        GradedImage(
            patient=name,
            grade=int(of_patient[int(name[1:])]),
            quality=float(rng.uniform(0, 100)),
            numbers={f"n{k}": leak * marks[int(name[1:]), k] for k in range(12)},
        )
        for name in patients()
    ]


def test_a_head_that_knows_patients_by_heart_is_at_chance() -> None:
    """Numbers that tell who it is, and no more: on other patients they are worth nothing."""
    images = marked(1.0)

    expected = fit(images, CARD, with_head=True).expected

    assert expected.after.balanced_accuracy.value == pytest.approx(1 / 3, abs=0.12)
    assert expected.after.quadratic_kappa.low < 0.1


def test_the_same_head_looks_good_to_who_deals_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the test above can fail: with images in place of patients the leak pays."""
    monkeypatch.setattr(
        fitting,
        "out_of_fold",
        lambda predict, names, grades: out_of_fold(
            predict, [str(i) for i in range(len(names))], grades
        ),
    )

    expected = fit(marked(1.0), CARD, with_head=True).expected

    assert expected.after.balanced_accuracy.value > 0.5


def test_a_site_that_grades_harder_gets_its_bands() -> None:
    """Their high begins at 90, their medium at 60; the shipped bands miss it, the fit does not."""
    rng = np.random.default_rng(2)
    quality = rng.uniform(20, 100, N_PATIENTS * EACH)
    grades = Cuts(60, 90).bands(quality + rng.normal(0, 3, len(quality)))
    images = [
        GradedImage(patient=name, grade=int(grade), quality=float(own))
        for name, grade, own in zip(patients(), grades, quality, strict=True)
    ]

    found = fit(images, CARD)

    assert [60, 90] == pytest.approx([found.cuts.medium_from, found.cuts.high_from], abs=3)
    assert found.expected.before.balanced_accuracy.value < 0.75
    assert found.expected.after.balanced_accuracy.value > 0.85
    assert found.expected.gain.low > 0.1
    assert found.order.low > 0.8


def test_what_a_rule_calls_low_stays_low() -> None:
    """A gross fault stands above any calibration, and the figures know it."""
    images = [
        GradedImage(patient=f"p{i}", grade=i % 3, quality=20.0 + 35 * (i % 3), is_forced_low=i < 30)
        for i in range(60)
    ]

    found = fit(images, CARD)

    assert (10, 0, 10, 0) == (
        found.expected.after.confusion[0][0] - 10,
        found.expected.after.confusion[0][1],
        found.expected.after.confusion[2][0],
        found.expected.after.confusion[2][1],
    )


def test_the_gain_is_of_the_same_draws_of_patients() -> None:
    """Equal bands gain exactly nothing, without a width."""
    grades = np.random.default_rng(1).integers(0, 3, N_PATIENTS * EACH)
    bands = np.roll(grades, 1)

    gain = compare(bands, bands[None], grades, patients()).gain

    assert [0, 0, 0] == [gain.value, gain.low, gain.high]
