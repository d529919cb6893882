"""Panels of plots side by side, drawn without a plotting library."""

from PIL import Image, ImageDraw

COLUMNS = 4
PANEL = (250, 190)  #: width and height of one panel, with its margins
LEFT, TOP, INNER = 46, 34, (180, 124)
COLOURS = (
    "#1f5fbf",
    "#c0392b",
    "#2e8b57",
    "#8e44ad",
    "#d68910",
    "#555555",
    "#00a5b5",
    "#e56aa0",
)
GREY, LIGHT = "#777777", "#bbbbbb"

Pen = ImageDraw.ImageDraw


def new_canvas(n_panels: int, height: int = PANEL[1]) -> tuple[Image.Image, Pen]:
    """Return an empty picture for so many panels, and what draws on it."""
    lines = max(1, -(-n_panels // COLUMNS))
    canvas = Image.new("RGB", (COLUMNS * PANEL[0], lines * height), "white")
    return canvas, ImageDraw.Draw(canvas)


def corner_of(place: int, height: int = PANEL[1]) -> tuple[int, int]:
    """Return the left upper corner of a panel's inside, in pixels."""
    line, column = divmod(place, COLUMNS)
    return column * PANEL[0] + LEFT, line * height + TOP


def put_title(pen: Pen, place: int, title: str, below: str, height: int = PANEL[1]) -> None:
    """Write a title and a line below it over a panel."""
    left, top = corner_of(place, height)
    pen.text((left, top - 28), title[:38], fill="black")
    pen.text((left, top - 15), below, fill=GREY)


def draw_frame(pen: Pen, corner: tuple[int, int]) -> None:
    """Draw a frame around a panel's inside."""
    pen.rectangle((*corner, corner[0] + INNER[0], corner[1] + INNER[1]), outline=LIGHT)


def point_at(corner: tuple[int, int], x: float, y: float) -> tuple[float, float]:
    """Return where a point lies in a panel; both numbers in parts of it, y downwards."""
    return corner[0] + x * INNER[0], corner[1] + min(max(y, 0.0), 1.0) * INNER[1]
