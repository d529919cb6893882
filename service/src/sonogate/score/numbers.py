"""Which numbers a gate gives to every image, told by scoring a phantom."""

import numpy as np

from sonogate.domain.frames import FrameStack, Region
from sonogate.domain.instance import Header
from sonogate.score.scorer import ModelScorer
from sonogate.settings import ScoringSettings
from sonoquality.golden import Phantom
from sonoquality.preprocess import luma_of

SIDE = 256


def numbers_given(settings: ScoringSettings) -> frozenset[str]:
    """Return the names of all raw scores and severities; loads the model.

    Raises:
        ModelError: the model can't be loaded.
    """
    stack = _phantom()
    frame = ModelScorer.open(settings).score(stack).scores.frames[0]
    return frozenset({*frame.scores, *frame.attributes})


def _phantom() -> FrameStack:
    luma = luma_of(Phantom(name="numbers", width=SIDE, height=SIDE).picture())
    nowhere = np.zeros(luma.shape, np.bool_)
    return FrameStack(
        frames=luma[None],
        scan_mask=~nowhere,
        overlay_mask=nowhere,
        ink_mask=nowhere,
        hidden_mask=nowhere,
        frame_numbers=(1,),
        n_total=1,
        region=Region(x=0, y=0, width=SIDE, height=SIDE),
        screen_side=SIDE,
        has_calipers=False,
        header=Header(),
    )
