"""A choice of numbers is made where test patients are unseen, and its figures say what it costs."""

import numpy as np
import pytest

from sonoquality.calibration import choosing
from sonoquality.calibration.choosing import nested, subsets
from sonoquality.calibration.crossval import Images, out_of_fold
from sonoquality.calibration.cuts import Grades
from sonoquality.calibration.fit import GradedImage

N_IMAGES = 60
POOL = ("told", "noise_0", "noise_1")


def graded(told: float) -> list[GradedImage]:
    """Images of a patient each; one number of the pool tells the grade as far as `told`."""
    rng = np.random.default_rng(2)
    grades = rng.permutation(np.arange(N_IMAGES) % 3)
    return [
        GradedImage(
            patient=f"p{i}",
            grade=int(grade),
            quality=float(rng.uniform(0, 100)),
            numbers={
                "own": float(rng.normal()),
                "told": told * float(grade) + float(rng.normal(0, 0.3)),
                **{name: float(rng.normal()) for name in POOL[1:]},
            },
        )
        for i, grade in enumerate(grades)
    ]


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deal patients once, so that a test takes seconds."""

    def once(*given: object, **more: object) -> object:
        return out_of_fold(*given, **{**more, "n_repeats": 1})  # type: ignore[arg-type]

    monkeypatch.setattr(choosing, "out_of_fold", once)


def test_every_subset_once_the_smaller_first() -> None:
    """So that of equals the smaller is taken."""
    assert [(), ("a",), ("b",), ("a", "b")] == subsets(("a", "b"))


def test_the_number_that_tells_is_chosen_and_its_worth_is_seen() -> None:
    """In every fold, and on all."""
    found = nested(graded(1.0), POOL, lambda _: None)

    assert "told" in found.names
    assert all("told" in names for names in found.picks)
    assert found.expected.balanced_accuracy.value > 0.8


def test_a_choice_among_noise_is_at_chance() -> None:
    """The winner of many tries looks good where it won; not on patients who were left out."""
    found = nested(graded(0.0), POOL, lambda _: None)

    low, high = found.expected.balanced_accuracy.low, found.expected.balanced_accuracy.high
    assert low < 1 / 3 < high


def test_no_choice_sees_a_patient_that_it_is_tested_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a choice is given has none of the test fold's images."""
    images, seen = graded(1.0), []
    best, by_fold = choosing._best, []

    def spied(given: dict[tuple[str, ...], list[GradedImage]]) -> tuple[str, ...]:
        seen.append({image.patient for image in given[()]})
        return best(given)

    def told(predict: object, patients: list[str], grades: Grades, **more: object) -> object:
        def watched(train: Images, test: Images) -> Grades:
            bands: Grades = predict(train, test)  # type: ignore[operator]
            by_fold.append({patients[i] for i in test})
            return bands

        is_outer = len(patients) == N_IMAGES and not more
        return out_of_fold(watched if is_outer else predict, patients, grades, n_repeats=1)  # type: ignore[arg-type]

    monkeypatch.setattr(choosing, "_best", spied)
    monkeypatch.setattr(choosing, "out_of_fold", told)
    nested(images, POOL, lambda _: None)

    assert 5 == len(by_fold) == len(seen) - 1
    assert [set()] * 5 == [own & tested for own, tested in zip(seen, by_fold, strict=False)]
