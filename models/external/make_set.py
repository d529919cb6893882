"""Make a set of degraded validation images with a package that is no dependency.

    python models/external/make_set.py usaugment|medmnistc --data ../shared/data --out .run/external

The package runs in an environment of its own below OUT; images pass through files.
"""

import argparse
import csv
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from sonoquality.arrays import Luma
from sonoquality.preprocess import working_image
from sonoquality.training.data import Row, read_index

HERE = Path(__file__).resolve().parent
#: What each environment holds. medmnistc is taken without its own wishes: of them its corruptions
#: need only these, and numpy 2.3 took away a function that it calls.
PACKAGES = {
    "usaugment": (["usaugment==1.0.1"], []),
    "medmnistc": (
        ["numpy<2.3", "opencv-python-headless", "pillow", "scikit-image", "scipy", "wand"],
        ["medmnistc==0.1.0"],
    ),
}
FIELDS = ("path", "mask", "source", "group", "operator", "level", "seed", "parameters")


def main() -> None:
    """Read the arguments and make the set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("package", choices=PACKAGES)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--per-source", type=int, default=6, help="images; 0 for all")
    chosen = parser.parse_args()
    folder = (chosen.out / chosen.package).resolve()
    write_clean(folder, rows_of(chosen.data, chosen.per_source))
    python = environment(chosen.out.resolve() / f"venv-{chosen.package}", chosen.package)
    script = HERE / f"{chosen.package}_set.py"
    subprocess.run([python, script, folder], check=True)
    sys.stdout.write(f"{folder / 'samples.csv'}\n")


def rows_of(data: Path, per_source: int) -> list[Row]:
    """Return validation rows, by their hash, other groups first."""
    rows = sorted((r for r in read_index(data) if r.split == "val"), key=lambda row: row.sha256)
    first = {row.group: row for row in reversed(rows)}
    spread = sorted(rows, key=lambda row: row is not first[row.group])
    return [
        row
        for source in sorted({row.source for row in rows})
        for row in [each for each in spread if each.source == source][: per_source or None]
    ]


def write_clean(folder: Path, rows: list[Row]) -> None:
    """Write working images and masks, and the table with them as level 0."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    with (folder / "samples.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, fieldnames=FIELDS)
        table.writeheader()
        table.writerows(_clean(folder, rows))


def _clean(folder: Path, rows: list[Row]) -> Iterator[dict[str, str | int]]:
    for row in rows:
        working = working_image(*row.read())
        width, height = working.size
        image, mask = working.image[:height, :width], working.mask[:height, :width]
        name = f"{row.sha256[:12]}.png"
        Image.fromarray(_grey(image)).save(folder / "images" / name)
        Image.fromarray(mask.astype(np.uint8) * 255).save(folder / "masks" / name)
        yield {
            "path": f"images/{name}",
            "mask": f"masks/{name}",
            "source": row.source,
            "group": row.group,
            "operator": "none",
            "level": 0,
            "seed": row.seed,
            "parameters": "{}",
        }


def _grey(image: np.ndarray) -> Luma:
    return np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)


def environment(folder: Path, package: str) -> Path:
    """Make the package's own environment, once; returns its Python."""
    python = folder / "bin" / "python"
    done = folder / "complete"
    if not done.exists():
        venv.create(folder, with_pip=True, clear=True)
        needed, bare = PACKAGES[package]
        pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, *needed], check=True)
        if bare:
            subprocess.run([*pip, "--no-deps", *bare], check=True)
        done.touch()
    return python


if __name__ == "__main__":
    main()
