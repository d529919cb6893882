"""Score a stack of frames with a model of the zoo; measure the faults that explain the score."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonogate.domain.frames import FrameStack, Region
from sonogate.domain.job import Greeting
from sonogate.domain.scores import Attribute, FrameScore, FrameScores, ModelIdentity, ScoredStack
from sonogate.errors import ModelError
from sonogate.score.identity import entry_of
from sonogate.settings import ScoringSettings
from sonoquality.attributes import AttributeMeasure, measure, worse_of
from sonoquality.card import ModelCardError
from sonoquality.fill import without_ink
from sonoquality.metrics.by_hand import by_hand
from sonoquality.model import FrameQuality, QualityModel


@dataclass(frozen=True, slots=True)
class ModelScorer:
    """A `Scorer` over one loaded `QualityModel`."""

    model: QualityModel

    @classmethod
    def open(cls, settings: ScoringSettings) -> "ModelScorer":
        """Load the zoo entry that the settings name.

        Raises:
            ModelError: the entry is missing, its hash differs, or no provider loads it.
        """
        entry = entry_of(settings)
        try:
            return cls(
                QualityModel.load(
                    entry, providers=settings.providers, threads=settings.threads_per_worker
                )
            )
        except ModelCardError as error:
            raise ModelError(f"scoring.model = {settings.model!r}: {error}") from error

    @property
    def greeting(self) -> Greeting:
        """Who this model is, and the bands its card proposes."""
        card = self.model.card
        return Greeting(
            model=self.identity,
            high_from=card.high_from,
            medium_from=card.medium_from,
            rungs_failed=tuple(self.model.rungs_failed),
        )

    @property
    def identity(self) -> ModelIdentity:
        """The model's name, version, hash and the provider that really loaded."""
        model = self.model
        return ModelIdentity(
            name=model.name, version=model.version, sha256=model.sha256, provider=model.provider
        )

    def score(self, stack: FrameStack) -> ScoredStack:
        """Score every frame of the stack; attributes are located in pixels of the stored frame."""
        seen = scored(stack)
        qualities = self.model.score(seen, stack.scan_mask, stack.hidden_mask)
        frames = tuple(
            self._frame_score(stack, row, seen[row], quality)
            for row, quality in enumerate(qualities)
        )
        return ScoredStack(
            scores=FrameScores(
                model=self.identity,
                frames=frames,
                n_total=stack.n_total,
                scan=scan_box(stack),
                uncertain=any(quality.uncertain for quality in qualities),
                doubt=stack.doubt,
            ),
            heats=tuple(quality.heat for quality in qualities),
            preprocess_seconds=sum(quality.preprocess_seconds for quality in qualities),
            infer_seconds=sum(quality.infer_seconds for quality in qualities),
        )

    def _frame_score(
        self, stack: FrameStack, row: int, seen: NDArray[np.uint8], quality: FrameQuality
    ) -> FrameScore:
        measured = measure(stack.frames[row], stack.scan_mask, stack.overlay_mask, quality.heat)
        measures = worse_of(measured, quality.faults)
