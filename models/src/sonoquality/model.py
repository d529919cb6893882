"""A quality model of the zoo, loaded and ready: frames in, quality per frame out."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TypedDict

import numpy as np

from sonoquality.arrays import Frames, Mask, ShapeError, UnitImage
from sonoquality.attributes import AttributeMeasure
from sonoquality.card import (
    BadCardError,
    ManifoldFile,
    ModelCard,
    OtherManifoldError,
    checked_manifold,
)
from sonoquality.errors import ManifoldError, UnknownOrganError
from sonoquality.joining import Told, joined, located
from sonoquality.metrics import experts_file
from sonoquality.metrics.experts import ExpertManifold
from sonoquality.pooling import area_mean, heat_map, worst_area_mean
from sonoquality.preprocess import WindowSet, WorkingImage, windows_of, working_image
from sonoquality.session import Outputs, Session, open_session
from sonoquality.utility import OUTPUTS
from sonoquality.zoo import ENCODER_KEY, MODEL_FILE

#: What a score is made of; a graph may say more.
SCORED = ("badness", "block_badness", "block_counts")
#: The statistics by which organs are told.
DCT = "dct"
LADDER = ("tensorrt", "cuda", "cpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameQuality:
    """What the model says of one frame."""

    quality: float  #: [0, 100]; 100 is best
    scores: Mapping[str, float]  #: raw numbers by name
    heat: UnitImage  #: (height, width) of the frame; 1 is bad
    clean_share: float  #: of clean images of that size, those that score no better
    organs: Mapping[str, float]  #: how likely each; empty where the model knows none
    uncertain: bool  #: too little of a scan to be sure, or a doubt that decides about the band
    preprocess_seconds: float
    infer_seconds: float
    faults: Mapping[str, AttributeMeasure] = field(default_factory=dict)
    """By the finding's code, where the model knows faults."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityModel:
    """A loaded model with its card."""

    card: ModelCard
    session: Session
    manifold: ExpertManifold | None = None  #: what the tensors were made of, if there are any

    @classmethod
    def load(
        cls,
        entry: Path,
        providers: Sequence[str] = LADDER,
        threads: int = 1,
        cache: Path | None = None,
        organ: str | None = None,
    ) -> "QualityModel":
        """Load a zoo entry on the best provider that really works.

        Args:
            entry: folder with model.onnx and model.toml.
            providers: rungs to try, best first.
            threads: for inference.
            cache: folder for compiled engines; a folder of the system's temporary one by default.
            organ: what all pictures show, if that is known and the model has it.

        Raises:
            UnknownOrganError: the model does not know the organ.
            ModelCardError: card, model or manifold is missing, a hash differs, the manifold is
                another encoder's, or no provider loads the model.
        """
        card = ModelCard.read(entry)
        session = open_session(
            card.check_hash(entry),
            sha256=card.sha256,
            ladder=providers,
            threads=threads,
            cache=cache or Path(tempfile.gettempdir()) / "sonoquality-engines",
        )
        manifold = None
        if card.manifold is not None:
            manifold = _manifold(entry, card.manifold, session.metadata)
        if organ is not None:
            manifold = _known(manifold, organ)
        if manifold is not None:
            session = session.given(experts_file.tensors_of(manifold))
        return cls(card=card, session=session, manifold=manifold)

    @property
    def name(self) -> str:
        """The zoo's name of the model."""
        return self.card.name

    @property
    def version(self) -> str:
        """The model's version."""
        return self.card.version

    @property
    def sha256(self) -> str:
        """Hash of the model file."""
        return self.card.sha256

    @property
    def provider(self) -> str:
        """The rung that really loaded: tensorrt, cuda or cpu."""
        return self.session.provider

    @property
    def rungs_failed(self) -> tuple[str, ...]:
        """Why each better rung did not load."""
        return self.session.rungs_failed

    def score(
        self, frames: Frames, scan_mask: Mask, overlay_mask: Mask | None = None
    ) -> list[FrameQuality]:
        """Score frames (frame, height, width) that share one scan mask (height, width).

        Raises:
            ShapeError: sizes differ, or the scan mask is empty.
        """
        if frames.ndim != 3:
            raise ShapeError(
                f"Expected (frame, height, width), got {frames.shape}; pass frame[None]."
            )
        return [self._score_one(frame, scan_mask, overlay_mask) for frame in frames]

    def _score_one(self, frame: Frames, scan: Mask, overlay: Mask | None) -> FrameQuality:
        start = perf_counter()
        working = working_image(frame, scan, overlay)
        windows = windows_of(working)
        prepared = perf_counter()
        outputs = self.session.run(windows.pixels, windows.masks, self.outputs)
        inferred = perf_counter()
        quality = self._judged(outputs, windows, working, scan)
        pooled = perf_counter()
        return FrameQuality(
            **quality,
            preprocess_seconds=(prepared - start) + (pooled - inferred),
            infer_seconds=inferred - prepared,
        )

    @property
    def outputs(self) -> tuple[str, ...]:
        """What a score asks of the graph."""
        organs = () if self.manifold is None else (DCT,)
        return (*SCORED, *organs, *(() if self.card.utility is None else OUTPUTS))

    def _judged(
        self, outputs: Outputs, windows: WindowSet, working: WorkingImage, scan: Mask
    ) -> "_Judged":
        card = self.card
        badness = outputs["badness"].astype(np.float64)
        mean = area_mean(badness, windows.areas)
        worst = worst_area_mean(badness, windows.areas, card.tail_share)
        score = (1.0 - card.tail_weight) * mean + card.tail_weight * worst
        scores = {
            f"{card.scale.name}_mean": mean,
            f"{card.scale.name}_worst": worst,
            "windows": float(len(badness)),
        }
        faults: Mapping[str, AttributeMeasure] = {}
        uncertain = not windows.enough or int(outputs["block_counts"].sum()) < card.least_blocks
        if card.utility is not None:
            told = Told.by(outputs, card.utility)
            both = joined(score, told, card, len(badness))
            scores |= {f"{card.scale.name}_nrq": score, **told.scores}
            faults = located(told, card.utility, (windows, working), scan)
            score, uncertain = both.badness, uncertain or both.unsure
        heat = np.clip(outputs["block_badness"] / card.heat_full, 0.0, 1.0)
        return _Judged(
            quality=card.scale.to_quality(score, len(badness)),
            clean_share=card.scale.clean_share(score, len(badness)),
            organs=self._organs(outputs),
            scores={card.scale.name: score, **scores},
            heat=heat_map(heat.astype(np.float32), windows, working, scan.shape),
            uncertain=uncertain,
            faults=faults,
        )

    def _organs(self, outputs: Outputs) -> Mapping[str, float]:
        if self.manifold is None:
            return {}
        return self.manifold.organ_posterior(outputs[DCT].astype(np.float64))


def _known(manifold: ExpertManifold | None, organ: str) -> ExpertManifold:
    if manifold is None:
        raise UnknownOrganError("The model knows no organs; leave the organ out.")
    return manifold.for_organ(organ)


def _manifold(entry: Path, manifold: ManifoldFile, metadata: Mapping[str, str]) -> ExpertManifold:
    """Read the manifold of an entry, and refuse one that knows another encoder's features."""
    path = checked_manifold(entry, manifold)
    try:
        found = experts_file.load(path)
    except ManifoldError as error:
        raise BadCardError(str(error)) from error
    encoder = metadata.get(ENCODER_KEY, "of no name")
    if encoder != found.encoder_sha256:
        raise OtherManifoldError(
            f"{path} was fitted on the features of encoder {found.encoder_sha256}, but "
            f"{entry / MODEL_FILE} holds encoder {encoder}. Fit it again with this entry, by "
            "sonoquality fit."
        )
    return found


class _Judged(TypedDict):
    quality: float
    clean_share: float
    organs: Mapping[str, float]
    scores: Mapping[str, float]
    heat: UnitImage
    uncertain: bool
    faults: Mapping[str, AttributeMeasure]
