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
from sonoquality.training.segmentation.meter import PLAIN, Meter, Outliner
from sonoquality.training.segmentation.probes import Probe, probes

UNKNOWN = {"clean": np.array(np.nan), "spoiled": np.full(len(degrade.LEVELS), np.nan)}
EVERY = 10**6
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured."""

    ladders: int  #: pictures of each organ; a third as many of sources without outlines
    operators: int  #: that each of them is put under, by turns
    pairs: int  #: pictures of each organ


def measure(
    encoder: VisionTransformer, data: Path, run: Path, size: Size, progress: Progress
) -> Path:
    """Measure what is not measured yet under this encoder; returns the folder of its numbers."""
    out = folder_of(run, encoder)
    meter, outliner = Meter(encoder), Outliner(run / "segmentation")
    found = probes(data, "val", size.ladders)
    ladders.outline(found, size.operators, outliner, out, progress)
    ladders.measure(found, size.operators, meter, out, progress)
    pairs.measure(probes(data, "val", size.pairs), meter, outliner, out, progress)
    return out


def folder_of(run: Path, encoder: VisionTransformer) -> Path:
    """Return where the numbers of an encoder are kept; those of another lie elsewhere.

    Weights need no new distances; how tokens are compared and pooled does.
    """
    recipe, first = UlpipsRecipe(), "measured"
    if recipe.centred or recipe.power != 1.0:
        first += f"-{'centred' if recipe.centred else 'plain'}-{recipe.power:g}"
    return run / f"{first}-{sha256_of(encoder)[:16]}"


def write(encoder: VisionTransformer, data: Path, run: Path, csvs: Path, command: str) -> None:
    """Write the CSVs of all that is measured, weighed by uLPIPS' recipe."""
    out, distance = folder_of(run, encoder), Ulpips(encoder)
    found = probes(data, "val", EVERY)
    kept.write_rungs(csvs, [row for each in found for row in rungs(each, out, distance)])
    kept.write_pairs(csvs, [row for each in found for row in _paired(each, out, distance)])
    kept.write_stills(csvs, [row for each in found for row in _stills(each, out, distance)])
    kept.write_run(csvs, _facts(encoder, command))


def rungs(probe: Probe, out: Path, distance: Ulpips) -> list[kept.Rung]:
    """Return what was measured of a picture, weighed as the distance says."""
    outlines, rows = ladders.read_dice(out, probe), []
    for name, ladder in ladders.read(out, probe).items():
        dice = outlines.get(name, UNKNOWN)
        ulpips = _weighed(distance, ladder["parts"])
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


def _paired(probe: Probe, out: Path, distance: Ulpips) -> list[kept.Pair]:
    found = pairs.read(out, probe)
    if found is None or not len(found["which"]):
        return []
    ulpips = _weighed(distance, found["parts"])
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


def _stills(probe: Probe, out: Path, distance: Ulpips) -> list[kept.Still]:
    still = ladders.read_still(out, probe)
    if still is None:
        return []
    moved = dict(zip(ladders.INVARIANCES, _weighed(distance, still["parts"]), strict=True))
    moved |= dict(zip((ITSELF, TURNED), still["turned"], strict=True))
    return [
        kept.Still(picture=probe.name, group=probe.row.group, change=change, ulpips=float(value))
        for change, value in moved.items()
    ]


def _named(ulpips: float, plain: Sequence[float] | Floats) -> Mapping[str, float]:
    values = [float(value) for value in plain] or [float("nan")] * len(PLAIN)
    named = dict(zip(PLAIN, values, strict=True))
    return {kept.ULPIPS: float(ulpips), **named}


def _weighed(distance: Ulpips, parts: Floats) -> Floats:
    """Return uLPIPS (...) of parts (..., kind, tap, term)."""
    flat = torch.from_numpy(parts.reshape(-1, *parts.shape[-3:]))
    found: Floats = distance.weighed(flat).numpy().reshape(parts.shape[:-3])
    return found


def _facts(encoder: VisionTransformer, command: str) -> dict[str, str]:
    return {
        "measured": datetime.now(UTC).date().isoformat(),
        "machine": f"{_processor()}, {os.cpu_count()} cores, torch {torch.__version__}",
        "encoder": f"{encoder.profile.name}, SHA-256 {sha256_of(encoder)[:16]}",
        "command": f"`{command}`",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
