"""What the networks of a run make of pictures they never saw, in numbers and side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from sonoquality.arrays import UnitImage
from sonoquality.metrics.sharpness import mean_gradient
from sonoquality.networks.restorer import Restorer, enlarged, reduced
from sonoquality.networks.ulpips import Ulpips
from sonoquality.networks.vit import VisionTransformer
from sonoquality.preprocess import WINDOW
from sonoquality.results.restoration import Restored
from sonoquality.training.restoration import crops
from sonoquality.training.restoration.loop import load_restorers
from sonoquality.training.restoration.losses import ssim

BICUBIC, TRUTH = "bicubic", "truth"
GAP_PX, TITLE_PX = 4, 15
GROUND, INK = 48, 255


@torch.no_grad()
def measure(run: Path, encoder: VisionTransformer, data: Path | None) -> list[Restored]:
    """Measure every method on the middle crop of every validation picture.

    Raises:
        FileNotFoundError: the run was not finished.
    """
    distance, restorers = Ulpips(encoder), load_restorers(run)
    rows = []
    for source in crops.validation_sources(data):
        truth = torch.from_numpy(crops.middle(source))[None, None]
        for method, picture in _restored(truth, restorers).items():
            rows.append(_measured(source, method, picture, truth, distance))
    return rows


def _restored(truth: Tensor, restorers: Mapping[str, Restorer]) -> dict[str, Tensor]:
    """Return what each method makes of the reduced picture, rounded to 8 bits."""
    factor = next(iter(restorers.values())).factor
    small = reduced(truth, factor)
    made = {BICUBIC: enlarged(small, factor)}
    made.update({name: restorer(small) for name, restorer in restorers.items()})
    return {name: torch.round(each.clamp(0, 1) * 255) / 255 for name, each in made.items()}


def _measured(
    source: crops.Source, method: str, picture: Tensor, truth: Tensor, distance: Ulpips
) -> Restored:
    everywhere = np.ones(picture.shape[2:], np.bool_)
    gradients = [mean_gradient(each[0, 0].numpy(), everywhere) for each in (picture, truth)]
    return Restored(
        picture=source.name,
        group=source.group,
        method=method,
        psnr_db=-10.0 * float(torch.log10((picture - truth).square().mean().clamp_min(1e-10))),
        ssim=float(ssim(picture, truth)[0]),
        ulpips=float(distance(picture, truth)[0]),
        gradient_kept=gradients[0] / max(gradients[1], 1e-9),
    )


@torch.no_grad()
def sheet(run: Path) -> Image.Image:
    """Draw phantoms, a row each: enlarged, restored by each network, and the truth."""
    restorers = load_restorers(run)
    lines = []
    for source in crops.phantom_sources():
        truth = torch.from_numpy(crops.middle(source))[None, None]
        made = {**_restored(truth, restorers), TRUTH: truth}
        lines.append({name: picture[0, 0].numpy() for name, picture in made.items()})
    return _sheet(lines)


def _sheet(lines: Sequence[Mapping[str, UnitImage]]) -> Image.Image:
    side = WINDOW
    cell = side + GAP_PX, side + TITLE_PX + GAP_PX
    canvas = Image.new("L", (cell[0] * len(lines[0]), cell[1] * len(lines)), GROUND)
    pen = ImageDraw.Draw(canvas)
    for row, line in enumerate(lines):
        for column, (name, picture) in enumerate(line.items()):
            left, top = column * cell[0], row * cell[1]
            pen.text((left + 2, top + 1), name, fill=INK)
            grey = np.rint(picture * 255).astype(np.uint8)
            canvas.paste(Image.fromarray(grey), (left, top + TITLE_PX))
    return canvas
