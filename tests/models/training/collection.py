"""A small collection of drawn scans with outlines, laid out as the real one."""

import csv
import hashlib
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from sonoquality.training.data import CALIBRATION_EVERY

SOURCES = {"aul_liver": 2, "hc18_fetal_head": 255, "mmotu_ovary": 255}
"""Of each source, the grey that its organ has in a mask."""

SIDES = (150, 180)
N_TRAIN, N_CHOICE, N_VAL = 4, 2, 2
HEAD = "path,source,group,split,licence,non_commercial,quality_label,sha256,mask_path"


def draw(folder: Path) -> Path:
    """Write images, masks and INDEX.csv; returns the folder."""
    folder.mkdir(parents=True)
    rows = [
        _image(folder, source, split, group, non_commercial=group.endswith("_nc"))
        for source in SOURCES
        for split, groups in _groups(source).items()
        for group in groups
    ]
    with (folder / "INDEX.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, HEAD.split(","))
        table.writeheader()
        table.writerows(rows)
    return folder


def _groups(source: str) -> dict[str, list[str]]:
    """Name groups so that some of them calibrate; one more is non-commercial."""
    names = [f"{source}_{number}" for number in range(200)]
    kept_back = [name for name in names if _calibrates(name)]
    learned = [name for name in names if not _calibrates(name)]
    return {
        "train": [*learned[:N_TRAIN], *kept_back[:N_CHOICE], f"{source}_nc"],
        "val": learned[N_TRAIN : N_TRAIN + N_VAL],
    }


def _calibrates(group: str) -> bool:
    return int(hashlib.sha256(group.encode()).hexdigest(), 16) % CALIBRATION_EVERY == 0


def _image(
    folder: Path, source: str, split: str, group: str, *, non_commercial: bool
) -> dict[str, str]:
    """Draw a bright ellipse in speckle."""
    number = int(hashlib.sha256(group.encode()).hexdigest()[:8], 16)
    rng = np.random.default_rng(number)
    row, col = np.mgrid[0 : SIDES[0], 0 : SIDES[1]]
    middle = rng.uniform(60, 90), rng.uniform(70, 110)
    organ = ((row - middle[0]) / 30) ** 2 + ((col - middle[1]) / 45) ** 2 < 1
    grain = ndimage.gaussian_filter(rng.normal(size=SIDES), (1.0, 1.7))
    grey = 0.25 + 0.35 * organ + 0.05 * grain / grain.std()
    path, mask = folder / f"{group}.png", folder / f"{group}.mask.png"
    Image.fromarray(np.rint(np.clip(grey, 0.05, 1) * 255).astype(np.uint8)).save(path)
    labels = np.where(organ, SOURCES[source], 1 if source == "aul_liver" else 0)
    Image.fromarray(labels.astype(np.uint8)).save(mask)
    return {
        "path": path.name,
        "source": source,
        "group": group,
        "split": split,
        "licence": "CC0-1.0",
        "non_commercial": "Y" if non_commercial else "N",
        "quality_label": "",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "mask_path": mask.name,
    }
