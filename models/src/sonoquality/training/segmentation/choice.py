"""What uLPIPS looks at: tried on groups that nothing learned from, none of them val."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from sonoquality import degrade
from sonoquality.networks.ulpips import Ulpips, UlpipsRecipe
from sonoquality.networks.vit import VisionTransformer
from sonoquality.results.dice_link import Losses
from sonoquality.results.full_reference import ULPIPS, Rung, mean_of_known
from sonoquality.results.matched_pairs import counted, is_right
from sonoquality.results.ulpips_choice import Tried
from sonoquality.results.ulpips_ladders import Climbs, third_level
from sonoquality.training.segmentation import ladders, pairs
from sonoquality.training.segmentation.meter import POWERS, Meter, Outliner
from sonoquality.training.segmentation.pictures import ORGANS
from sonoquality.training.segmentation.probes import Probe, probes
from sonoquality.training.segmentation.study import OUTLINES, Reading, folder_of

NOTED = UlpipsRecipe(
    structure=0.6, gram=0.2, token=0.2, whole=0.5, centred=False, power=1.0, tolerant=False
)
PLAIN = replace(NOTED, structure=0.0, gram=0.0, token=1.0, whole=1.0)
CENTRED = replace(PLAIN, centred=True)
TOLERANT = replace(CENTRED, tolerant=True)
#: What is measured; every candidate is one of these with other powers and weights.
LOOKS = (NOTED, CENTRED, replace(TOLERANT, whole=0.5))
COMMAND = "sonoquality evaluate ulpips-weights"
Progress = Callable[[str, int, int], None]


def candidates(n_taps: int) -> Mapping[str, UlpipsRecipe]:
    """Return the recipes that are tried: that of the notes, parts of it, and step by step ours."""
    best = replace(TOLERANT, power=4.0)
    taps = np.eye(n_taps)
    return {
        "SCIENCE 6c: .6 structure, .2 Gram, .2 token": NOTED,
        "structure alone": replace(NOTED, structure=1.0, gram=0.0, token=0.0),
        "Gram alone": replace(NOTED, structure=0.0, gram=1.0, token=0.0),
        "token alone": replace(NOTED, structure=0.0, gram=0.0, token=1.0),
        "token alone, native windows": replace(PLAIN, whole=0.0),
        "token alone, whole picture": PLAIN,
        "... power 4": replace(PLAIN, power=4.0),
        "... centred": CENTRED,
        "... centred, power 4": replace(CENTRED, power=4.0),
        **{
            f"... centred, tolerant, power {power:g}": replace(TOLERANT, power=power)
            for power in POWERS
        },
        "the same, power 4, a quarter native windows": replace(best, whole=0.75),
        "the same, power 4, half native windows": replace(best, whole=0.5),
        **{
            f"the same, power 4, tap {number + 1} alone": replace(
                best, taps=tuple(taps[number].tolist())
            )
            for number in range(n_taps)
        },
    }


def measure(
    encoder: VisionTransformer, data: Path, run: Path, size: tuple[int, int], progress: Progress
) -> list[Tried]:
    """Measure pictures and operators, as many as `size` says, and weigh them by every candidate."""
    n_pictures, n_operators = size
    found, outliner = probes(data, "choice", n_pictures), Outliner(run / "segmentation")
    meters = {
        folder_of(run, encoder, look): Meter(encoder, look, baselines=False) for look in LOOKS
    }
    ladders.outline(found, n_operators, outliner, run / OUTLINES, progress)
    ladders.measure(found, n_operators, meters, progress)
    pairs.measure(found, meters, outliner, progress)
    tried = []
    for name, recipe in candidates(len(encoder.profile.taps)).items():
        folder = folder_of(run, encoder, _look(recipe))
        read = Reading(run / OUTLINES, folder, Ulpips(encoder, recipe))
        kept = recipe == UlpipsRecipe()
        tried.append(_tried(name, found, read, kept=kept, n_operators=n_operators))
    return tried


def _look(recipe: UlpipsRecipe) -> UlpipsRecipe:
    """Return what a recipe's numbers were measured with."""
    here = recipe.centred, recipe.tolerant
    return next(look for look in LOOKS if (look.centred, look.tolerant) == here)


def _tried(
    name: str, found: Sequence[Probe], read: Reading, *, kept: bool, n_operators: int
) -> Tried:
    rows = [row for probe in found for row in read.rungs(probe)]
    clear = counted([row for probe in found for row in read.pairs(probe)])
    stills = {
        change: [s.ulpips for p in found for s in read.stills(p) if s.change == change]
        for change in ladders.INVARIANCES
    }
    climbs = Climbs(rows)
    third = third_level(climbs)
    return Tried(
        name=name,
        n_pictures=len(found),
        n_pairs=len(clear),
        steps=_mean(climbs.shares(ULPIPS, degrade.LADDER)),
        pairs=_mean([is_right(pair, ULPIPS) for pair in clear]),
        gain=_mean(stills["+3 dB"] + stills["-3 dB"]) / third,
        aside=_mean(stills["1 px"]) / third,
        kept=kept,
        measured=datetime.now(UTC).date().isoformat(),
        command=f"{COMMAND} --ladders {len(found) // len(ORGANS)} --operators {n_operators}",
        dice={organ: _mean(_losses(rows, organ).within(ULPIPS)) for organ in ORGANS},
    )


def _losses(rows: Sequence[Rung], organ: str) -> Losses:
    return Losses([row for row in rows if row.organ == organ])


def _mean(values: Sequence[float]) -> float:
    return mean_of_known(np.array(values, np.float64))
