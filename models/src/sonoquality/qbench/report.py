"""From kept answers to the CSVs that the page is made of."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sonoquality.qbench import kept, prompts
from sonoquality.qbench.items import GRADES, Bench
from sonoquality.qbench.measures import Cell, Gap, Measure, confusion, gaps, measures, targets
from sonoquality.qbench.run import graded
from sonoquality.qbench.taking import Taken, UnfinishedError, taken
from sonoquality.results import qbench_rows as page
from sonoquality.results import rows as csvs

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model of ours that was scored on a set that is for evaluation only."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a report left behind beside its CSVs."""

    models: tuple[Model, ...]  #: to be noted in the ledger of the graded set
    unfinished: tuple[str, ...]  #: entrants left out, with the reason


@dataclass(frozen=True, slots=True, kw_only=True)
class _Score:
    """A line of the scores' CSV."""

    image: str
    patient: str
    grade: str
    target: float
    scores: Mapping[str, float]  #: by entrant, at the first level of prompts


def write(answers: Path, folder: Path, progress: Progress) -> Written:
    """Measure every entrant on every data set of a run and write the CSVs.

    Args:
        answers: folder of the runs.
        folder: of the CSVs.
        progress: called with the work, how much of it is done, and how much there is.

    Raises:
        BenchError: there are no answers.
    """
    sets, lines, told, cells, steps = [], [], [], [], []
    models: dict[str, Model] = {}
    unfinished = []
    for place in kept.benches(answers):
        bench, records = kept.read(place), kept.entrants(place)
        sets.append(_set(bench))
        scores: dict[str, Taken] = {}
        for number, record in enumerate(records, start=1):
            try:
                parts = list(_parts(bench, place, record))
            except UnfinishedError as error:
                unfinished.append(f"{record['name']}: {error}")
                continue
            told.append(_entrant(bench, record))
            for part in parts:
                key = (bench.name, record["name"], part.level)
                lines += [_keyed(page.Line, key, each) for each in measures(bench, part)]
                cells += [_keyed(page.Seen, key, each) for each in confusion(bench, part)]
                steps += [_keyed(page.Step, key, each) for each in gaps(bench, part)]
            scores[record["name"]] = parts[0]
            if bench.evaluation_only and "sha256" in record:
                models[record["sha256"]] = Model(
                    name=record["model"], version=record["version"], sha256=record["sha256"]
                )
            progress(f"{bench.name}: measured", number, len(records))
        csvs.write(folder / page.scores_csv(bench.name), list(_scores(bench, scores)))
    for name, found in (
        (page.SETS_CSV, sets),
        (page.ENTRANTS_CSV, told),
        (page.TABLE_CSV, lines),
        (page.CONFUSION_CSV, cells),
        (page.GAPS_CSV, steps),
    ):
        csvs.write(folder / name, found)
    return Written(models=tuple(models.values()), unfinished=tuple(unfinished))


def _parts(bench: Bench, place: Path, record: Mapping[str, Any]) -> Iterator[Taken]:
    answers = kept.answers_of(place, record["name"])
    return taken(bench, record["kind"], record.get("levels", ()), answers)


def _keyed(kind: Callable[..., Any], key: tuple[str, str, int], each: Measure | Gap | Cell) -> Any:
    own = {name: getattr(each, name) for name in each.__slots__}
    return kind(bench=key[0], entrant=key[1], level=key[2], **own)


def _set(bench: Bench) -> page.SetOf:
    items = graded(bench)
    return page.SetOf(
        bench=bench.name,
        about=bench.about,
        evaluation_only=bench.evaluation_only,
        synthetic=bench.synthetic,
        items=len(items),
        patients=len({item.patient for item in items}),
        grades={grade: sum(item.label == grade for item in items) for grade in GRADES},
        target="score" if items and items[0].score is not None else "grade",
        pairs=len(bench.pairs),
    )


def _entrant(bench: Bench, record: Mapping[str, Any]) -> page.EntrantOf:
    version = f"{record['model']}/{record['version']}" if "sha256" in record else ""
    return page.EntrantOf(
        bench=bench.name,
        entrant=record["name"],
        kind=record["kind"],
        way=record.get("way", ""),
        about=record.get("says") or version,
    )


def _scores(bench: Bench, found: Mapping[str, Taken]) -> Sequence[_Score]:
    items = graded(bench)
    truth = targets(items)
    return [
        _Score(
            image=item.id,
            patient=item.patient,
            grade=item.label,
            target=float(truth[at]),
            scores={name: float(own.scores[prompts.OVERALL][at]) for name, own in found.items()},
        )
        for at, item in enumerate(items)
    ]
