"""Measure operators at every level on held-out pictures; each ladder is a file of numbers.

`OUT/<picture>/<operator>.npz` holds distances, `<operator>.dice.npz` what an outline is worth: a
run goes on where it stopped, and other weights of uLPIPS' parts need no new distances.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
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


def operators_of(probe: Probe, n_operators: int) -> list[str]:
    """Return the operators that a picture is measured under, by turns, of different kinds first."""
    names = list(degrade.OPERATORS)
    turns = [
        (probe.number + start + place) % len(names)
        for start in range(APART)
        for place in range(0, len(names), APART)
    ]
    return [names[turn] for turn in turns[:n_operators]]


def measure(
    found: Sequence[Probe], n_operators: int, meter: Meter, out: Path, progress: Progress
) -> None:
    """Write the distances of every ladder that has no file yet."""
    for number, probe in enumerate(found, start=1):
        folder = _folder(out, probe)
        for name, rungs in _missing(probe, operators_of(probe, n_operators), folder, ".npz"):
            measured = meter.measure(probe.read(), rungs)
            write(folder / f"{name}.npz", {"parts": measured.parts, "plain": measured.plain})
        if not (folder / "still.npz").exists():
            write(folder / "still.npz", _still(probe, meter))
        progress("distances along ladders", number, len(found))


def outline(
    found: Sequence[Probe], n_operators: int, outliner: Outliner, out: Path, progress: Progress
) -> None:
    """Write the Dice of every ladder with an outline that has no such file yet."""
    with_outline = [probe for probe in found if probe.outline is not None]
    for number, probe in enumerate(with_outline, start=1):
        folder = _folder(out, probe)
        for name, rungs in _missing(probe, operators_of(probe, n_operators), folder, ".dice.npz"):
            scan = probe.read()
            dice = outliner.dice(probe.organ, scan, [scan.image, *rungs])
            write(folder / f"{name}.dice.npz", {"clean": dice[0], "spoiled": dice[1:]})
        progress("Dice along ladders", number, len(with_outline))


def read(out: Path, probe: Probe) -> dict[str, Numbers]:
    """Return by operator `parts` (level, kind, tap, term) and `plain` (level, metric)."""
    return _read(out, probe, ".npz")


def read_dice(out: Path, probe: Probe) -> dict[str, Numbers]:
    """Return by operator the Dice `clean` and `spoiled` (level,)."""
    return _read(out, probe, ".dice.npz")


def read_still(out: Path, probe: Probe) -> Numbers | None:
    """Return what should hardly count, or None where it was not measured.

    Returns:
        `parts` (one of `INVARIANCES`, kind, tap, term); `turned`: uLPIPS of the scan from itself,
        and its change when two pictures change places.
    """
    path = out / probe.name / "still.npz"
    return _numbers(path) if path.exists() else None


def write(path: Path, content: Numbers) -> None:
    """Write numbers by name, whole or not at all."""
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.savez(file, **content)  # type: ignore[arg-type]  # numpy's stub takes keys for options
    unfinished.replace(path)


def _folder(out: Path, probe: Probe) -> Path:
    folder = out / probe.name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _missing(
    probe: Probe, names: Sequence[str], folder: Path, suffix: str
) -> Iterator[tuple[str, list[UnitImage]]]:
    """Yield the operators without a file, and the five levels of each."""
    for name in names:
        if not (folder / f"{name}{suffix}").exists():
            yield name, ladder(name, probe.read(), probe.row.seed)


def ladder(name: str, scan: Scan, seed: int) -> list[UnitImage]:
    """Return the five levels of an operator."""
    return [
        eight_bits(degrade.apply(name, scan.image, scan.mask, level, seed))
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


def _read(out: Path, probe: Probe, suffix: str) -> dict[str, Numbers]:
    paths = {name: out / probe.name / f"{name}{suffix}" for name in degrade.OPERATORS}
    return {name: _numbers(path) for name, path in paths.items() if path.exists()}


def _numbers(path: Path) -> Numbers:
    with np.load(path) as kept:
        return {key: kept[key] for key in kept.files}
