"""Short runs alike but for one thing: which losses pay, and what an unseen source costs.

Every run has the same seed, windows and number of windows as the first. A run without a source also
shows, beside the whole one, how an encoder does on images whose like it never saw.
"""

import csv
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from sonoquality.arrays import Floats
from sonoquality.networks.checkpoints import load_encoder
from sonoquality.networks.identity import sha256_of
from sonoquality.training.encoder import record
from sonoquality.training.encoder.config import EncoderConfig
from sonoquality.training.encoder.loop import Progress, train
from sonoquality.training.encoder.probe import Probe, Score, badness_by_image, features, make
from sonoquality.training.mixture import FitRecipe
from sonoquality.trials.table import KEYS

WHOLE = "whole"
#: What each run changes of the losses' weights.
WEIGHTS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        WHOLE: {},
        "without severity": {"severity": 0.0, "early_severity": 0.0},
        "without contrast": {"detection": 0.0, "compact": 0.0},
        "without ladder": {"ladder": 0.0},
        "without change": {"change": 0.0},
        "without texture": {"texture": 0.0},
        "with masked modelling": {"masked": 1.0},
    }
)
UNSEEN = ("hc18_fetal_head", "lung_pocus")  #: sources that a run is made without
SHIPPED = "as shipped"
PROBE_FILE, FEATURES = "probe.npz", "features"
WITHOUT_SOURCE = "unseen "
REFITTED = "whole, refitted without "  #: the whole run's encoder, a manifold without a source


def variants(base: EncoderConfig) -> dict[str, EncoderConfig]:
    """Return every run's configuration by name; all see the same number of windows."""
    found = {name: _weighted(base, changed) for name, changed in WEIGHTS.items()}
    for source in UNSEEN:
        found[WITHOUT_SOURCE + source] = base.model_copy(update={"without_sources": (source,)})
    return found


def _weighted(base: EncoderConfig, changed: Mapping[str, float]) -> EncoderConfig:
    weights = base.weights.model_copy(update=dict(changed))
    other = base.model_copy(update={"weights": weights})
    steps = round(base.n_steps * base.n_windows / other.n_windows)
    return other.model_copy(update={"n_steps": steps})


def folder_of(out: Path, name: str) -> Path:
    """Return where a run lies."""
    return out / name.replace(" ", "-")


def train_all(base: EncoderConfig, data: Path, out: Path, bank: Path, progress: Progress) -> None:
    """Make every run that is not finished, one after another.

    Raises:
        ValueError: a folder holds a run of another configuration.
    """
    for name, config in variants(base).items():
        train(config, data, folder_of(out, name), _named(name, progress), bank)


def _named(name: str, progress: Progress) -> Progress:
    return lambda work, done, total: progress(f"{name}: {work}", done, total)


def probe_of(out: Path, data: Path, progress: Progress) -> Probe:
    """Return the pictures that runs are judged by, made once and kept beside the runs."""
    place = out / PROBE_FILE
    if not place.exists():
        make(data, progress).save(place)
    return Probe.load(place)


def measure(
    base: EncoderConfig,
    out: Path,
    data: Path,
    path: Path,
    progress: Progress,
    *,
    shipped: Path | None = None,
) -> None:
    """Judge the probe's pictures by every run that is finished; writes one table for all.

    Args:
        base: of the runs.
        out: folder that holds them.
        data: folder of the images.
        path: CSV, one line per picture and one column per judge (ranks, higher is better).
        progress: told how many runs are done.
        shipped: folder of a long run's encoder, to stand beside the short ones.

    Raises:
        ValueError: the whole run is not finished, or the data have no validation images.
    """
    every = {
        name: config
        for name, config in variants(base).items()
        if record.is_finished(folder_of(out, name))
    }
    if WHOLE not in every:
        raise ValueError(f"{out} has no whole run to compare with; train it first.")
    probe = probe_of(out, data, progress)
    columns: dict[str, Score] = {}
    for number, (name, config) in enumerate(every.items(), start=1):
        vectors = _vectors(folder_of(out, name), probe, out)
        refits = {name: config.without_sources}
        if name == WHOLE:
            refits |= {f"{REFITTED}{source}": (source,) for source in UNSEEN}
        for judge, without in refits.items():
            columns[judge] = badness_by_image(vectors, probe, FitRecipe(), without)
        progress("runs measured", number, len(every))
    if shipped:
        columns[SHIPPED] = badness_by_image(_vectors(shipped, probe, out), probe, FitRecipe())
    _write(path, probe, columns)


def _vectors(run: Path, probe: Probe, out: Path) -> Floats:
    """Return (n, tap * width) features by a run's encoder; computed once, kept beside the runs."""
    encoder = load_encoder(run)
    place = out / FEATURES / f"{sha256_of(encoder)[:16]}-{len(probe.image)}.npy"
    if not place.exists():
        place.parent.mkdir(exist_ok=True)
        found = features(encoder, probe)
        np.save(place, found.reshape(len(found), -1))
    return np.asarray(np.load(place))


def _write(path: Path, probe: Probe, columns: Mapping[str, Score]) -> None:
    about = dict(zip(probe.image, zip(probe.source, probe.group, strict=True), strict=True))
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow([*KEYS, *columns])
        for image, operator, level in columns[WHOLE]:
            ranks = [-scores[image, operator, level] for scores in columns.values()]
            source, group = about[image]
            lines.writerow([image, source, group, operator, level, *(f"{r:.5g}" for r in ranks)])
