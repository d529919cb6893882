"""The page of the benchmark: its leaderboard, and what stands behind each column."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sonoquality.results import rows as csvs
from sonoquality.results.qbench_rows import (
    ENTRANTS_CSV,
    GAPS_CSV,
    NONE,
    SETS_CSV,
    WAYS,
    EntrantOf,
    Step,
    Table,
    called,
    read,
)
from sonoquality.results.tables import markdown

STAND_IN = "tiny-qwen2-vl"  #: the folder that its weights were asked from
CONFUSIONS_PNG, SCATTER_PNG, GAPS_PNG = (
    "qbench-confusion.png",
    "qbench-scatter.png",
    "qbench-gaps.png",
)


def sets_section(folder: Path) -> str:
    """Say which data sets were asked about."""
    sets = csvs.read(folder / SETS_CSV)
    lines = [
        [
            f"`{row['bench']}`",
            row["about"],
            row["items"],
            row["patients"],
            " / ".join(row[grade] for grade in ("high", "medium", "low")),
            _kind_of_grades(row),
            row["pairs"],
        ]
        for row in sets
    ]
    header = ["data set", "what", "graded", "patients", "high / medium / low", "graded by", "pairs"]
    return f"""## What was asked

{markdown(header, lines)}

Three tasks: call a picture high, medium or low; score it, overall and by clarity, contrast and
noise; say which of two is better, in both orders. A measure gives one number a picture: its own
thresholds call the grade where it has any, its order scores, the larger number wins a pair. A
language model is asked in words at three levels of help and answers by its log-probabilities.
`random` and `constant` are language models that see nothing. Intervals: 95 %, by whole patients
(groups, where no patient is known).{_looks(sets)}{_taught(sets)}"""


def _kind_of_grades(row: Mapping[str, str]) -> str:
    return "faults put on (synthetic)" if row["synthetic"] == "True" else "people"


def _looks(sets: Sequence[Mapping[str, str]]) -> str:
    only = [f"`{row['bench']}`" for row in sets if row["evaluation_only"] == "True"]
    if not only:
        return ""
    return f"""

{", ".join(only)}: evaluation only. Nothing here was trained, tuned or chosen on it, and no number
of this page may choose anything; the models of ours that were scored stand in `camus-ledger.txt`,
beside those of [NRQ's page](nrq.md). The pairs are new, the pictures and grades are those of that
page."""


def _taught(sets: Sequence[Mapping[str, str]]) -> str:
    made = [f"`{row['bench']}`" for row in sets if row["synthetic"] == "True"]
    if not made:
        return ""
    return f"""

{", ".join(made)}: NRQ and [MedQM-I](medqm.md) learned from such faults, on other pictures, and
were chosen on validation images of this project's collection ([NRQ's page](nrq.md)): on those their
rows are no independent evidence. Scores there follow from weights that nobody measured (how much
each fault can cost), so rank agreement over unlike faults counts less than pairs of one fault's
levels, whose order is certain."""


def leaderboard_section(folder: Path) -> str:
    """Lay out the leaderboard of each data set."""
    parts = [_leaderboard(folder, row) for row in csvs.read(folder / SETS_CSV)]
    return "\n\n".join(["## Leaderboard", *parts])


def _leaderboard(folder: Path, row: Mapping[str, str]) -> str:
    table = Table(folder, row["bench"])
    kinds = table.kinds_of_pairs()
    header = [
        "entrant",
        "grade by",
        "accuracy",
        "macro F1",
        "QWK",
        "SRCC",
        "PLCC",
        *(f"pairs right ({kind})" for kind in kinds),
        "consistent",
        "Thurstone SRCC",
    ]
    lines = []
    for player in table.players():
        way, overall = table.way(player), ("scoring", "overall")
        lines.append(
            [
                called(player),
                _way_name(way),
                table.cell(player, "classification", way, "accuracy"),
                table.cell(player, "classification", way, "macro F1"),
                table.full(player, "classification", way, "QWK"),
                table.full(player, *overall, "SRCC"),
                table.cell(player, *overall, "PLCC"),
                *(table.full(player, "comparison", kind, "accuracy") for kind in kinds),
                table.cell(player, "comparison", kinds[0], "consistency") if kinds else NONE,
                table.cell(player, "comparison", "all", "SRCC of Thurstone scores"),
            ]
        )
    held = "the score" if row["target"] == "score" else "the grade as 0, 1, 2"
    return f"""### `{row["bench"]}`

By rank agreement with {held}. A pair whose winner depends on the order counts half.

{markdown(header, lines)}"""


def _way_name(way: str) -> str:
    return f"{way}*" if way == "clustered" else way or NONE


def classification_section(folder: Path) -> str:
    """Say what calibration and clustering do to grades."""
    parts = []
    for row in csvs.read(folder / SETS_CSV):
        table = Table(folder, row["bench"])
        lines = [
            [
                called(player),
                *(table.full(player, "classification", way, "balanced accuracy") for way in WAYS),
                table.cell(player, "classification", "said", "invalid"),
            ]
            for player in table.players()
        ]
        header = ["balanced accuracy", *map(_way_name, WAYS), "invalid when said"]
        parts.append(f"### Grades on `{row['bench']}`\n\n{markdown(header, lines)}")
    return "\n\n".join(
        [
            f"""## Grades, raw and mended

*Own bands*: a measure's thresholds, set elsewhere. *Raw*: the likeliest of three words.
*Calibrated*: less what the model prefers for a blank and for the mean picture. *Said*: what it
writes when it may write; an answer that names no grade, or two, is invalid and counts as wrong.

\\* *Clustered* is transductive: three clusters of the whole set, after the benchmark's "softmax and
clustering". It looks at all pictures to call one, finds three grades even where all are alike, and
must never be used on a single picture. Chance is 0.33.

![Confusion matrices](../images/{CONFUSIONS_PNG})""",
            *parts,
        ]
    )


def scoring_section(folder: Path) -> str:
    """Lay out scores by indicator, for those that give several."""
    parts = []
    for row in csvs.read(folder / SETS_CSV):
        table = Table(folder, row["bench"])
        lines = [
            [
                called(player),
                *(
                    table.full(player, "scoring", of, "SRCC")
                    for of in ("overall", "clarity", "contrast", "noise")
                ),
                *(
                    table.cell(player, "scoring", "overall", name)
                    for name in ("KRCC", "PLCC", "RMSE", "AUROC low", "2AFC")
                ),
            ]
            for player in table.players()
        ]
        header = [
            "SRCC of",
            "overall",
            "clarity",
            "contrast",
            "noise",
            "KRCC",
            "PLCC",
            "RMSE",
            "AUROC low",
            "2AFC",
        ]
        parts.append(f"### Scores on `{row['bench']}`\n\n{markdown(header, lines)}")
    return "\n\n".join(
        [
            f"""## Scores

A language model's score is the mean of five words, *great* to *bad*, weighed 1 to 0 by their
chances (Q-Align). PLCC and RMSE after a logistic curve of four parameters; where it falls PLCC is
negative. RMSE in units of what is held against: points of 100 where there are scores, grades
where there are none. KRCC is tau-b. Clarity, contrast and noise are held against their own labels
where a data set has them, else against the overall one.

![Scores against what is known, with the fitted curve](../images/{SCATTER_PNG})""",
            *parts,
        ]
    )


def comparison_section(folder: Path) -> str:
    """Say who wins pairs by how far the two are apart."""
    parts = []
    for row in csvs.read(folder / SETS_CSV):
        steps = [step for step in read(Step, folder / GAPS_CSV) if step.bench == row["bench"]]
        table = Table(folder, row["bench"])
        columns = sorted({(step.kind, step.gap) for step in steps})
        shown = {(step.entrant, step.level, step.kind, step.gap): step for step in steps}
        sizes = {(step.kind, step.gap): step.n for step in steps}
        kinds = list(dict.fromkeys(kind for kind, _ in columns))
        lines = [
            [
                called(player),
                *(f"{shown[(*player, *column)].accuracy:.2f}" for column in columns),
                *(
                    table.cell(player, "comparison", kinds[0], name)
                    for name in ("consistency", "first position")
                ),
            ]
            for player in table.players()
        ]
        header = [
            "pairs right by gap",
            *(f"{kind} {gap} (n = {sizes[kind, gap]})" for kind, gap in columns),
            "consistent",
            "first one chosen",
        ]
        parts.append(f"### Pairs of `{row['bench']}`\n\n{markdown(header, lines)}")
    return "\n\n".join(
        [
            f"""## Pairs

*Classes*: unlike grades of one organ, by grades apart. *Ladder*: two levels of one fault on one
picture, by levels apart. *Matched*: shadow at a level against noise that costs the same PSNR
within 0.1 dB, by the shadow's level; the share that prefers the shadowed picture. Nobody knows
which of those two is worse ([outlines lose as much by one as by the other](ulpips.md)), so it is
counted nowhere else. A measure knows no order of asking.

![Pairs right by gap](../images/{GAPS_PNG})""",
            *parts,
        ]
    )


def entrants_section(folder: Path) -> str:
    """Say who the entrants are, and how language models were read."""
    found: dict[str, EntrantOf] = {}
    for told in read(EntrantOf, folder / ENTRANTS_CSV):
        found.setdefault(told.entrant, told)
    lines = [[told.entrant, told.kind, told.about, told.way] for told in found.values()]
    return f"""## Entrants

{markdown(["entrant", "kind", "what it is", "log-probabilities by"], lines)}{_of_stand_in(found)}

Another entrant, or another data set, is one command: [how to](../how-to/run-the-benchmark.md)."""


def _of_stand_in(found: Mapping[str, EntrantOf]) -> str:
    if STAND_IN not in found:
        return ""
    return f"""

`{STAND_IN}` is **no model of the field but a stand-in for one**: so small a network that it trains
here in two minutes ([how](../how-to/ask-language-models.md)). It has the form of a Qwen2-VL, has
learned from questions and answers on anatomy, and knows 459 tokens; no grade is among them, so that
it spells *high* and *great* in pieces it never learned to put together. Its rows show that the
benchmark reads such a model through its log-probabilities, and nothing of what real ones can do:
none was within reach of this project. It was asked at the first level of prompts only."""
