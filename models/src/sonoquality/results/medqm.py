"""The page of MedQM: what the labels are worth, and how well the network tells them blindly."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from sonoquality import agreement
from sonoquality.agreement import Interval
from sonoquality.arrays import Floats
from sonoquality.results import rows
from sonoquality.results.medqm_rows import AGREEMENT, COPIES, DIAGNOSTICIANS, HARM, VARIANTS
from sonoquality.results.tables import interval, markdown, shown

ASKED_TAU, ASKED_FALLS, ASKED_HARMLESS = 0.4, 0.95, 0.85
ASKED_SRCC, ASKED_AUROC = 0.80, 0.90
N_LEVELS = 5
HELD_OUT = ("RF", "SLB", "DYR", "ALI")  #: as `labelling.spoiled` has them
Line = Mapping[str, str]


def label_section(folder: Path) -> str:
    """Say who judges, and whether labels can be trusted.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    who = rows.read(folder / DIAGNOSTICIANS)
    pairs = rows.read(folder / AGREEMENT)
    steps, perfect, harmless = _course(rows.read(folder / HARM))
    train, val = (_median(pairs, split, "tau") for split in ("train", "val"))
    n_kinds = len({_kind(each["name"]) for each in who})
    of_truth, of_own = (
        " and ".join(f"{_median(pairs, split, column):.2f}" for split in ("train", "val"))
        for column in ("tau_truth", "tau_own")
    )
    agreed = _met(min(train, val) >= ASKED_TAU)
    return f"""## The labels (MedQM-D)

A label says how much of a diagnosis is left on a copy of an image. {len(who)} small diagnosticians
of {n_kinds} kinds, each of them several networks, work on the clean image and on the copy; each
judges only images of folds that it did not learn from. The design is ours, after the abstract of
MedQM; no number here can be compared with its unpublished ones. Breast images have no patient
numbers and are parted by image, which is optimistic.

{_who(who)}

Excess: in standard deviations of what faults cost it. By lot: the loss on speckle held against
another image's truth; one that does clearly better on its own image's speckle reads the frame.

- Agreement (Kendall tau over faulty copies that both judged, diagnosticians of different kinds):
  median {train:.2f} on training images, out of fold, and {val:.2f} on validation images; asked
  for {ASKED_TAU:g}: {agreed}. Against the truth alone it is {of_truth}, against the own answer on
  the clean image {of_own}.
- Labels fall, in expectation, on {100 * steps:.1f}% of the steps of all ladders (organ and
  operator), and all along {100 * perfect:.1f}% of the ladders; asked for {100 * ASKED_FALLS:g}%:
  {_met(perfect >= ASKED_FALLS)}.
- After a harmless change of gain (up to 3 dB) the mean label is {harmless:.3f}; asked for
  {ASKED_HARMLESS:g}: {_met(harmless >= ASKED_HARMLESS)}.

![Kendall's tau of every two diagnosticians](../images/medqm-agreement.png)

That a copy which brings an answer nearer to the truth counts as no better than the clean image was
decided on training images: without that rule their median tau was about half."""


def harm_section(folder: Path) -> str:
    """Order the operators by what they cost a diagnosis.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    found = [line for line in rows.read(folder / HARM) if int(line["level"]) > 0]
    operators = {line["operator"] for line in found}
    organs = sorted({line["organ"] for line in found})
    table = [
        (name, [_mean(found, name, level) for level in range(1, N_LEVELS + 1)], name)
        for name in operators
    ]
    lines = [
        [
            name,
            *(f"{value:.2f}" for value in levels),
            *(_shown(_mean(found, name, N_LEVELS, organ)) for organ in organs),
        ]
        for name, levels, _ in sorted(table, key=lambda row: row[1][-1])
    ]
    header = [
        "operator",
        *(f"level {k}" for k in range(1, N_LEVELS + 1)),
        *(f"{organ.replace('_', ' ')}, level 5" for organ in organs),
    ]
    return f"""## What harms a diagnosis

Mean label by operator and level, worst first; 1 is as good as the clean image.

{markdown(header, lines)}

![The mean label along every ladder, by organ](../images/medqm-ladders.png)

![What every ladder costs each kind of diagnostician](../images/medqm-losses.png)

The small diagnosticians see 128 px of a scan. What is finer (JPEG, lost lines, fewer pixels) hardly
reaches them, and their labels say so; a person who looks for a fine edge would object. NRQ, which
sees every pixel, does not forgive these faults: that is why the two are joined."""


def network_section(folder: Path) -> str:
    """Say how well MedQM-I tells labels of patients that it never saw.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    lines = [line for line in rows.read(folder / COPIES) if line["kind"] != "blank"]
    own = [line for line in lines if line["label"] not in ("", "nan")]
    measures = _measures(own)
    groups = [line["group"] for line in own]
    target = _column(own, "label")
    n_groups = len(set(groups))
    srcc = {
        name: interval(_rank(_column(own, name), target, agreement.srcc), groups)
        for name in measures
    }
    plcc = interval(_rank(_column(own, "medqm"), target, agreement.plcc), groups)
    order = sorted(measures, key=lambda name: -srcc[name].value)
    organs = sorted({line["organ"] for line in own})
    table = [
        [
            name,
            shown(srcc[name], n_groups),
            *(_of_organ(own, name, organ) for organ in organs),
            f"{_unseen(own, name):.3f}",
        ]
        for name in order
    ]
    n_images = len({line["image"] for line in own})
    reached = _met(min(srcc["medqm"].value, plcc.value) >= ASKED_SRCC)
    best = max((name for name in order if name != "medqm"), key=lambda name: srcc[name].value)
    header = ["measure", "all", *(o.replace("_", " ") for o in organs), "operators never taught"]
    return f"""## The network (MedQM-I)

{len(own)} copies of {n_images} validation images of {n_groups} patients, organ and view not told.
Rank correlation (SRCC) with the labels; intervals by bootstrap over patients.

{markdown(header, table)}

- SRCC {srcc["medqm"]}, PLCC {plcc} (after a logistic curve); asked for {ASKED_SRCC:g}: {reached}.
- Ahead of NRQ and of every baseline: {_met(srcc["medqm"].low > srcc[best].high)}
  (the best other is {best}, {srcc[best]}).
- The network and its recipe were chosen on these same copies (`models/recipes/medqm.toml` says from
  what), so both correlations are flattered; it learned from none of their patients.
- Operators never taught: {", ".join(HELD_OUT)}.

{_attributes(lines)}"""


def variant_section(folder: Path) -> str:
    """Compare variants with the whole network, and kinds left out with NRQ.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    found = rows.read(folder / VARIANTS)
    parts = [line for line in found if line["held_against"] == "label"]
    kinds = [line for line in found if line["held_against"] != "label"]
    whole = float(parts[0]["whole"])
    ahead = sum(float(line["ahead_low"]) > 0 for line in kinds)
    reached = _met(all(float(line["ahead"]) > 0 for line in kinds))
    of_parts = markdown(
        ["variant", "SRCC", "ahead of the whole"], [_variant(line) for line in parts]
    )
    of_kinds = markdown(
        ["kind left out", "SRCC with its excess", "ahead of NRQ"],
        [_variant(line) for line in kinds],
    )
    return f"""## Without one of its parts

One short run each (`[short]` in `models/recipes/medqm.toml`), shorter than that of the network
above; SRCC with the labels on the validation images, and how far that is ahead of a whole network
of the same short run, {whole:.3f} (below 0: the part pays). {_that_pay(parts)}
The last learned from labels by one network a task instead of a committee's.

{of_parts}

## A diagnostician that made no label

MedQM-I was trained again, by short runs too, on labels without one kind of diagnostician, and then
ranked what copies cost just that kind; beside it NRQ, which knows of none.

{of_kinds}

Asked for: ahead of NRQ: {reached} in the mean; with an interval above 0 for {ahead} of
{len(kinds)}."""


def _that_pay(parts: Sequence[Line]) -> str:
    """Say which parts are worth having, and which are not, by intervals."""
    pays = [line["variant"] for line in parts if float(line["ahead_high"]) < 0]
    costs = [line["variant"] for line in parts if float(line["ahead_low"]) > 0]
    return (
        f"Clearly worse: {', '.join(pays) or 'none'}; clearly better: {', '.join(costs) or 'none'}."
    )


def _who(who: Sequence[Line]) -> str:
    lines = [
        [
            each["name"].replace("_", " "),
            each["n_images"],
            f"{float(each['harmless']):.2f}",
            f"{float(each['nothing']):.2f}",
            _shown(float(each["clean"])),
            _shown(float(each["speckle"])),
            _shown(float(each["by_lot"])),
            "yes" if each["counts"] == "True" else f"no: {each['why_not']}",
        ]
        for each in who
    ]
    header = [
        "diagnostician",
        "training images",
        "excess, harmless gain",
        "excess, speckle alone",
        "loss, clean",
        "loss, speckle",
        "by lot",
        "counts",
    ]
    return markdown(header, lines)


def _course(harm: Sequence[Line]) -> tuple[float, float, float]:
    """Return the share of steps and of ladders that fall, and the mean label of harmless copies."""
    ladders: dict[tuple[str, str], dict[int, float]] = {}
    harmless = []
    for line in harm:
        if int(line["level"]):
            key = line["organ"], line["operator"]
            ladders.setdefault(key, {})[int(line["level"])] = float(line["label"])
        elif line["operator"] == "jitter":
            harmless.append((float(line["label"]), int(line["n_images"])))
    courses = [np.diff([levels[k] for k in sorted(levels)]) <= 0 for levels in ladders.values()]
    label = float(np.average([v for v, _ in harmless], weights=[n for _, n in harmless]))
    return (
        float(np.mean(np.concatenate(courses))),
        float(np.mean([course.all() for course in courses])),
        label,
    )


def _attributes(lines: Sequence[Line]) -> str:
    ladder = [line for line in lines if line["kind"] in ("ladder", "clean", "jitter")]
    names = [key.removeprefix("said_") for key in lines[0] if key.startswith("said_")]
    said = np.stack([_column(ladder, f"said_{name}") for name in names], axis=1)
    known = np.stack([_column(ladder, f"known_{name}") for name in names], axis=1)
    aurocs = {
        name: agreement.auroc(said[known[:, k] == 0, k], said[known[:, k] > 0, k])
        for k, name in enumerate(names)
        if (known[:, k] > 0).any()
    }
    macro = float(np.mean(list(aurocs.values())))
    grave = known.max(axis=1) >= 0.8 * 3
    likeliest = said[grave].argmax(axis=1)
    true = known[grave].argmax(axis=1)
    table = [
        [
            name,
            f"{aurocs[name]:.3f}",
            *(f"{100 * np.mean(likeliest[true == k] == j):.0f}" for j in range(len(names))),
        ]
        for k, name in enumerate(names)
        if name in aurocs
    ]
    right = 100 * float(np.mean(likeliest == true))
    return f"""Attributes: AUROC of each, copies of its operators (all levels) against all other
copies of ladders; macro {macro:.3f}, asked for {ASKED_AUROC:g}: {_met(macro >= ASKED_AUROC)}.
Beside it, of copies at level 3 to 5, which attribute is said to be the worst, in % ({right:.0f}%
right):

{markdown(["attribute", "AUROC", *names], table)}"""


def _variant(line: Line) -> list[str]:
    values = [float(line[key]) for key in ("srcc", "low", "high")]
    ahead = [float(line[key]) for key in ("ahead", "ahead_low", "ahead_high")]
    return [line["variant"], str(Interval(*values)), str(Interval(*ahead))]


def _rank(
    scores: Floats, target: Floats, statistic: Callable[[Floats, Floats], float]
) -> Callable[[np.ndarray], float]:
    return lambda places: statistic(scores[places], target[places])


def _measures(lines: Sequence[Line]) -> list[str]:
    known = list(lines[0])
    first, last = (
        known.index("logvar") + 1,
        next(i for i, key in enumerate(known) if key.startswith("said_")),
    )
    return [name for name in known[first:last] if lines[0][name] not in ("", "None")]


def _of_organ(lines: Sequence[Line], name: str, organ: str) -> str:
    own = [line for line in lines if line["organ"] == organ]
    return f"{agreement.srcc(_column(own, name), _column(own, 'label')):.3f}"


def _unseen(lines: Sequence[Line], name: str) -> float:
    own = [line for line in lines if line["operator"] in HELD_OUT]
    return agreement.srcc(_column(own, name), _column(own, "label"))


def _column(lines: Sequence[Line], name: str) -> Floats:
    return np.array([float(line[name]) for line in lines])


def _mean(lines: Sequence[Line], operator: str, level: int, organ: str = "") -> float:
    own = [
        (float(line["label"]), int(line["n_images"]))
        for line in lines
        if line["operator"] == operator
        and int(line["level"]) == level
        and organ in ("", line["organ"])
    ]
    if not own:
        return float("nan")
    return float(np.average([v for v, _ in own], weights=[n for _, n in own]))


def _median(pairs: Sequence[Line], split: str, column: str) -> float:
    own = [float(line[column]) for line in pairs if line["split"] == split]
    return float(np.median(own)) if own else float("nan")


def _kind(name: str) -> str:
    return name.split("-")[0]


def _shown(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.2f}"


def _met(is_met: bool) -> str:  # noqa: FBT001 - one truth, one word
    return "reached" if is_met else "**missed**"
