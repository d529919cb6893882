"""What the networks of a run make of pictures they never saw, in numbers and side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from sonoquality.arrays import UnitImage
from sonoquality.metrics.baselines.distances import psnr, ssim
from sonoquality.metrics.sharpness import mean_gradient
from sonoquality.networks.distances import lpips_style, ms_ssim
from sonoquality.networks.restorer import Restorer, enlarged, reduced
from sonoquality.networks.ulpips import Ulpips
from sonoquality.networks.vit import VisionTransformer
from sonoquality.preprocess import WINDOW
from sonoquality.results.restoration import Restored
from sonoquality.training.restoration import crops
from sonoquality.training.restoration.loop import load_restorers, read_run
from sonoquality.training.segmentation.meter import Outliner
from sonoquality.training.segmentation.probes import Scan

BICUBIC, TRUTH = "bicubic", "truth"
PER_SOURCE = 12
"""Validation pictures of each organ that the comparison is made on; of others a third."""
GAP_PX, TITLE_PX = 4, 15
GROUND, INK, WHITE = 48, 255, 255.0


@torch.no_grad()
def measure(
    run: Path,
    encoder: VisionTransformer,
    data: Path | None,
    segmentation: Path | None,
    n_pictures: int = PER_SOURCE,
) -> list[Restored]:
    """Measure every method on validation scans, whole; phantoms without a collection.

    Args:
        run: folder of the restorers.
        encoder: of uLPIPS.
        data: folder of the collection.
        segmentation: folder of the networks that outline organs; without it no Dice.
        n_pictures: of each source with outlines.

    Raises:
        FileNotFoundError: a run was not finished.
    """
    distance, restorers = Ulpips(encoder), load_restorers(run)
    outliner = None if segmentation is None else Outliner(segmentation)
    factor, n_steps = next(iter(restorers.values())).factor, read_run(run).n_steps
    rows = []
    for named in crops.validation_scans(data, n_pictures):
        scan = _divisible(named.read(), factor)
        truth = torch.from_numpy(scan.image)[None, None]
        made = {**_restored(truth, restorers), TRUTH: truth}
        pictures = {method: np.ascontiguousarray(each[0, 0]) for method, each in made.items()}
        dice = dict.fromkeys(pictures, float("nan"))
        if outliner is not None and named.organ:
            found = outliner.dice(named.organ, scan, list(pictures.values()))
            dice = dict(zip(pictures, found.tolist(), strict=True))
        rows += [
            _measured(
                named,
                scan,
                made=(method, picture, dice[method]),
                distance=distance,
                factor=factor,
                n_steps=n_steps,
            )
            for method, picture in pictures.items()
        ]
    return rows


def _divisible(scan: Scan, factor: int) -> Scan:
    """Cut a scan to sides that the factor divides."""
    height, width = (side - side % factor for side in scan.image.shape)
    organ = None if scan.organ is None else scan.organ[:height, :width]
    return Scan(image=scan.image[:height, :width], mask=scan.mask[:height, :width], organ=organ)


def _restored(truth: Tensor, restorers: Mapping[str, Restorer]) -> dict[str, Tensor]:
    """Return what each method makes of the reduced picture, rounded to 8 bits."""
    factor = next(iter(restorers.values())).factor
    small = reduced(truth, factor)
    made = {BICUBIC: enlarged(small, factor)}
    made.update({name: restorer(small) for name, restorer in restorers.items()})
    return {name: torch.round(each.clamp(0, 1) * 255) / 255 for name, each in made.items()}


def _measured(
    named: crops.NamedScan,
    scan: Scan,
    *,
    made: tuple[str, UnitImage, float],
    distance: Ulpips,
    factor: int,
    n_steps: int,
) -> Restored:
    """Measure a picture, made by a method and worth a Dice."""
    method, picture, dice = made
    truth, mask = scan.image, scan.mask
    gradients = [mean_gradient(each, mask) for each in (picture, truth)]
    tensors = (torch.from_numpy(each)[None, None] for each in (picture, truth))
    counts = torch.from_numpy(mask.astype(np.float32))[None, None]
    return Restored(
        picture=named.name,
        group=named.group,
        organ=named.organ,
        method=method,
        n_steps=n_steps,
        psnr_db=-psnr(truth, picture, mask),
        ssim=1.0 - ssim(truth, picture, mask),
        ms_ssim=1.0 - ms_ssim(truth, picture, mask),
        lpips_style=lpips_style(truth, picture, mask),
        ulpips=float(distance(*tensors, counts)[0]),
        gradient_kept=gradients[0] / max(gradients[1], 1e-9),
        grid=grid(picture, factor),
        dice=dice,
    )


def grid(picture: UnitImage, factor: int) -> float:
    """Return how far the mean greys differ by place in blocks of factor x factor px, of 255."""
    height, width = picture.shape
    blocks = picture.reshape(height // factor, factor, width // factor, factor)
    return WHITE * float(blocks.mean(axis=(0, 2)).std())


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
