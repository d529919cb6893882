"""The measures of the three tasks on answers whose end is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sonoquality.agreement import bootstrap_pairs, macro_f1
from sonoquality.qbench import kept, prompts
from sonoquality.qbench.answers import Answers
from sonoquality.qbench.items import CLASSES, MATCHED, Bench, Item, Pair
from sonoquality.qbench.measures import Measure, confusion, gaps, measures, rising, targets
from sonoquality.qbench.run import CONTENTS, free_key
from sonoquality.qbench.taking import CALIBRATED, CLUSTERED, RAW, SAID, UnfinishedError, taken

GRADES = ("low", "low", "medium", "medium", "high", "high")
ITEMS = tuple(
    Item(id=f"i{at}", path="", label=grade, patient=f"p{at % 3}") for at, grade in enumerate(GRADES)
)
PAIRS = (
    Pair(better="i4", worse="i0", kind=CLASSES, gap=2),
    Pair(better="i5", worse="i1", kind=CLASSES, gap=2),
    Pair(better="i2", worse="i0", kind=CLASSES, gap=1),
    Pair(better="i4", worse="i3", kind=CLASSES, gap=1),
    Pair(better="i3", worse="i5", kind=MATCHED, gap=3),
)
BENCH = Bench(name="b", items=ITEMS, pairs=PAIRS, about="by hand")


def numbers(found: list[Measure]) -> dict[tuple[str, str], float]:
    """Return values by what they are of and their name."""
    return {(each.of, each.measure): each.value for each in found}


def metric_answers(path: Path, values: tuple[float, ...], bands: tuple[str | None, ...]) -> Answers:
    """Answers of a measure."""
    answers = Answers(path / "m.jsonl")
    for item, value, band in zip(ITEMS, values, bands, strict=True):
        answers.add(f"measure/{item.id}", {"value": value, "band": band})
    return answers


def test_a_measure_plays_by_its_number(tmp_path: Path) -> None:
    """Three pairs right, one a tie; a matched pair counts nowhere but in its own line."""
    values = (0.0, 1.0, 2.0, 5.0, 5.0, 6.0)
    bands = ("low", "low", "low", "medium", "high", "high")
    (found,) = taken(BENCH, "metric", (), metric_answers(tmp_path, values, bands))
    told = numbers(list(measures(BENCH, found)))

    assert 5 / 6 == pytest.approx(told["own bands", "accuracy"])
    assert 0 == told["own bands", "invalid"]
    assert 3.5 / 4 == told[CLASSES, "accuracy"]
    assert 0 == told[MATCHED, "shadow preferred"]
    assert (CLASSES, "consistency") not in told
    assert told["overall", "SRCC"] > 0.9
    known = replace(BENCH, pairs=PAIRS[:-1])
    (again,) = taken(known, "metric", (), metric_answers(tmp_path / "known", values, bands))
    assert again.thurstone == found.thurstone
    steps = {(each.kind, each.gap): (each.accuracy, each.n) for each in gaps(BENCH, found)}
    assert {(CLASSES, 1): (0.75, 2), (CLASSES, 2): (1.0, 2), (MATCHED, 3): (0.0, 1)} == steps
    cells = {(x.truth, x.said): x.n for x in confusion(BENCH, found) if x.way == "own bands"}
    assert (2, 1, 1, 2) == tuple(
        cells[key]
        for key in (("low", "low"), ("medium", "low"), ("medium", "medium"), ("high", "high"))
    )


def test_a_measure_without_bands_is_only_clustered(tmp_path: Path) -> None:
    """It has no thresholds; none are made up for it."""
    answers = metric_answers(tmp_path, (0, 0, 5, 5, 9, 9), (None,) * 6)
    (found,) = taken(BENCH, "metric", (), answers)

    assert [CLUSTERED] == list(found.grades)
    assert 1 == numbers(list(measures(BENCH, found)))[CLUSTERED, "accuracy"]


def speak(path: Path, *, habit: float = 0.0, first: float = 0.0) -> Answers:
    """Answers of a language model that is right, but for a habit (nats) of `high` and of A."""
    answers = Answers(path / "s.jsonl")
    for at, item in enumerate(ITEMS):
        right = {"high": (3, 1, 0), "medium": (1, 3, 1), "low": (0, 1, 3)}[item.label]
        chances = np.log(np.array(right) + 0.01) + np.array([habit, 0, 0])
        answers.add(f"classify/1/{item.id}", {"logprobs": chances.tolist()})
        answers.add(f"say/1/{item.id}", {"text": item.label if at else "either high or low"})
        for name in prompts.INDICATORS:
            words = np.linspace(item.grade, -item.grade, 5)
            answers.add(f"rate/{name}/1/{item.id}", {"logprobs": words.tolist()})
        asked = prompts.classify(item, 1)
        for content in CONTENTS:
            answers.add(free_key(asked, content), {"logprobs": [habit, 0.0, 0.0]})
    for pair in PAIRS:
        for a, b, lead in ((pair.better, pair.worse, 1.0), (pair.worse, pair.better, -1.0)):
            answers.add(f"compare/1/{a}/{b}", {"logprobs": [lead + first, 0.0]})
    return answers


def test_calibration_mends_a_habit_that_argmax_shows(tmp_path: Path) -> None:
    """A model that always says high, and knows better."""
    (found,) = taken(BENCH, "language model", (1,), speak(tmp_path, habit=9.0))
    told = numbers(list(measures(BENCH, found)))

    assert 1 / 3 == pytest.approx(told[RAW, "accuracy"])
    assert 1 == told[CALIBRATED, "accuracy"]
    assert 1 == told[CLUSTERED, "accuracy"]
    assert 5 / 6 == pytest.approx(told[SAID, "accuracy"])
    assert 1 / 6 == pytest.approx(told[SAID, "invalid"])
    assert 1 == pytest.approx(told["noise", "SRCC"])


def test_a_preference_for_the_first_shows_as_inconsistency(tmp_path: Path) -> None:
    """Whoever always says A wins half of all pairs, none consistently."""
    (fair,) = taken(BENCH, "language model", (1,), speak(tmp_path / "fair"))
    (biased,) = taken(BENCH, "language model", (1,), speak(tmp_path / "biased", first=5.0))
    fair_told, told = (numbers(list(measures(BENCH, each))) for each in (fair, biased))

    assert [1, 1, 1, 0.5] == [
        fair_told[CLASSES, name]
        for name in ("accuracy", "accuracy where consistent", "consistency", "first position")
    ]
    assert [0.5, 0, 1] == [
        told[CLASSES, name] for name in ("accuracy", "consistency", "first position")
    ]
    assert np.isnan(told[CLASSES, "accuracy where consistent"])
    assert 0 == pytest.approx(max(map(abs, biased.thurstone.values())), abs=1e-6)
    assert fair.thurstone["i4"] > fair.thurstone["i0"]


def test_an_unfinished_interview_is_not_measured(tmp_path: Path) -> None:
    """It says how much is missing."""
    answers = speak(tmp_path)
    with pytest.raises(UnfinishedError, match=r"questions on b are not answered yet"):
        list(taken(BENCH, "language model", (1, 2), answers))


def test_answers_without_log_probabilities_are_invalid_and_win_nothing(tmp_path: Path) -> None:
    """NaN: no grade, no score, a tie."""
    answers = speak(tmp_path)
    nothing = [float("nan")] * 3
    answers.add("classify/1/i5", {"logprobs": nothing})
    answers.add("compare/1/i4/i0", {"logprobs": nothing[:2]})
    (found,) = taken(BENCH, "language model", (1,), Answers(tmp_path / "s.jsonl"))

    assert -1 == found.grades[RAW][5] == found.grades[CALIBRATED][5] == found.grades[CLUSTERED][5]
    assert [0.5, 1.0] == found.ends[0].tolist()


def test_scores_are_held_against_their_own_label_if_there_is_one() -> None:
    """Attributes first, then scores, then grades."""
    items = [
        Item(id=str(i), path="", label="low", score=10.0 * i, attrs={"noise": str(i)})
        for i in range(3)
    ]

    assert [0, 1, 2] == targets(items, "noise").tolist()
    assert [0, 10, 20] == targets(items, "clarity").tolist()
    assert [0, 0, 1, 1, 2, 2] == targets(ITEMS, "noise").tolist()


def test_a_judge_that_is_wrong_throughout_gets_no_credit_from_the_curve() -> None:
    """The curve may not fall: PLCC is then negative; of a constant it is none."""
    truth = np.repeat([0.0, 1.0, 2.0], 5)
    noise = np.random.default_rng(0).normal(scale=0.1, size=15)

    assert np.corrcoef(rising(truth + noise, truth), truth)[0, 1] > 0.9
    assert np.corrcoef(rising(noise - truth, truth), truth)[0, 1] < -0.9
    assert 0 == np.ptp(rising(np.ones(15), truth))


def test_equal_scores_have_no_linear_agreement(tmp_path: Path) -> None:
    """Rounding must not make a number out of nothing."""
    (found,) = taken(BENCH, "metric", (), metric_answers(tmp_path, (0.1,) * 6, (None,) * 6))
    told = numbers(list(measures(BENCH, found)))

    assert np.isnan(told["overall", "PLCC"])
    assert np.isnan(told["overall", "SRCC"])
    assert 0.5 == told["overall", "2AFC"]


def test_a_grade_that_is_never_said_costs_its_f1() -> None:
    """Class 0: precision 1/2, recall 1; class 1: never said."""
    assert (2 / 3 + 0) / 2 == pytest.approx(macro_f1([0, 0], [0, 1]))


def test_pairs_are_drawn_by_both_of_their_patients() -> None:
    """One patient's pairs carry all: the interval is as wide as that patient's absence."""
    right = np.array([1.0, 1.0, 1.0, 0.0])
    groups = [("a", "a"), ("b", "b"), ("c", "c"), ("d", "d")]
    within = bootstrap_pairs(lambda some: float(right[some].mean()), groups)
    across = bootstrap_pairs(
        lambda some: float(right[some].mean()), [("a", "b"), ("a", "c"), ("b", "c"), ("a", "d")]
    )

    assert 0.75 == within.value == across.value
    assert within.low < 0.4
    assert across.high == 1.0
    shared = bootstrap_pairs(
        lambda some: float(right[1:][some].mean()), [("a", "b"), ("a", "b"), ("a", "c")]
    )
    assert shared.low < shared.value < shared.high
    assert within == bootstrap_pairs(lambda some: float(right[some].mean()), groups)


def test_the_kept_record_lists_levels_of_all_runs(tmp_path: Path) -> None:
    """First one level, later the others."""
    from sonoquality.qbench.entrants import named

    kept.note(tmp_path, named("random"), {"levels": [1], "prompts": "x"})
    kept.note(tmp_path, named("random"), {"levels": [3, 2], "prompts": "x", "way": ""})

    assert [1, 2, 3] == kept.entrants(tmp_path)[0]["levels"]
