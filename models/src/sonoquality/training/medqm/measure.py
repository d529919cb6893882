"""Hold MedQM-D and MedQM-I against what was asked for; everything becomes rows of CSVs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import kendalltau

from sonoquality import agreement
from sonoquality.arrays import Floats
from sonoquality.errors import MissingExtraError
from sonoquality.labelling import spoiled
from sonoquality.labelling.diagnosing import OWN, TRUTH, Diagnosed
from sonoquality.labelling.excess import Scale, labels
from sonoquality.labelling.folds import HELD_BACK
from sonoquality.labelling.frame import FrameCheck
from sonoquality.labelling.study import Study
from sonoquality.metrics.baselines import registry
from sonoquality.networks.medqm import Medqm
from sonoquality.results.medqm_rows import (
    AgreementRow,
    CopyRow,
    DiagnosticianRow,
    HarmRow,
    LossRow,
    VariantRow,
)
from sonoquality.training.medqm import loop
from sonoquality.training.medqm.examples import Example
from sonoquality.training.medqm.priors import NAMES

FAULTY = ("ladder", "mixture")
SPECKLE_ONLY = "blank"
N_RESAMPLES = 300
Progress = Callable[[str, int, int], None]


def diagnosticians(
    scales: Mapping[str, Scale], checks: Sequence[FrameCheck], why_not: Mapping[str, str]
) -> list[DiagnosticianRow]:
    """Return a row for every diagnostician; those that answer in words have no frame check."""
    by_name = {check.name: check for check in checks}
    rows = []
    for name, scale in sorted(scales.items()):
        check = by_name.get(name)
        nan = float("nan")
        rows.append(
            DiagnosticianRow(
                name=name,
                n_images=scale.n_images,
                harmless=scale.harmless,
                nothing=scale.nothing,
                error=scale.error,
                clean=check.clean if check else nan,
                speckle=check.speckle if check else nan,
                by_lot=check.by_lot if check else nan,
                p_value=check.p_value if check else nan,
                counts=name not in why_not,
                why_not=why_not.get(name, ""),
            )
        )
    return rows


def agreements(found: Sequence[Diagnosed], used: Mapping[str, Scale]) -> Iterator[AgreementRow]:
    """Yield how two diagnosticians of different kinds rank the faulty copies that both judged."""
    for split in ("train", "val"):
        own = [each for each in found if (each.case.fold == HELD_BACK) == (split == "val")]
        for first, second in combinations(sorted(used), 2):
            if used[first].kind == used[second].kind:
                continue
            both = [each for each in own if first in each.losses and second in each.losses]
            if not both:
                continue
            a, b = (np.concatenate([_excess(e, used[n]) for e in both]) for n in (first, second))
            yield AgreementRow(
                first=first,
                second=second,
                split=split,
                n_images=len(both),
                n_copies=len(a),
                tau=_tau(a.mean(axis=1), b.mean(axis=1)),
                tau_truth=_tau(a[:, TRUTH], b[:, TRUTH]),
                tau_own=_tau(a[:, OWN], b[:, OWN]),
            )


def harm(found: Sequence[Diagnosed], used: Mapping[str, Scale]) -> list[HarmRow]:
    """Return the mean label by organ, operator and level.

    What is no ladder (`clean`, `jitter`, `blank`) stands as an operator of level 0.
    """
    sums: dict[tuple[str, str, int], list[float]] = {}
    for each in found:
        joined = labels(each, used)
        if joined is None:
            continue
        for copy, label in zip(each.copies, joined[0], strict=True):
            if copy.kind == "mixture":
                continue
            operator, level = next(iter(copy.faults.items()), (copy.kind, 0))
            sums.setdefault((each.case.anatomy.organ, operator, level), []).append(float(label))
    return [
        HarmRow(
            organ=organ,
            operator=operator,
            level=level,
            n_images=len(values),
            label=float(np.mean(values)),
        )
        for (organ, operator, level), values in sorted(sums.items())
    ]


def losses(found: Sequence[Diagnosed], used: Mapping[str, Scale]) -> list[LossRow]:
    """Return the mean excess of each kind of diagnosticians by operator and level of ladders."""
    sums: dict[tuple[str, str, int], list[float]] = {}
    for each in found:
        for name, own in each.losses.items():
            if name not in used:
                continue
            excess = used[name].deltas(own)
            for copy, value in zip(each.copies, excess, strict=True):
                if copy.kind == "ladder":
                    operator, level = next(iter(copy.faults.items()))
                    sums.setdefault((used[name].kind, operator, level), []).append(float(value))
    return [
        LossRow(
            kind=kind,
            operator=operator,
            level=level,
            n_copies=len(values),
            excess=float(np.mean(values)),
        )
        for (kind, operator, level), values in sorted(sums.items())
    ]


def copies(
    study: Study,
    found: Sequence[tuple[Diagnosed, Example]],
    network: Medqm,
    measures: Sequence[str],
    tell: Progress,
) -> Iterator[CopyRow]:
    """Yield every copy of validation images with what MedQM-I, NRQ and the baselines say."""
    for number, (each, example) in enumerate(found, start=1):
        tell("measuring copies", number, len(found))
        with torch.inference_mode():
            said = loop.judged(network, example)
        quality = said.quality.double().numpy()
        others = _baselines(study.pictures, each, measures)
        for place, copy in enumerate(each.copies):
            operator, level = next(iter(copy.faults.items()), ("", 0))
            ladder = copy.kind == "ladder"
            yield CopyRow(
                image=each.case.name,
                group=each.case.row.group,
                organ=example.organ,
                kind=copy.kind,
                operator=operator if ladder else "",
                level=level if ladder else 0,
                label=None if example.labels is None else float(example.labels[place]),
                logvar=float(said.logvar[place]),
                scores={
                    "medqm": float(quality[place]),
                    "nrq": float(example.features.nrq[place]),
                    **{name: values[place] for name, values in others.items()},
                },
                said=_by_attribute("said", said.severities[place].tolist()),
                known=_by_attribute("known", example.levels[place].tolist()),
            )


def predicted(network: Medqm, found: Sequence[tuple[Diagnosed, Example]]) -> list[Floats]:
    """Return MedQM-I's quality of every copy of each image."""
    with torch.inference_mode():
        return [loop.judged(network, example).quality.double().numpy() for _, example in found]


def variant(
    name: str,
    held_against: str,
    groups: Sequence[str],
    *,
    scores: Sequence[Floats],
    rivals: Sequence[Floats],
    targets: Sequence[Floats],
) -> VariantRow:
    """Compare two lists of scores of the same copies by their rank correlation with a target.

    Args:
        name: of the variant.
        held_against: what the target is.
        groups: of the images.
        scores: of each image's copies.
        rivals: the same of what it is compared with.
        targets: the same of the target; NaN where a copy does not count.
    """

    def joined(parts: Sequence[Floats], images: NDArray[np.intp]) -> Floats:
        return np.concatenate([parts[i] for i in images])

    def correlations(images: NDArray[np.intp]) -> tuple[float, float]:
        target = joined(targets, images)
        kept = np.isfinite(target)
        own, other = (joined(each, images)[kept] for each in (scores, rivals))
        return agreement.srcc(own, target[kept]), agreement.srcc(other, target[kept])

    own = agreement.bootstrap(lambda i: correlations(i)[0], groups, n_resamples=N_RESAMPLES)
    ahead = agreement.bootstrap(
        lambda i: float(np.subtract(*correlations(i))), groups, n_resamples=N_RESAMPLES
    )
    return VariantRow(
        variant=name,
        held_against=held_against,
        n_images=len(scores),
        n_copies=int(sum(np.isfinite(each).sum() for each in targets)),
        srcc=own.value,
        low=own.low,
        high=own.high,
        whole=correlations(np.arange(len(scores)))[1],
        ahead=ahead.value,
        ahead_low=ahead.low,
        ahead_high=ahead.high,
    )


def label_targets(found: Sequence[tuple[Diagnosed, Example]]) -> list[Floats]:
    """Return the labels of each image's copies, NaN on speckle and where there is none."""
    return [
        np.where(_is(each, SPECKLE_ONLY), np.nan, np.nan if ex.labels is None else ex.labels)
        for each, ex in found
    ]


def kind_targets(
    found: Sequence[tuple[Diagnosed, Example]], used: Mapping[str, Scale], kind: str
) -> list[Floats]:
    """Return minus the mean excess of a kind's diagnosticians, NaN on speckle."""
    targets = []
    for each, _ in found:
        own = [
            used[name].deltas(losses)
            for name, losses in each.losses.items()
            if name in used and used[name].kind == kind
        ]
        mean = -np.mean(own, axis=0) if own else np.full(len(each.copies), np.nan)
        targets.append(np.where(_is(each, SPECKLE_ONLY), np.nan, mean))
    return targets


def _by_attribute(prefix: str, values: Sequence[float]) -> dict[str, float]:
    return {f"{prefix}_{name}": value for name, value in zip(NAMES, values, strict=True)}


def _is(each: Diagnosed, kind: str) -> np.ndarray:
    return np.array([copy.kind == kind for copy in each.copies])


def _excess(each: Diagnosed, scale: Scale) -> Floats:
    """Return the standardised excess (copy, type) of the faulty copies."""
    losses = each.losses[scale.name]
    faulty = [number for number, copy in enumerate(each.copies) if copy.kind in FAULTY]
    raised = np.maximum(losses - losses[:1], 0)[faulty]
    return np.asarray(raised / np.array(scale.sd))


def _tau(a: Floats, b: Floats) -> float:
    return float(kendalltau(a, b).statistic)


def _baselines(
    pictures: Path, each: Diagnosed, measures: Sequence[str]
) -> dict[str, list[float | None]]:
    _, shown = spoiled.read(pictures, each.case)
    with np.load(pictures / f"{each.case.name}.npz") as kept:
        mask = kept["mask"]
    units = [np.asarray(picture, np.float32) / np.float32(255) for picture in shown]
    found: dict[str, list[float | None]] = {}
    for name in measures:
        try:
            score = registry.no_reference(name)
            found[name] = [score(unit, mask) for unit in units]
        except MissingExtraError:
            found[name] = [None] * len(units)
    return found
