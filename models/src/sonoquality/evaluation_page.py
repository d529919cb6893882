"""The page of results: tables in Markdown, computed from scored samples."""

import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonoquality import degrade
from sonoquality.agreement import Interval, auroc, bootstrap, srcc, two_afc
from sonoquality.arrays import Floats
from sonoquality.attributes import CODES
from sonoquality.evaluation import FINDINGS_LEVEL, GRADES, LEDGER, SCORERS, Sample
from sonoquality.evaluation_ladders import NOT_COUNTED, Ladders
from sonoquality.model import QualityModel

NAMED_FROM = 0.35
WINS_BY = 0.02

COMMAND = "python -m sonoquality.cli evaluate model --data ../shared/data --out docs/results"


def render(
    model: QualityModel,
    clean: Sequence[Sample],
    spoiled: Sequence[Sample],
    graded: Sequence[Sample],
    n_variants: int,
) -> str:
    """Write the page."""
    ladders = Ladders(clean, spoiled)
    parts = [
        head(model, clean, ladders),
        summary(ladders),
        by_operator(ladders),
        baseline_wins(ladders),
        by_source(ladders),
        clean_by_source(model, clean),
        hearts(graded, n_variants),
        findings_on_clean(clean),
        findings_on_faults(spoiled),
        localisation(spoiled),
    ]
    return "\n\n".join(parts) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Lay out a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def head(model: QualityModel, clean: Sequence[Sample], ladders: Ladders) -> str:
    """Say what was measured, when, on what and how."""
    return f"""# How good is {model.name} {model.version}?

Measured {datetime.now(UTC):%Y-%m-%d} on {machine()}, model hash `{model.sha256[:12]}`,
provider {model.provider}, by

    {COMMAND}

Validation split: {len(clean)} images as they are, {len(ladders.rows)} of them (the same number
from each source, spread over patients) under {len(degrade.OPERATORS)} faults at 5 levels. Nothing
of the model was fitted on them; what was chosen on some of them, the model card says under
`choices`. Beside the model stand two classic sharpness measures. A
step is in order when the score falls with the level. AUROC compares a level with the same images
as they are, unpaired; both are taken on the raw score, which has no floor or ceiling. Means leave
out ANN (the gate masks overlays before scoring; the row shows what they would do unmasked), ZOM (a
fault of the view) and, at level 1, G-, G+ and TGC (next to harmless there). Intervals: 95 %,
bootstrap over groups."""


def machine() -> str:
    """Name the processor."""
    names = [
        line.partition(":")[2].strip()
        for line in _cpu_lines()
        if line.lower().startswith("model name")
    ]
    return f"{names[0] if names else platform.machine()} ({len(names) or 1} threads)"


def _cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def summary(ladders: Ladders) -> str:
    """All faults together."""
    rows = []
    for index, name in enumerate(SCORERS):
        order = ladders.interval(partial(ladders.mean_in_order, index))
        levels = [
            ladders.interval(partial(ladders.mean_detected, index, level))
            for level in degrade.LEVELS
        ]
        rows.append([name, order, *levels])
    header = ["", "steps in order", *(f"AUROC level {level}" for level in degrade.LEVELS)]
    return "## All faults\n\n" + table(header, rows)


def by_operator(ladders: Ladders) -> str:
    """Each fault by itself."""
    everything = ladders.images()
    rows = []
    for index, (name, operator) in enumerate(degrade.OPERATORS.items()):
        levels = [
            f"{ladders.detected(0, index, level, everything):.2f}" for level in degrade.LEVELS
        ]
        others = [f"{ladders.in_order(s, index, everything):.2f}" for s in (1, 2)]
        own = f"{ladders.in_order(0, index, everything):.2f}"
        perfect = f"{ladders.perfect(0, index):.2f}"
        rows.append([name, operator.sign, own, perfect, *levels, *others])
    header = ["fault", "sign", "steps in order", "perfect ladders"]
    header += [f"AUROC {level}" for level in degrade.LEVELS]
    header += [f"steps in order, {name}" for name in SCORERS[1:]]
    return "## By fault (the model; last two columns: the sharpness measures)\n\n" + table(
        header, rows
    )


def baseline_wins(ladders: Ladders) -> str:
    """Say plainly where a classic measure is better than the model."""
    everything, lines = ladders.images(), []
    for index, name in enumerate(degrade.OPERATORS):
        if name in NOT_COUNTED:
            continue
        for scorer in (1, 2):
            order = [ladders.in_order(s, index, everything) for s in (0, scorer)]
            seen = [ladders.detected(s, index, 3, everything) for s in (0, scorer)]
            if order[1] > order[0] + WINS_BY or seen[1] > seen[0] + WINS_BY:
                lines.append(
                    f"- {name}: {SCORERS[scorer]} has {order[1]:.2f} of the steps in order (model "
                    f"{order[0]:.2f}) and AUROC {seen[1]:.2f} at level 3 (model {seen[0]:.2f})"
                )
    return "## Where a classic measure wins\n\n" + ("\n".join(lines) or "Nowhere.")


def by_source(ladders: Ladders) -> str:
    """The same means, source by source."""
    rows = []
    for source in sorted({row.source for row in ladders.rows}):
        images = ladders.images(source)
        cells = [f"{ladders.mean_in_order(s, images):.3f}" for s in range(len(SCORERS))]
        levels = [f"{ladders.mean_detected(0, level, images):.3f}" for level in (1, 3, 5)]
        rows.append([source, len(images), *cells, *levels])
    header = ["source", "images", *(f"steps in order, {name}" for name in SCORERS)]
    return "## By source\n\n" + table(header + [f"model AUROC {k}" for k in (1, 3, 5)], rows)


def clean_by_source(model: QualityModel, clean: Sequence[Sample]) -> str:
    """How published images score as they are, and how far organs drift apart."""
    every = np.array([sample.quality for sample in clean])
    spread = float(np.subtract(*np.percentile(every, [75, 25])))
    rows = []
    for source in sorted({sample.row.source for sample in clean}):
        own = np.array([sample.quality for sample in clean if sample.row.source == source])
        high = float(np.mean(own >= model.card.high_from))
        low = float(np.mean(own < model.card.medium_from))
        drift = abs(float(np.median(own) - np.median(every))) / max(spread, 1e-6)
        cells = [f"{high:.0%}", f"{1 - high - low:.0%}", f"{low:.0%}", f"{drift:.2f}"]
        rows.append([source, len(own), f"{np.median(own):.1f}", *cells])
    header = ["source", "images", "median quality", "high", "medium", "low", "drift"]
    return (
        "## Images as they are\n\nDrift is the distance of a source's median from the median of "
        "all, in interquartile ranges; below 0.5 is wanted.\n\n" + table(header, rows)
    )


def hearts(graded: Sequence[Sample], n_variants: int) -> str:
    """Agreement with people on the heart set."""
    grades = np.array([GRADES[sample.row.quality_label] for sample in graded], np.float64)
    groups = [sample.row.group for sample in graded]
    counts = ", ".join(f"{int((grades == g).sum())} {name.lower()}" for name, g in GRADES.items())
    found: list[list[Interval]] = []
    for index in range(len(SCORERS)):
        ranks = np.array([sample.ranks[index] for sample in graded])
        numbers = [partial(number, ranks, grades) for number in (_srcc, _poor, _pairs)]
        found.append([bootstrap(number, groups) for number in numbers])
    rows = [[name, *own] for name, own in zip(SCORERS, found, strict=True)]
    return (
        f"## People's grades: CAMUS hearts (evaluation only)\n\n{len(graded)} frames of "
        f"{len(set(groups))} patients: {counts}. No heart was in the training images. Intervals by "
        f"patient. Variants of our models ever scored on this set: {n_variants} "
        f"(`docs/results/{LEDGER}`).\n\n"
        + table(["", "SRCC", "AUROC poor against the rest", "2AFC"], rows)
        + "\n\n"
        + hearts_in_words([own[-1] for own in found])
    )


def hearts_in_words(pairs: Sequence[Interval]) -> str:
    """Say plainly who orders pairs of hearts best, and whether the model is any use there.

    Args:
        pairs: 2AFC of each of `SCORERS`, the model first.
    """
    best = int(np.argmax([each.value for each in pairs]))
    said = [f"{SCORERS[best].capitalize()} orders pairs best ({pairs[best].value:.2f})."]
    if best:
        said.append(f"The model loses to it ({pairs[0].value:.2f}).")
    if pairs[0].high < 0.5:
        said.append(
            "**It is worse than chance: on hearts the model prefers the picture that people call "
            "worse. Its score must not be relied on for hearts.**"
        )
    elif pairs[0].low < 0.5:
        said.append("**That can't be told from chance: the score says nothing about hearts.**")
    return " ".join(said)


def _srcc(ranks: Floats, grades: Floats, images: NDArray[np.intp]) -> float:
    return srcc(ranks[images], grades[images])


def _poor(ranks: Floats, grades: Floats, images: NDArray[np.intp]) -> float:
    drawn = ranks[images]
    return auroc(drawn[grades[images] == 0], drawn[grades[images] > 0])


def _pairs(ranks: Floats, grades: Floats, images: NDArray[np.intp]) -> float:
    return two_afc(ranks[images], grades[images])


def findings_on_clean(clean: Sequence[Sample]) -> str:
    """How often a finding is named on images as they are."""
    rows = []
    for source in [*sorted({sample.row.source for sample in clean}), "all"]:
        own = [sample.faults for sample in clean if source in (sample.row.source, "all")]
        shares = [np.mean([faults[code] >= NAMED_FROM for faults in own]) for code in CODES]
        rows.append([source, *(f"{share:.0%}" for share in shares)])
    return (
        f"## Findings on images as they are: share named (severity from {NAMED_FROM})\n\n"
        + table(["source", *CODES], rows)
    )


def findings_on_faults(spoiled: Sequence[Sample]) -> str:
    """Which finding each fault raises."""
    rows = []
    for name in degrade.OPERATORS:
        own = [s.faults for s in spoiled if s.operator == name and s.level == FINDINGS_LEVEL]
        means = [float(np.mean([faults[code] for faults in own])) for code in CODES]
        rows.append([name, *(f"{mean:.2f}" if mean >= 0.005 else "" for mean in means)])
    return f"## Findings by fault: mean severity at level {FINDINGS_LEVEL}\n\n" + table(
        ["fault", *CODES], rows
    )


def localisation(spoiled: Sequence[Sample]) -> str:
    """Whether the heat map is hottest where the fault is."""
    rows = []
    for name in degrade.OPERATORS:
        own = [s for s in spoiled if s.operator == name and s.level == 4 and s.hit is not None]
        if own and name not in NOT_COUNTED:
            hits = [float(np.mean([s.hit for s in own])), float(np.mean([s.area for s in own]))]
            rows.append([name, f"{hits[0]:.2f}", f"{hits[1]:.2f}"])
    return (
        "## Where the heat map points, level 4\n\nShare of the hottest 15 % of the scan that lies "
        "in the spoiled area, beside the share that chance would give.\n\n"
        + table(["fault", "in the spoiled area", "by chance"], rows)
    )
