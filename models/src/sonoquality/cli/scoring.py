"""Commands that score pictures with a zoo entry."""

import json
from pathlib import Path

import numpy as np
import typer
from PIL import Image

from sonoquality.cli.options import Entry
from sonoquality.golden import differences
from sonoquality.model import QualityModel
from sonoquality.preprocess import luma_of, scan_mask
from sonoquality.zoo import SHIPPED, default_zoo


def score(
    images: list[Path],
    entry: Entry = None,
) -> None:
    """Score pictures; one JSON line each."""
    model = QualityModel.load(entry or default_zoo() / SHIPPED)
    for path in images:
        luma = luma_of(np.asarray(Image.open(path).convert("RGB")))
        found = model.score(luma[None], scan_mask(luma))[0]
        line = {"path": str(path), "quality": round(found.quality, 2), "uncertain": found.uncertain}
        print(json.dumps({**line, "scores": dict(found.scores)}))


def golden(
    entry: Entry = None,
) -> None:
    """Compare a model with its golden scores."""
    folder = entry or default_zoo() / SHIPPED
    lines = differences(QualityModel.load(folder), folder)
    print("\n".join(lines) or "as golden")
    raise typer.Exit(code=1 if lines else 0)
