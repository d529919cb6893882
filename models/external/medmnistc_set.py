"""Degrade the images of a set as MedMNIST-C does breast ultrasound; in its environment only."""

import csv
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
from PIL import Image

# Two corruptions that breast ultrasound has not call torchvision; a stand-in spares it and torch.
for _name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
    sys.modules.setdefault(_name, ModuleType(_name))

from medmnistc.corruptions.registry import CORRUPTIONS_DS  # noqa: E402 - after the stand-in

N_LEVELS = 5


def main(folder: Path) -> None:
    """Add every corruption at every severity to the set."""
    table = folder / "samples.csv"
    with table.open(encoding="utf-8", newline="") as file:
        clean = [row for row in csv.DictReader(file) if row["level"] == "0"]
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(clean[0]))
        writer.writeheader()
        for row in clean:
            writer.writerow(row)
            writer.writerows(degraded(folder, row))


def degraded(folder: Path, row: dict[str, str]) -> list[dict[str, str]]:
    """Write one image under all corruptions; returns its rows."""
    grey = np.asarray(Image.open(folder / row["path"]))
    mask = np.asarray(Image.open(folder / row["mask"])) > 127
    rows = []
    for name, corruption in CORRUPTIONS_DS["breastmnist"].items():
        for level in range(1, N_LEVELS + 1):
            np.random.seed(int(row["seed"]) % 2**32)  # noqa: NPY002 - the package's global state
            picture = in_colour(grey, with_corner=name == "motion_blur")
            changed = corruption.apply(picture, severity=level - 1)[..., 1]
            path = f"images/{Path(row['path']).stem}_{name}_{level}.png"
            Image.fromarray(np.where(mask, changed, grey).astype(np.uint8)).save(folder / path)
            strength = np.ravel(corruption.severity_params[level - 1]).tolist()
            rows.append(
                {
                    **row,
                    "path": path,
                    "operator": name,
                    "level": str(level),
                    "parameters": json.dumps({"severity": strength}),
                }
            )
    return rows


def in_colour(grey: np.ndarray, *, with_corner: bool) -> Image.Image:
    """Repeat grey in three channels; of the result only the green channel is read.

    The package takes any grey picture that is not 224 px for colour, and its motion blur passes
    through ImageMagick, which stores a picture without colour as grey: one red corner prevents it.
    """
    rgb = np.repeat(grey[..., None], 3, axis=2)
    if with_corner:
        rgb[0, 0, 0] = 255 if grey[0, 0] < 128 else 0
    return Image.fromarray(rgb)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
