"""Images with the outline of their organ, and the squares that networks are shown of them."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from sonoquality.arrays import Floats, Luma, Mask, UnitImage
from sonoquality.metrics.area import resize_area
from sonoquality.preprocess import WorkingImage, working_image
from sonoquality.training.data import INDEX, Row, calibrates, read_index, training_rows

HALF = 0.5
GAIN_DB, DISPLAY_RANGE_DB = 3.0, 60.0  #: the gain that counts as none (SCIENCE 7.4)
TURN, SCALE, MOVE = np.deg2rad(10.0), 0.1, 0.08  #: how far a picture is turned, scaled, moved


@dataclass(frozen=True, slots=True)
class Organ:
    """Whose outline, and which labels of the mask are it."""

    source: str
    labels: tuple[int, ...]


ORGANS: Mapping[str, Organ] = {
    "liver": Organ("aul_liver", (2, 3)),  # a mass in the liver is part of it
    "fetal_head": Organ("hc18_fetal_head", (1,)),
    "ovary": Organ("mmotu_ovary", (1,)),  # the lesion, or the ovary where it is normal
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlined:
    """A row of the collection with the outline of its organ."""

    row: Row
    organ: str
    mask_path: Path

    def read(self) -> tuple[WorkingImage, Mask]:
        """Return the working image, and the organ (height, width) in the scan's box."""
        luma, scan = self.row.read()
        work = working_image(luma, scan)
        left, top, right, bottom = work.box
        labels: Luma = np.asarray(Image.open(self.mask_path).convert("L"))
        organ = np.isin(_plain(labels), ORGANS[self.organ].labels)[top:bottom, left:right]
        width, height = work.size
        if organ.shape != (height, width):  # a scan that is reduced to working scale
            organ = resize_area(organ.astype(np.float32), (height, width)) >= HALF
        return work, np.asarray(organ, np.bool_)


def outlined(data: Path, organ: str, split: str) -> list[Outlined]:
    """Return an organ's images that have an outline, in the order of the index.

    Args:
        data: folder of the collection.
        organ: key of `ORGANS`.
        split: `train` to learn from, `choice` for the groups of the training split that calibrate
            (nothing here and no encoder learns from them), or `val`.
    """
    masks = _mask_paths(data)
    rows = read_index(data)
    if split == "val":
        chosen = [row for row in rows if row.split == "val" and not row.non_commercial]
    else:
        chosen = [row for row in training_rows(rows) if calibrates(row) == (split == "choice")]
    return [
        Outlined(row=row, organ=organ, mask_path=masks[row.path])
        for row in chosen
        if row.source == ORGANS[organ].source and row.path in masks
    ]


def square(image: UnitImage, side: int) -> UnitImage:
    """Reduce or enlarge (height, width) to fit the middle of a black square, aspect kept."""
    height, width = image.shape
    scale = side / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    fitted = resize_area(np.ascontiguousarray(image, np.float32), size)
    top, left = (side - size[0]) // 2, (side - size[1]) // 2
    canvas = np.zeros((side, side), np.float32)
    canvas[top : top + size[0], left : left + size[1]] = fitted
    return canvas


def scan_of(image: UnitImage, work: WorkingImage) -> UnitImage:
    """Cut the padding off a picture of the working image's size."""
    width, height = work.size
    return image[:height, :width]


def squares(found: list[Outlined], side: int) -> tuple[Tensor, Tensor]:
    """Return pictures and their organs, both (n, 1, side, side); an organ's pixels are 0 or 1."""
    images, organs = [], []
    for each in found:
        work, organ = each.read()
        images.append(square(scan_of(work.image, work), side))
        organs.append(square(organ.astype(np.float32), side) >= HALF)
    return (
        torch.from_numpy(np.stack(images))[:, None],
        torch.from_numpy(np.stack(organs).astype(np.float32))[:, None],
    )


def varied(pictures: Tensor, organs: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Mirror, turn, scale and move pictures with their organs; change their gain by up to 3 dB."""
    grid = functional.affine_grid(
        torch.from_numpy(np.stack([_placed(rng) for _ in pictures]).astype(np.float32)),
        list(pictures.shape),
        align_corners=False,
    )
    seen, kept = (
        functional.grid_sample(each, grid, mode=mode, align_corners=False)
        for each, mode in ((pictures, "bilinear"), (organs, "nearest"))
    )
    gain = rng.uniform(-GAIN_DB, GAIN_DB, len(pictures)).astype(np.float32) / DISPLAY_RANGE_DB
    shifted = (seen + torch.from_numpy(gain)[:, None, None, None]).clamp(0, 1)
    return torch.where(seen > 0, shifted, seen), kept


def _placed(rng: np.random.Generator) -> Floats:
    """Draw a (2, 3) map from places in the new picture to those in the old one."""
    turn, scale = rng.uniform(-TURN, TURN), rng.uniform(1 - SCALE, 1 + SCALE)
    move = 2 * rng.uniform(-MOVE, MOVE, 2)
    mirror = 1.0 if rng.random() < HALF else -1.0
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    return np.array([[mirror * cos, -sin, move[0]], [mirror * sin, cos, move[1]]])


def _plain(labels: Luma) -> Luma:
    """Return labels from 0 up; a mask of one bit is read as 0 and 255."""
    return np.where(labels == np.iinfo(np.uint8).max, 1, labels).astype(np.uint8)


def _mask_paths(data: Path) -> dict[Path, Path]:
    with (data / INDEX).open(encoding="utf-8", newline="") as file:
        return {
            data / row["path"]: data / row["mask_path"]
            for row in csv.DictReader(file)
            if row["mask_path"]
        }
