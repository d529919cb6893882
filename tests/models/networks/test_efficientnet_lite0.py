"""EfficientNet-Lite0 with the package's weights, on pictures whose content everyone knows."""

from importlib import resources

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.train

CATS = {281, 282, 285}  #: tabby, tiger cat, Egyptian cat
ESPRESSO = {967}


@pytest.mark.parametrize(("picture", "classes"), [("chelsea", CATS), ("coffee", ESPRESSO)])
def test_known_pictures_are_recognised(picture: str, classes: set[int]) -> None:
    """Weights, padding and the scale of inputs are right, or this fails."""
    import torch

    from sonoquality.networks.efficientnet_lite0 import TAPS, pretrained

    with resources.as_file(resources.files("skimage") / "data" / f"{picture}.png") as path:
        image = Image.open(path).convert("RGB")
    side = min(image.size)
    left, top = ((size - side) // 2 for size in image.size)
    square = image.crop((left, top, left + side, top + side)).resize((224, 224))
    x = torch.from_numpy(np.asarray(square, np.float32) / 255).permute(2, 0, 1)[None]
    with torch.inference_mode():
        scores, features = pretrained()(x), pretrained().features(x)

    assert int(scores.argmax()) in classes
    assert [(16, 112), (24, 56), (40, 28), (112, 14), (320, 7)] == [
        (each.shape[1], each.shape[2]) for each in features
    ]
    assert len(TAPS) == len(features)
