"""Which weights uLPIPS' parts get: tried on groups that nothing learned from, none of them val."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sonoquality import degrade
from sonoquality.networks.ulpips import Ulpips, UlpipsRecipe
from sonoquality.networks.vit import VisionTransformer
from sonoquality.results.dice_link import Losses
from sonoquality.results.full_reference import ULPIPS, mean_of_known
from sonoquality.results.ulpips_choice import Tried
from sonoquality.results.ulpips_ladders import Climbs
from sonoquality.training.segmentation import ladders
from sonoquality.training.segmentation.meter import Meter, Outliner
from sonoquality.training.segmentation.pictures import ORGANS
from sonoquality.training.segmentation.probes import probes
from sonoquality.training.segmentation.study import folder_of, rungs

NOTED = UlpipsRecipe()
Progress = Callable[[str, int, int], None]


def candidates(n_taps: int) -> Mapping[str, UlpipsRecipe]:
    """Return the recipes that are tried: that of the notes, each part alone, and some mixtures."""
    noted = UlpipsRecipe(structure=0.6, gram=0.2, token=0.2, whole=0.5, taps=None)
    taps = np.eye(n_taps)
    return {
        "SCIENCE 6c: .6 structure, .2 Gram, .2 token": noted,
        "structure alone": replace(noted, structure=1.0, gram=0.0, token=0.0),
        "Gram alone": replace(noted, structure=0.0, gram=1.0, token=0.0),
        "token alone": replace(noted, structure=0.0, gram=0.0, token=1.0),
        "half Gram, half token": replace(noted, structure=0.0, gram=0.5, token=0.5),
        "a third each": replace(noted, structure=1 / 3, gram=1 / 3, token=1 / 3),
        "native windows alone": replace(noted, whole=0.0),
        "whole picture alone": replace(noted, whole=1.0),
        **{
            f"tap {number + 1} alone": replace(noted, taps=tuple(taps[number].tolist()))
            for number in range(n_taps)
        },
        "token alone, whole picture": replace(noted, structure=0.0, gram=0.0, token=1.0, whole=1.0),
        "token alone, native windows": replace(
            noted, structure=0.0, gram=0.0, token=1.0, whole=0.0
        ),
    }


def measure(
    encoder: VisionTransformer, data: Path, run: Path, size: tuple[int, int], progress: Progress
) -> list[Tried]:
    """Measure pictures and operators, as many as `size` says, and weigh them by every candidate."""
    out, (n_pictures, n_operators) = folder_of(run, encoder), size
    found = probes(data, "choice", n_pictures)
    ladders.outline(found, n_operators, Outliner(run / "segmentation"), out, progress)
    ladders.measure(found, n_operators, Meter(encoder, baselines=False), out, progress)
    tried = []
    for name, recipe in candidates(len(encoder.profile.taps)).items():
        distance = Ulpips(encoder, recipe)
        rows = [row for probe in found for row in rungs(probe, out, distance)]
        climbs = Climbs(rows)
        losses = {o: Losses([row for row in rows if row.organ == o]) for o in ORGANS}
        tried.append(
            Tried(
                name=name,
                n_pictures=len(found),
                steps=_mean(climbs.shares(ULPIPS, degrade.LADDER)),
                dice={o: _mean(each.within(ULPIPS)) for o, each in losses.items()},
                kept=recipe == NOTED,
            )
        )
    return tried


def _mean(values: Sequence[float]) -> float:
    return mean_of_known(np.array(values))
