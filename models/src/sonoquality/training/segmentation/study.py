"""Everything that the page on uLPIPS says of faults: measured, kept, and written as CSVs."""

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from sonoquality import degrade
from sonoquality.arrays import Floats
from sonoquality.networks.identity import sha256_of
from sonoquality.networks.ulpips import Ulpips, UlpipsRecipe
from sonoquality.networks.vit import VisionTransformer
from sonoquality.results import full_reference as kept
from sonoquality.results.ulpips_ladders import ITSELF, TURNED
from sonoquality.training.segmentation import ladders, pairs
from sonoquality.training.segmentation.meter import PLAIN, POWERS, Meter, Outliner
from sonoquality.training.segmentation.probes import Probe, probes

UNKNOWN = {"clean": np.array(np.nan), "spoiled": np.full(len(degrade.LEVELS), np.nan)}
EVERY = 10**6
OUTLINES = "outlines"  #: folder of what outlines are worth, whatever the encoder
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured."""

    ladders: int  #: pictures of each organ; a third as many of sources without outlines
    operators: int  #: that each of them is put under, by turns
    pairs: int  #: pictures of each organ


def measure(
    encoder: VisionTransformer, data: Path, run: Path, size: Size, progress: Progress
) -> None:
    """Measure what is not measured yet under this encoder."""
    meters = {folder_of(run, encoder, UlpipsRecipe()): Meter(encoder)}
    outliner, found = Outliner(run / "segmentation"), probes(data, "val", size.ladders)
    ladders.outline(found, size.operators, outliner, run / OUTLINES, progress)
    ladders.measure(found, size.operators, meters, progress)
    pairs.measure(probes(data, "val", size.pairs), meters, outliner, progress)


def folder_of(run: Path, encoder: VisionTransformer, recipe: UlpipsRecipe) -> Path:
    """Return where the numbers of an encoder are kept, measured with what a recipe looks at.

    Other powers and weights need no new distances, unless something weighed nothing before.
    """
    looks = {
        "centred": recipe.centred,
        "tolerant": recipe.tolerant,
        "structure": recipe.structure > 0,
        "native": recipe.whole < 1,
        "whole": recipe.whole > 0,
    }
    words = [word for word, here in looks.items() if here]
    return run / "-".join(["measured", *words, sha256_of(encoder)[:16]])


def write(encoder: VisionTransformer, data: Path, run: Path, csvs: Path, command: str) -> None:
    """Write the CSVs of all that is measured, weighed by uLPIPS' recipe."""
    distance = Ulpips(encoder)
    read = Reading(run / OUTLINES, folder_of(run, encoder, distance.recipe), distance)
    found = probes(data, "val", EVERY)
    kept.write_rungs(csvs, [row for each in found for row in read.rungs(each)])
    kept.write_pairs(csvs, [row for each in found for row in read.pairs(each)])
    kept.write_stills(csvs, [row for each in found for row in read.stills(each)])
    kept.write_run(csvs, _facts(encoder, command))


class Reading:
    """What was measured, pooled and weighed as a distance says."""

    def __init__(self, outlines: Path, measured: Path, distance: Ulpips) -> None:
        self._outlines, self._measured, self._distance = outlines, measured, distance

    def rungs(self, probe: Probe) -> list[kept.Rung]:
        """Return a picture's ladders."""
        outlines, rows = ladders.read(self._outlines, probe), []
        for name, ladder in ladders.read(self._measured, probe).items():
            dice = outlines.get(name, UNKNOWN)
            ulpips = self._weighed(ladder["parts"])
            rows += [
                kept.Rung(
                    picture=probe.name,
                    group=probe.row.group,
                    organ=probe.organ,
                    operator=name,
                    level=level,
                    dice_clean=float(dice["clean"]),
                    dice=float(dice["spoiled"][level - 1]),
                    distances=_named(ulpips[level - 1], ladder["plain"][level - 1]),
                )
                for level in degrade.LEVELS
            ]
        return rows

    def pairs(self, probe: Probe) -> list[kept.Pair]:
        """Return a picture's pairs of one PSNR."""
        found = pairs.read(self._measured, probe)
        if found is None or not len(found["which"]):
            return []
        ulpips = self._weighed(found["parts"])
        rows = []
        for at, (number, level) in enumerate(found["which"].astype(int).tolist()):
            sides = [_named(ulpips[at, side], found["plain"][at, side]) for side in (0, 1)]
            fault, other = pairs.PAIRS[number]
            rows.append(
                kept.Pair(
                    picture=probe.name,
                    group=probe.row.group,
                    organ=probe.organ,
                    fault=fault,
                    level=level,
                    other=other,
                    dice_clean=float(found["clean"][0]),
                    dice=(float(found["dice"][at, 0]), float(found["dice"][at, 1])),
                    distances={key: (sides[0][key], sides[1][key]) for key in kept.METRICS},
                )
            )
        return rows

    def stills(self, probe: Probe) -> list[kept.Still]:
        """Return how far a picture's distance moves for what should hardly count."""
        still = ladders.read_still(self._measured, probe)
        if still is None:
            return []
        moved = dict(zip(ladders.INVARIANCES, self._weighed(still["parts"]), strict=True))
        moved |= dict(zip((ITSELF, TURNED), still["turned"], strict=True))
        return [
            kept.Still(picture=probe.name, group=probe.row.group, change=change, ulpips=float(far))
            for change, far in moved.items()
        ]

    def _weighed(self, parts: Floats) -> Floats:
        """Return uLPIPS (...) of parts (..., power, kind, tap, term)."""
        chosen = parts[..., POWERS.index(self._distance.recipe.power), :, :, :]
        flat = torch.from_numpy(chosen.reshape(-1, *chosen.shape[-3:]))
        found: Floats = self._distance.weighed(flat).numpy().reshape(chosen.shape[:-3])
        return found


def _named(ulpips: float, plain: Sequence[float] | Floats) -> Mapping[str, float]:
    values = [float(value) for value in plain] or [float("nan")] * len(PLAIN)
    named = dict(zip(PLAIN, values, strict=True))
    return {kept.ULPIPS: float(ulpips), **named}


def _facts(encoder: VisionTransformer, command: str) -> dict[str, str]:
    return {
        "measured": datetime.now(UTC).date().isoformat(),
        "machine": f"{_processor()}, {os.cpu_count()} cores, torch {torch.__version__}",
        "encoder": encoder.title,
        "command": f"`{command}`",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
