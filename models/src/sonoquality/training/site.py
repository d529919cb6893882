"""Fit a site's own manifold, on its own clean images, with the encoder of a zoo entry. No torch."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sonoquality import golden
from sonoquality.arrays import Luma, Mask, Tokens, Windows
from sonoquality.card import ModelCard
from sonoquality.errors import ManifoldError
from sonoquality.metrics import experts_file
from sonoquality.metrics.experts import ExpertManifold
from sonoquality.metrics.ranker import Ranker
from sonoquality.model import QualityModel
from sonoquality.preprocess import scan_mask, windows_of, working_image
from sonoquality.training import calibrate
from sonoquality.training.entry import (
    SITE_LIMITS,
    FittedEntry,
    words_of,
    write_entry,
    write_golden,
)
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
from sonoquality.zoo import MODEL_FILE

ADVISED = 500
LEAST = 20  #: below it, not even the quantiles of the anchors part
CALIBRATION_EVERY = 5
VERSION = "1.0.0"
KEPT_OUT = "Measured on images that were kept out of the fit"
LICENCE = "the site's own"
CHOICES = "Experts and weights are those of the entry it was fitted with; one in five calibrates"
MADE_BY = "features of model.onnx, then sonoquality.metrics.experts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One image of a site."""

    path: Path
    sha256: str
    luma: Callable[[Path], Luma]  #: how it is read

    @property
    def seed(self) -> int:
        """A number that belongs to this image, the same wherever the file lies."""
        return int(self.sha256[:8], 16)

    def read(self) -> tuple[Luma, Mask]:
        """Return luminance and scan mask."""
        luma = self.luma(self.path)
        return luma, scan_mask(luma)


def pictures_of(paths: Sequence[Path], luma: Callable[[Path], Luma]) -> list[Picture]:
    """Return pictures in the order of their content; one that is there twice counts once."""
    by_hash = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in sorted(paths)}
    return [
        Picture(path=path, sha256=sha256, luma=luma) for sha256, path in sorted(by_hash.items())
    ]


def fit(
    entry: Path, pictures: Sequence[Picture], organ: str, out: Path, progress: Progress
) -> Path:
    """Fit the entry's experts anew on pictures and write an entry of the site's own.

    Args:
        entry: of the zoo; gives graph, encoder, experts and weights.
        pictures: clean images; `ADVISED` or more are better.
        organ: names the new entry, with the name of the old.
        out: the zoo to write to.
        progress: called as the work goes on.

    Raises:
        ManifoldError: the entry has no experts, or there are too few pictures.
        ModelCardError: the entry can't be used.
    """
    if len(pictures) < LEAST:
        raise ManifoldError(f"{len(pictures)} images are too few to fit on: give {LEAST} or more.")
    model = QualityModel.load(entry, providers=("cpu",))
    shipped = _manifold(entry, model.card)
    recipe = _recipe(shipped, model.card)
    encoder = _encoder(model, shipped)
    held_out = pictures[::CALIBRATION_EVERY]
    fitting = [picture for picture in pictures if picture not in held_out]
    features = joined(gather(encoder, fitting, len(fitting), progress))
    manifold = fit_experts(features, encoder, recipe, _ranker(shipped))
    judge = scorer(encoder, [manifold], recipe)
    scored: list[calibrate.Sample] = []
    for i, picture in enumerate(held_out):
        scored.extend(calibrate.samples([picture], judge))
        progress("calibration", i + 1, len(held_out))
    name = f"{model.card.name}-{organ}"
    fitted = FittedEntry(
        name=name,
        version=VERSION,
        manifold=manifold,
        anchors=calibrate.anchors_of(scored, recipe.calibration_trim, recipe.calibration_bins),
        heat_full=heat_full(manifold, features),
        recipe=recipe,
        sources=((organ, LICENCE, len(fitting), len(held_out)),),
        n_windows=len(features.dct),
        words=words_of(recipe, SITE_LIMITS, CHOICES, KEPT_OUT),
        precision="as in the entry that it was fitted with",
        split="site",
    )
    write_entry(out / name / VERSION, (entry / MODEL_FILE).read_bytes(), fitted)
    write_golden(out / name / VERSION, manifold, _phantoms(encoder), MADE_BY)
    return out / name / VERSION


def _manifold(entry: Path, card: ModelCard) -> ExpertManifold:
    if card.manifold is None:
        raise ManifoldError(f"{entry} has no experts to fit; name an entry of an encoder.")
    return experts_file.load(entry / card.manifold.file)


def _recipe(shipped: ExpertManifold, card: ModelCard) -> ExpertsRecipe:
    """Return the recipe that the entry's own manifold was fitted by, as far as it matters here."""
    return ExpertsRecipe(
        window={expert.view.name: expert.weight for expert in shipped.window},
        block={expert.view.name: expert.weight for expert in shipped.block},
        components=tuple(sorted({1, shipped.n_components})),
        tail_share=card.tail_share,
        tail_weight=card.tail_weight,
    )


def _ranker(shipped: ExpertManifold) -> Ranker | None:
    """Return the ranking of the entry, which a site keeps: it has no ladders to learn from."""
    return next((e.model for e in shipped.window if isinstance(e.model, Ranker)), None)


def _encoder(model: QualityModel, shipped: ExpertManifold) -> Encoder:
    def encode(pixels: Windows, masks: Windows) -> tuple[Tokens, Tokens]:
        found = model.session.run(pixels, masks, ("taps", "tokens"))
        return found["taps"], found["tokens"]

    return Encoder(
        sha256=shipped.encoder_sha256,
        taps=shipped.encoder_taps,
        reader=shipped.reader,
        encode=encode,
    )


def _phantoms(encoder: Encoder) -> Callable[[golden.Phantom], tuple[Tokens, Tokens]]:
    def encode(phantom: golden.Phantom) -> tuple[Tokens, Tokens]:
        windows = windows_of(working_image(*golden.inputs_of(phantom)))
        return encoder.encode(windows.pixels, windows.masks)

    return encode
