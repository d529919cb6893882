"""Degrade the images of a set by `usaugment`; runs in that package's environment only.

The package has ranges to draw from, not levels: these are five even steps inside its defaults.
"""

import csv
import json
import random
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from usaugment.albumentations import (
    DepthAttenuation,
    GaussianShadow,
    HazeArtifact,
    SpeckleReduction,
)

LEVELS = {
    "attenuation": (DepthAttenuation, [{"attenuation_rate": r} for r in (0.6, 1.2, 1.8, 2.4, 3.0)]),
    "shadow": (
        GaussianShadow,
        [
            {"strength": s, "sigma_x": w, "sigma_y": w}
            for s, w in ((0.25, 0.05), (0.4, 0.09), (0.55, 0.13), (0.7, 0.17), (0.8, 0.2))
        ],
    ),
    "haze": (HazeArtifact, [{"sigma": s} for s in (0.02, 0.04, 0.06, 0.08, 0.1)]),
    "speckle-reduction": (
        SpeckleReduction,
        [
            {"sigma_spatial": s, "sigma_color": c}
            for s, c in ((0.4, 0.2), (0.8, 0.4), (1.2, 0.6), (1.6, 0.8), (2.0, 1.0))
        ],
    ),
}
HAZE_RADII = (0.2, 0.8)  #: the package's .05 to .95 puts many bands outside the scan


def main(folder: Path) -> None:
    """Add every operator at every level to the set."""
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
    """Write one image under all operators; returns its rows."""
    image = np.asarray(Image.open(folder / row["path"]), np.float32) / np.float32(255)
    mask = np.asarray(Image.open(folder / row["mask"])) > 127
    rows = []
    for name, (transform, levels) in LEVELS.items():
        for level, parameters in enumerate(levels, 1):
            seed = int(row["seed"])
            used = {**parameters, **drawn(name, seed, image.shape)}
            given = {k: v for k, v in used.items() if not k.startswith("centre")}
            random.seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002 - the package draws from the global state
            changed = transform(**given, p=1.0)(image=image, scan_mask=mask)["image"]
            path = f"images/{Path(row['path']).stem}_{name}_{level}.png"
            grey = np.clip(np.rint(np.where(mask, changed, image) * 255), 0, 255)
            Image.fromarray(grey.astype(np.uint8)).save(folder / path)
            rows.append(
                {
                    **row,
                    "path": path,
                    "operator": name,
                    "level": str(level),
                    "parameters": json.dumps(used),
                }
            )
    return rows


def drawn(name: str, seed: int, shape: tuple[int, ...]) -> dict[str, float]:
    """Return what the seed chooses: the haze's radius, or where the shadow will fall."""
    if name == "haze":
        return {"radius": round(np.random.default_rng(seed).uniform(*HAZE_RADII), 4)}
    if name == "shadow":
        np.random.seed(seed % 2**32)  # noqa: NPY002 - as the package will draw it
        column, row = np.random.choice(shape[1]), np.random.choice(shape[0])  # noqa: NPY002
        return {"centre_column": int(column), "centre_row": int(row)}
    return {}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
