"""A run that teaches rankings: features of the bank's ladders, then one ranking and one per source.

The rankings that never saw a source stand for devices that no training has met: the scale of the
score is placed with them, and transfer is measured with them.
"""

from collections.abc import Callable
from pathlib import Path

from sonoquality.errors import WeightsError
from sonoquality.training import ladder_features
from sonoquality.training.data import Row, calibrates, read_index, training_rows
from sonoquality.training.encoder import bank
from sonoquality.training.experts import Encoder
from sonoquality.training.ladder_features import LadderFeatures, Progress
from sonoquality.training.ranker import RankerConfig, train
from sonoquality.training.rankings import RANKINGS_FILE, Rankings

FEATURES_FILE = "ladders.npz"
CONFIG_FILE = "config.json"


def run(
    config: RankerConfig,
    encoder: Encoder,
    data: Path,
    folders: tuple[Path, Path],
    progress: Progress,
) -> Path:
    """Measure the bank's ladders, unless that was done, and teach the rankings; returns the folder.

    Args:
        config: how the rankings are taught.
        encoder: gives one of the features.
        data: the collection.
        folders: of this run, and of the bank.
        progress: called as the work goes on.

    Raises:
        WeightsError: the features kept in the folder are another encoder's.
        ValueError: the bank is of other images.
    """
    out, _ = folders
    rows = [row for row in training_rows(read_index(data)) if not calibrates(row)]
    out.mkdir(parents=True, exist_ok=True)
    features = _features(encoder, rows, folders, config, progress)
    sources = sorted({row.source for row in rows})
    whole = train(features, config, progress=_named(progress, "ranking"))
    without = {
        source: train(
            features,
            config,
            without=[place for place, row in enumerate(rows) if row.source == source],
            progress=_named(progress, f"without {source}"),
        )
        for source in sources
        if len(sources) > 1
    }
    rankings = Rankings(encoder_sha256=encoder.sha256, all=whole, without=without)
    rankings.save(out / RANKINGS_FILE)
    (out / CONFIG_FILE).write_text(config.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return out


def _named(progress: Progress, work: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(work, done, total)


def _features(
    encoder: Encoder,
    rows: list[Row],
    folders: tuple[Path, Path],
    config: RankerConfig,
    progress: Progress,
) -> LadderFeatures:
    out, place = folders
    kept = out / FEATURES_FILE
    if kept.exists():
        found = LadderFeatures.load(kept)
        if found.encoder_sha256 != encoder.sha256:
            raise WeightsError(f"{kept} holds features of another encoder; name another folder.")
        return found
    recipe = bank.BankRecipe(seed=config.seed)
    bank.build(rows, place, recipe, progress)
    found = ladder_features.measure(
        encoder, rows, place, recipe, gain_db=config.gain_jitter_db, progress=progress
    )
    found.save(kept)
    return found
