"""Measure operators at every level on held-out pictures; each ladder is a file of numbers.

`OUT/<picture>/<operator>.npz` holds distances, in another folder what an outline is worth: a run
goes on where it stopped, and other powers and weights of uLPIPS' parts need no new distances.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from sonoquality import degrade
from sonoquality.arrays import Floats, UnitImage
from sonoquality.training.segmentation.meter import Meter, Outliner, eight_bits
from sonoquality.training.segmentation.probes import Probe, Scan

#: Changes that must hardly count (SCIENCE 6c): 3 dB either way, one px aside.
INVARIANCES = ("+3 dB", "-3 dB", "1 px")
APART = 4  #: operators of one picture lie so far apart in the table: they are of different kinds
Progress = Callable[[str, int, int], None]
Numbers = Mapping[str, Floats]
Meters = Mapping[Path, Meter]  #: by the folder of their numbers


def operators_of(probe: Probe, n_operators: int) -> list[str]:
    """Return the operators that a picture is measured under, by turns, of different kinds first."""
    names = list(degrade.OPERATORS)
    turns = [
        (probe.number + start + place) % len(names)
        for start in range(APART)
        for place in range(0, len(names), APART)
    ]
    return [names[turn] for turn in turns[:n_operators]]


def measure(found: Sequence[Probe], n_operators: int, meters: Meters, progress: Progress) -> None:
    """Write the distances of every ladder that has no file yet, each meter's into its folder."""
    for number, probe in enumerate(found, start=1):
        for name in operators_of(probe, n_operators):
            wanted = missing(meters, f"{probe.name}/{name}.npz")
            rungs = ladder(name, probe) if wanted else []
            for path, meter in wanted.items():
                measured = meter.measure(probe.read(), rungs)
                write(path, {"parts": measured.parts, "plain": measured.plain})
        for path, meter in missing(meters, f"{probe.name}/still.npz").items():
            write(path, _still(probe, meter))
        progress("distances along ladders", number, len(found))


def outline(
    found: Sequence[Probe], n_operators: int, outliner: Outliner, out: Path, progress: Progress
) -> None:
    """Write the Dice of every ladder with an outline that has no such file yet."""
    with_outline = [probe for probe in found if probe.outline is not None]
    for number, probe in enumerate(with_outline, start=1):
        for name in operators_of(probe, n_operators):
            path = out / probe.name / f"{name}.npz"
            if not path.exists():
                scan = probe.read()
                dice = outliner.dice(probe.organ, scan, [scan.image, *ladder(name, probe)])
                write(path, {"clean": dice[0], "spoiled": dice[1:]})
        progress("Dice along ladders", number, len(with_outline))


def missing(meters: Meters, name: str) -> dict[Path, Meter]:
    """Return where a file is not written yet, and what measures its content."""
    return {out / name: meter for out, meter in meters.items() if not (out / name).exists()}


def read(out: Path, probe: Probe) -> dict[str, Numbers]:
    """Return by operator what was written.

    Returns:
        Of distances `parts` (level, power, kind, tap, term) and `plain` (level, metric); of Dice
        `clean` and `spoiled` (level,).
    """
    paths = {name: out / probe.name / f"{name}.npz" for name in degrade.OPERATORS}
    return {name: _numbers(path) for name, path in paths.items() if path.exists()}


def read_still(out: Path, probe: Probe) -> Numbers | None:
    """Return what should hardly count, or None where it was not measured.

    Returns:
        `parts` (one of `INVARIANCES`, power, kind, tap, term); `turned`: uLPIPS of the scan from
        itself, and its change when two pictures change places.
    """
    path = out / probe.name / "still.npz"
    return _numbers(path) if path.exists() else None


def write(path: Path, content: Numbers) -> None:
    """Write numbers by name, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.savez(file, **content)  # type: ignore[arg-type]  # numpy's stub takes keys for options
    unfinished.replace(path)


def ladder(name: str, probe: Probe) -> list[UnitImage]:
    """Return the five levels of an operator."""
    scan = probe.read()
    return [
        eight_bits(degrade.apply(name, scan.image, scan.mask, level, probe.row.seed))
        for level in degrade.LEVELS
    ]


def _still(probe: Probe, meter: Meter) -> Numbers:
    scan = probe.read()
    noisy = eight_bits(degrade.apply("SPK", scan.image, scan.mask, 3, probe.row.seed))
    return {
        "parts": meter.measure(scan, _stills(scan)).parts,
        "turned": np.array(meter.asymmetry(scan, noisy)),
    }


def _stills(scan: Scan) -> list[UnitImage]:
    """Return the scan with what `INVARIANCES` names."""
    gains = [
        eight_bits(degrade.apply_at("G+", scan.image, scan.mask, gain, 0)) for gain in (3.0, -3.0)
    ]
    aside = np.roll(scan.image, 1, axis=1)
    aside[:, 0] = scan.image[:, 0]
    return [*gains, aside]


def _numbers(path: Path) -> Numbers:
    with np.load(path) as kept:
        return {key: kept[key] for key in kept.files}
