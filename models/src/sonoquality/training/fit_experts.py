"""Fit the experts that ship, on the training split, and write their zoo entry. Needs `onnx`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx

from sonoquality.arrays import Tokens, Windows
from sonoquality.errors import WeightsError
from sonoquality.export.density import density_model
from sonoquality.exported import graph_file, phantom_features, read_reader, read_record
from sonoquality.metrics.experts import ExpertManifold, Features
from sonoquality.session import open_session
from sonoquality.training import calibrate
from sonoquality.training.card_text import UNKNOWN
from sonoquality.training.data import (
    Row,
    allowed,
    calibrates,
    calibrates_unseen,
    read_index,
    training_rows,
)
from sonoquality.training.entry import LIMITS, FittedEntry, words_of, write_entry, write_golden
from sonoquality.training.experts import (
    Encoder,
    ExpertsRecipe,
    Progress,
    fit_experts,
    gather,
    heat_full,
    joined,
    scorer,
)
from sonoquality.training.fit import sources_of
from sonoquality.training.rankings import Rankings

CHOICES = (
    "Experts, their weights, twelve components, the size of the ranking and what it reads of the "
    "encoder's heads were chosen on validation ladders. That only fits without their source place "
    "the anchors, and that no clean image is left out of them, was decided after one nerve image "
    "of a device outside the collection had come out low. That whole images and small pieces are "
    "calibrated apart was decided after a look at 88 objects of other devices had shown that "
    "pieces alone had placed the anchors; of seven ways tried on validation images it is the one "
    "that sizes move least"
)
MADE_BY = "torch features, then sonoquality.metrics.experts"
PRECISION_WORDS = {"fp32": "float32", "fp16": "float16 weights", "int8": "int8"}


def exported_encoder(folder: Path) -> Encoder:
    """Return the fp32 graph of an exported encoder as a function.

    Raises:
        WeightsError: the folder has no such graph, or the encoder has no clean centre.
    """
    record, reader = read_record(folder), read_reader(folder)
    path = folder / graph_file("fp32")
    if reader is None or not path.is_file():
        raise WeightsError(
            f"{folder} lacks the fp32 graph or the clean centre; export an encoder of "
            "`sonoquality train encoder` with --precision fp32."
        )
    session = open_session(path, sha256="", ladder=("cpu",), threads=1, cache=folder)

    def encode(pixels: Windows, masks: Windows) -> tuple[Tokens, Tokens]:
        found = session.run(pixels, masks, ("taps", "tokens"))
        return found["taps"], found["tokens"]

    return Encoder(sha256=record.encoder_sha256, taps=record.taps, reader=reader, encode=encode)


def fit(
    folder: Path,
    data: Path,
    out: Path,
    *,
    progress: Progress,
    recipe: ExpertsRecipe,
    precision: str,
    rankings: Rankings | None = None,
) -> Path:
    """Fit on the training split and write the zoo entry; returns its folder.

    Args:
        folder: of an exported encoder.
        data: the collection.
        out: the zoo.
        progress: called as the work goes on.
        recipe: experts and weights.
        precision: of the encoder's graph that ships; features are those of fp32.
        rankings: for the expert `rank`, where the recipe has it.

    Raises:
        WeightsError: there is no graph of that precision, or the rankings are another encoder's.
    """
    encoder = exported_encoder(folder)
    graph = folder / graph_file(precision)
    if not graph.is_file():
        raise WeightsError(f"{graph} is missing; export with --precision {precision}.")
    rows = training_rows(read_index(data))
    fitting = [row for row in rows if not calibrates(row)]
    _check(rankings, encoder, {row.source for row in fitting})
    calibrating = [row for row in rows if calibrates(row)]
    parts = gather(encoder, allowed(fitting), len(fitting), progress)
    features = joined(parts)
    organs = [row.organ for row, part in zip(fitting, parts, strict=True) for _ in part.dct]
    ranker = rankings.all if rankings else None
    manifold = fit_experts(features, encoder, recipe, ranker, organs)
    without = _without(parts, fitting, (encoder, recipe, rankings))
    unseen = [row for row in fitting if row.group.endswith("_all") and calibrates_unseen(row)]
    scored = _calibration([*calibrating, *unseen], manifold, without, (encoder, recipe), progress)
    entry = out / recipe.name / recipe.version
    fitted = FittedEntry(
        name=recipe.name,
        version=recipe.version,
        manifold=manifold,
        anchors=calibrate.anchors_of(scored, recipe.calibration_trim, recipe.calibration_bins),
        heat_full=heat_full(manifold, features),
        recipe=recipe,
        sources=sources_of(fitting, calibrating),
        n_windows=len(features.dct),
        words=words_of(recipe, LIMITS, CHOICES, UNKNOWN),
        precision=PRECISION_WORDS[precision],
    )
    whole = density_model(onnx.load(graph), manifold).SerializeToString(deterministic=True)
    write_entry(entry, whole, fitted)
    said = phantom_features(folder)
    write_golden(entry, manifold, lambda phantom: said[phantom.name], MADE_BY)
    return entry


def _check(rankings: Rankings | None, encoder: Encoder, sources: set[str]) -> None:
    if rankings is None:
        return
    remedy = "Run sonoquality train ranker with this export and these images."
    if rankings.encoder_sha256 != encoder.sha256:
        raise WeightsError(
            f"The rankings were learned on encoder {rankings.encoder_sha256}, the graph holds "
            f"{encoder.sha256}. {remedy}"
        )
    if len(sources) > 1 and (unknown := sorted(sources - set(rankings.without))):
        raise WeightsError(f"There is no ranking without {', '.join(unknown)}. {remedy}")


def _without(
    parts: Sequence[Features],
    rows: Sequence[Row],
    by: tuple[Encoder, ExpertsRecipe, Rankings | None],
) -> Mapping[str, ExpertManifold]:
    """Fit once more without each source, by that source."""
    encoder, recipe, rankings = by
    sources = sorted({row.source for row in rows})
    windows_only = recipe.model_copy(update={"block": {}})
    return {
        source: fit_experts(
            joined([p for p, row in zip(parts, rows, strict=True) if row.source != source]),
            encoder,
            windows_only,
            rankings.without[source] if rankings else None,
        )
        for source in sources
        if len(sources) > 1
    }


def _calibration(
    rows: Sequence[Row],
    manifold: ExpertManifold,
    without: Mapping[str, ExpertManifold],
    by: tuple[Encoder, ExpertsRecipe],
    progress: Progress,
) -> list[calibrate.Sample]:
    """Score the rows by fits that know no image of their source: to a gate every device is new.

    With a single source there is no such fit, and the shipped one scores them.
    """
    scored: list[calibrate.Sample] = []
    for i, row in enumerate(allowed(rows)):
        judge = without.get(row.source, manifold)
        scored.extend(calibrate.samples([row], scorer(by[0], [judge], by[1])))
        progress("calibration", i + 1, len(rows))
    return scored
