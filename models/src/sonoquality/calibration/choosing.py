"""Which further numbers a head should have, chosen where the patients it is tested on are unseen.

In every outer fold the choice is made anew, by folds of that fold's own training patients. So the
figures are those of the whole procedure, the choice included, and not those of its lucky winner.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from sonoquality.agreement import balanced_accuracy, qwk
from sonoquality.calibration.crossval import Figures, Images, figures, out_of_fold
from sonoquality.calibration.cuts import N_GRADES, Grades
from sonoquality.calibration.fit import GradedImage, grades_of, predictor

Names = tuple[str, ...]
Progress = Callable[[int], None]  #: told how many choices are made


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What was chosen, and what to expect of choosing so."""

    names: Names  #: chosen on all images
    picks: Counter[Names]  #: how often each set was chosen, one choice an outer fold
    expected: Figures  #: on patients that neither a fit nor a choice has seen


def subsets(names: Sequence[str]) -> list[Names]:
    """Return every choice of some names, the smaller ones first, none at all among them."""
    sizes = range(len(names) + 1)
    return [chosen for size in sizes for chosen in combinations(names, size)]


def nested(images: Sequence[GradedImage], pool: Sequence[str], progress: Progress) -> Chosen:
    """Choose among all subsets of further numbers, and say by nested folds what that is worth.

    Args:
        images: of all three grades; `numbers` hold the pool, and what every head has anyway.
        pool: names that may be chosen.
        progress: told after each choice.
    """
    sets = subsets(pool)
    given = {names: [_with_only(image, pool, names) for image in images] for names in sets}
    picks: Counter[Names] = Counter()

    def predict(train: Images, test: Images) -> Grades:
        names = _best({key: [own[i] for i in train] for key, own in given.items()})
        picks[names] += 1
        progress(picks.total())
        return predictor(given[names], with_head=True)(train, test)

    grades, patients = grades_of(images), [image.patient for image in images]
    after = out_of_fold(predict, patients, grades)
    return Chosen(names=_best(given), picks=picks.copy(), expected=figures(after, grades, patients))


def _with_only(image: GradedImage, pool: Sequence[str], names: Names) -> GradedImage:
    numbers = {
        name: value for name, value in image.numbers.items() if name in names or name not in pool
    }
    return replace(image, numbers=numbers)


def _best(given: dict[Names, list[GradedImage]]) -> Names:
    """Return the set with the most of accuracy and kappa; of equals the first, so the smallest."""
    worth = {names: _worth(images) for names, images in given.items()}
    return max(worth, key=worth.__getitem__)


def _worth(images: Sequence[GradedImage]) -> float:
    """Return balanced accuracy plus kappa by folds of patients; bounds are placed once a fold."""
    grades, patients = grades_of(images), [image.patient for image in images]
    predict = predictor(images, with_head=True, n_draws=0)
    bands = out_of_fold(predict, patients, grades, n_repeats=1)[0]
    return balanced_accuracy(bands, grades) + float(np.nan_to_num(qwk(bands, grades, N_GRADES)))
