"""The losses of a run, step by step, as CSV and as a picture drawn without a plotting library."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from sonoquality.arrays import Floats

CSV_FILE, PNG_FILE = "curves.csv", "curves.png"
PANEL = (360, 200)  #: width and height of one curve's panel
COLUMNS = 3
MARGIN = 28
SMOOTH_SHARE = 0.02


class Curves:
    """Rows of losses; on resume the rows after the checkpoint are forgotten."""

    def __init__(self, folder: Path, step: int) -> None:
        self._folder = folder
        self.rows: list[dict[str, float]] = [
            row for row in _read(folder / CSV_FILE) if row["step"] <= step
        ]

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Note the losses of a step."""
        self.rows.append({"step": float(step), **values})

    def write(self) -> None:
        """Write table and picture."""
        unfinished = self._folder / (CSV_FILE + ".part")
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(self.rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows({k: f"{v:.6g}" for k, v in row.items()} for row in self.rows)
        unfinished.replace(self._folder / CSV_FILE)
        picture(self.rows).save(self._folder / PNG_FILE)


def _read(path: Path) -> list[dict[str, float]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def picture(rows: Sequence[Mapping[str, float]]) -> Image.Image:
    """Draw one panel per loss: its smoothed curve over the steps, with its range written out."""
    names = [name for name in rows[0] if name != "step"]
    width, height = PANEL
    lines = -(-len(names) // COLUMNS)
    canvas = Image.new("RGB", (COLUMNS * width, lines * height), "white")
    for place, name in enumerate(names):
        line, column = divmod(place, COLUMNS)
        values = np.array([row[name] for row in rows])
        corner = (column * width, line * height)
        _panel(ImageDraw.Draw(canvas), corner, name, _smooth(values))
    return canvas


def _smooth(values: Floats) -> Floats:
    side = max(1, round(SMOOTH_SHARE * len(values)))
    smooth: Floats = np.convolve(values, np.full(side, 1 / side), mode="valid")
    return smooth


def _panel(pen: ImageDraw.ImageDraw, corner: tuple[int, int], name: str, values: Floats) -> None:
    left, top = corner[0] + MARGIN, corner[1] + MARGIN
    width, height = PANEL[0] - 2 * MARGIN, PANEL[1] - 2 * MARGIN
    low, high = float(values.min()), float(values.max())
    pen.rectangle((left, top, left + width, top + height), outline="#bbbbbb")
    pen.text((left, top - 16), f"{name}   {values[0]:.3g} → {values[-1]:.3g}", fill="black")
    pen.text((left, top + height + 4), f"range {low:.3g} to {high:.3g}", fill="#777777")
    across = left + np.linspace(0, width, len(values))
    down = top + height * (1 - (values - low) / max(high - low, 1e-12))
    if len(values) > 1:
        pen.line(list(zip(across.tolist(), down.tolist(), strict=True)), fill="#1f5fbf", width=2)
