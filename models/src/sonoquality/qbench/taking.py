"""What an entrant's answers come to: grades, scores and the ends of comparisons.

A measure gives one number a picture: its own bands if it has thresholds, its order for scores, and
the larger number wins a pair; in what order a pair is asked means nothing to it. A language model
has all of this once a level of prompts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sonoquality.arrays import Floats
from sonoquality.errors import BenchError
from sonoquality.qbench import prompts
from sonoquality.qbench.answers import Answers, key_of
from sonoquality.qbench.items import GRADES, MATCHED, Bench, Pair
from sonoquality.qbench.reading import Grades, calibrated, chances, clustered, expected, thurstone
from sonoquality.qbench.run import (
    CLASSIFY,
    COMPARE,
    CONTENTS,
    MEASURE,
    RATE,
    SAY,
    free_key,
    graded,
)

OWN, RAW, CALIBRATED, CLUSTERED, SAID = "own bands", "raw", "calibrated", "clustered", "said"
"""Ways to a grade: a measure's thresholds; the likeliest band; that without what the model prefers
anyway; clusters of the whole set, transductive; the words it says."""
NO_LEVEL = 0  #: of a measure
BAND_WEIGHTS = (1.0, 0.5, 0.0)  #: of `prompts.BANDS`, for what is clustered
TIE = 0.5


class UnfinishedError(BenchError):
    """Some questions are not answered yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One entrant's part in a data set, at one level of prompts."""

    level: int  #: 1 to 3, or 0 of a measure
    grades: Mapping[str, Grades]  #: by way, of the graded items
    scores: Mapping[str, Floats]  #: by indicator, of the graded items; higher is better
    ends: Floats  #: (pair, 2): 1 if the better one won, 0 if the other, asked first and second
    thurstone: Mapping[str, float]  #: score by item, from comparisons of known order
    asked_twice: bool  #: the order of asking can matter


def taken(bench: Bench, kind: str, levels: Sequence[int], answers: Answers) -> Iterator[Taken]:
    """Return what answers come to, one level after another.

    Raises:
        UnfinishedError: answers are missing; says how many.
    """
    reader = _Reader(answers)
    if kind == "metric":
        found = [_measured(bench, reader)]
    else:
        found = [_told(bench, reader, level) for level in levels]
    if reader.n_missing:
        raise UnfinishedError(
            f"{reader.n_missing} questions on {bench.name} are not answered yet; run again."
        )
    yield from found


class _Reader:
    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self.n_missing = 0

    def all(self, keys: Sequence[str], field: str, missing: object) -> list[object]:
        found = []
        for key in keys:
            answer = self._answers.get(key)
            self.n_missing += answer is None
            found.append(missing if answer is None else answer[field])
        return found

    def logprobs(self, keys: Sequence[str], n_candidates: int) -> Floats:
        """Return (question, candidate); NaN where the model gave none."""
        found = self.all(keys, "logprobs", [np.nan] * n_candidates)
        return np.asarray(found, np.float64).reshape(-1, n_candidates)


def _measured(bench: Bench, reader: _Reader) -> Taken:
    keys = [key_of(MEASURE, item.id) for item in bench.items]
    values = np.asarray(reader.all(keys, "value", np.nan), np.float64)
    bands = reader.all(keys, "band", None)
    place = {item.id: at for at, item in enumerate(bench.items)}
    asked = [place[item.id] for item in graded(bench)]
    own = [bands[at] for at in asked]
    grades = {CLUSTERED: clustered(values[asked])}
    if own and all(band is not None for band in own):
        grades[OWN] = np.array([GRADES.index(str(band)) for band in own], np.intp)
    gaps = [values[place[pair.better]] - values[place[pair.worse]] for pair in bench.pairs]
    won = TIE + np.sign(np.asarray(gaps, np.float64)) / 2
    ends = np.repeat(won[:, None], 2, axis=1)
    return Taken(
        level=NO_LEVEL,
        grades=grades,
        scores={prompts.OVERALL: values[asked]},
        ends=ends,
        thurstone=_ranked(bench.pairs, ends),
        asked_twice=False,
    )


def _told(bench: Bench, reader: _Reader, level: int) -> Taken:
    items = graded(bench)
    logprobs = reader.logprobs(
        [key_of(CLASSIFY, level, item.id) for item in items], len(prompts.BANDS)
    )
    said = reader.all([key_of(SAY, level, item.id) for item in items], "text", "")
    asked = [prompts.classify(item, level) for item in items]
    priors = {
        each.prompt: reader.logprobs([free_key(each, x) for x in CONTENTS], len(prompts.BANDS))
        for each in dict.fromkeys(asked)
    }
    without = np.array(
        [calibrated(own, priors[each.prompt]) for own, each in zip(logprobs, asked, strict=True)]
    ).reshape(logprobs.shape)
    ends = _ends(bench.pairs, reader, level)
    return Taken(
        level=level,
        grades={
            RAW: _likeliest(logprobs),
            CALIBRATED: _likeliest(without),
            CLUSTERED: clustered(expected(logprobs, BAND_WEIGHTS)),
            SAID: np.array([_grade_said(str(text)) for text in said], np.intp),
        },
        scores={
            name: expected(
                reader.logprobs(
                    [key_of(RATE, name, level, item.id) for item in items], len(prompts.WORDS)
                ),
                tuple(prompts.WORDS.values()),
            )
            for name in prompts.INDICATORS
        },
        ends=ends,
        thurstone=_ranked(bench.pairs, ends),
        asked_twice=True,
    )


def _likeliest(logprobs: Floats) -> Grades:
    """Return the grade of the best candidate; those go from high to low."""
    valid = np.asarray(np.isfinite(logprobs).all(axis=1), np.bool_).reshape(-1)
    best = np.argmax(np.where(valid[:, None], logprobs, 0.0), axis=1)
    return np.where(valid, len(GRADES) - 1 - best, -1).astype(np.intp)


def _grade_said(text: str) -> int:
    band = prompts.said_band(text)
    return GRADES.index(band) if band else -1


def _ends(pairs: Sequence[Pair], reader: _Reader, level: int) -> Floats:
    """Return (pair, 2) who won; no valid answer counts as a tie."""
    orders = []
    for turned in (False, True):
        shown = [(p.worse, p.better) if turned else (p.better, p.worse) for p in pairs]
        keys = [key_of(COMPARE, level, *ids) for ids in shown]
        found = chances(reader.logprobs(keys, len(prompts.LETTERS)))
        lead = np.nan_to_num(found[:, 1] - found[:, 0] if turned else found[:, 0] - found[:, 1])
        orders.append(TIE + np.sign(lead) / 2)
    return np.stack(orders, axis=1)


def _ranked(pairs: Sequence[Pair], ends: Floats) -> dict[str, float]:
    """Return Thurstone's scores of the items whose pairs have a known order."""
    known = [at for at, pair in enumerate(pairs) if pair.kind != MATCHED]
    ids = list(dict.fromkeys(x for at in known for x in (pairs[at].better, pairs[at].worse)))
    place = {each: at for at, each in enumerate(ids)}
    wins = np.zeros((len(ids), len(ids)))
    for at in known:
        better, worse = place[pairs[at].better], place[pairs[at].worse]
        wins[better, worse] += ends[at].sum()
        wins[worse, better] += (1 - ends[at]).sum()
    return dict(zip(ids, map(float, thurstone(wins)), strict=True)) if ids else {}
