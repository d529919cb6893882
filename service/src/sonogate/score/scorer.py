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
        return FrameScore(
            frame_number=stack.frame_numbers[row],
            quality=quality.quality,
            scores={**quality.scores, **by_hand(seen, stack.scan_mask, stack.hidden_mask)},
            attributes={code: to_attribute(found, stack) for code, found in measures.items()},
        )


def scored(stack: FrameStack) -> NDArray[np.uint8]:
    """Return the frames (frame, height, width) without what is drawn over them in thin strokes."""
    return without_ink(stack.frames, stack.ink_mask, ~stack.hidden_mask, stack.scan_mask)


def to_attribute(found: AttributeMeasure, stack: FrameStack) -> Attribute:
    """Carry a measure from the cropped, perhaps reduced grid to pixels of the stored frame."""
    if found.box is None:
        return Attribute(severity=found.severity)
    return Attribute(severity=found.severity, region=to_stored(found.box, stack))


def to_stored(box: tuple[int, int, int, int], stack: FrameStack) -> Region:
    """Map a box (x, y, width, height) of the stack's grid to the stored frame."""
    _, height, width = stack.frames.shape
    scale_x, scale_y = stack.region.width / width, stack.region.height / height
    x, y, box_width, box_height = box
    return Region(
        x=stack.region.x + round(x * scale_x),
        y=stack.region.y + round(y * scale_y),
        width=max(1, round(box_width * scale_x)),
        height=max(1, round(box_height * scale_y)),
    )


def scan_box(stack: FrameStack) -> Region | None:
    """Return the bounding box of the scan in pixels of the stored frame; None if it is empty."""
    rows, columns = (np.flatnonzero(stack.scan_mask.any(axis)) for axis in (1, 0))
    if not len(rows):
        return None
    x, y = int(columns[0]), int(rows[0])
    return to_stored((x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1), stack)


def worst_row(scores: FrameScores) -> int:
    """Return the row of the frame with the lowest quality: the one a person should see."""
    return int(np.argmin([frame.quality for frame in scores.frames]))
