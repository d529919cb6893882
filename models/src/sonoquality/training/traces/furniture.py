"""What scanners draw beside and over their images: text, scales, lines, an ECG."""

from functools import cache

import numpy as np
from numpy.random import Generator
from PIL import ImageDraw, ImageFont

Box = tuple[int, int, int, int]
Pen = ImageDraw.ImageDraw
LETTERS = np.array(list("ABCDEFGHIKLMNOPRSTUVWXYZabcdefghiklmnoprstuvwxyz0123456789.:/%-  "))


def furnish(pen: Pen, size: tuple[int, int], rng: Generator) -> None:
    """Write lines of text anywhere, and draw bars, boxes and a column of buttons by chance.

    Args:
        pen: of the screen.
        size: (width, height) of the screen.
        rng: of everything.
    """
    width, height = size
    for _ in range(int(rng.integers(0, 14))):
        near_edge = rng.random() < 0.7
        x = width * (rng.choice([0.01, 0.8]) if near_edge else rng.random())
        write(pen, (int(x), int(height * rng.random())), rng)
    if rng.random() < 0.4:
        pen.rectangle((0, 0, width, height * rng.uniform(0.03, 0.1)), fill=_grey(rng, 10, 90))
    if rng.random() < 0.3:
        pen.rectangle((width * rng.uniform(0.88, 0.97), 0, width, height), fill=_grey(rng, 10, 90))
    if rng.random() < 0.35:  # a grey bar
        x, top, length = width * rng.random(), height * rng.uniform(0, 0.6), height * 0.3
        for i in range(int(length)):
            pen.line((x, top + i, x + width / 50, top + i), fill=int(255 * (1 - i / length)))


def write(pen: Pen, at: tuple[int, int], rng: Generator) -> None:
    """Write a line of random letters."""
    text = "".join(rng.choice(LETTERS, int(rng.integers(2, 24))))
    font = _font(int(rng.integers(9, 22)))
    pen.text(at, text, fill=_grey(rng, 90, 256), font=font)


@cache
def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def marks(pen: Pen, box: Box, rng: Generator) -> None:
    """Draw scales beside a box and below it, lines over it, calipers, a frame: each by chance."""
    left, top, right, bottom = box
    if rng.random() < 0.6:
        _scale(pen, box, rng)
    if rng.random() < 0.6:
        _ticks(pen, box, rng)
    if rng.random() < 0.15:
        for y in np.linspace(top, bottom, int(rng.integers(4, 10))):
            _dashed(pen, (left, right), round(y), (2, int(rng.integers(4, 20))), 90)
    if rng.random() < 0.15:
        pen.rectangle(box, outline=_grey(rng, 60, 220))
    if rng.random() < 0.3:
        _calipers(pen, box, rng)


def _scale(pen: Pen, box: Box, rng: Generator) -> None:
    """Draw strokes and numbers along a side of a box."""
    left, top, right, bottom = box
    side, out = (right, 1) if rng.random() < 0.6 else (left, -1)
    for y in np.linspace(top, bottom, int(rng.integers(3, 14))):
        pen.line((side, y, side + out * rng.uniform(3, 9), y), fill=_grey(rng, 90, 256))
        if rng.random() < 0.6:
            pen.text((side + 10 * out, y - 6), str(rng.integers(-150, 151)), fill=170)


def _ticks(pen: Pen, box: Box, rng: Generator) -> None:
    """Draw strokes along the bottom or the top of a box."""
    left, top, right, bottom = box
    length = int(rng.integers(2, 9)) * int(rng.choice([-1, 1]))
    y = bottom if rng.random() < 0.7 else top
    for x in np.linspace(left, right, int(rng.integers(4, 30))):
        pen.line((x, y, x, y + length), fill=_grey(rng, 90, 256))


def baseline(pen: Pen, size: tuple[int, int], row: int, rng: Generator) -> None:
    """Draw the line of zero velocity over a strip of (width, height): whole, broken or not."""
    way, grey = rng.random(), _grey(rng, 70, 256)
    if way < 0.4:
        pen.line((0, row, size[0], row), fill=grey, width=int(rng.integers(1, 4)))
    elif way < 0.55:
        lengths = (int(rng.integers(2, 16)), int(rng.integers(2, 16)))
        _dashed(pen, (0, size[0]), row, lengths, grey)
    elif way < 0.65:
        first = rng.uniform(0, 0.8) * size[0]
        pen.line((first, row, first + rng.uniform(0.02, 0.4) * size[0], row), fill=grey)


def ecg(pen: Pen, box: Box, rng: Generator) -> None:
    """Draw an ECG somewhere in a box."""
    left, top, right, bottom = box
    beats = np.linspace(0, rng.uniform(2, 14), max(2, right - left)) + rng.random()
    within = beats % 1.0
    wave = np.exp(-(((within - 0.4) / 0.015) ** 2)) - 0.2 * np.exp(-(((within - 0.44) / 0.02) ** 2))
    wave += 0.12 * np.exp(-(((within - 0.25) / 0.03) ** 2))
    wave += 0.25 * np.exp(-(((within - 0.7) / 0.06) ** 2))
    tall = min(bottom - top, 80) * rng.uniform(0.2, 0.8)
    ys = top + rng.uniform(0.4, 0.9) * (bottom - top) - tall * wave
    points = np.stack([np.arange(left, left + len(ys)), ys], axis=1).ravel().tolist()
    pen.line(points, fill=_grey(rng, 100, 230), width=int(rng.integers(1, 3)))


def _calipers(pen: Pen, box: Box, rng: Generator) -> None:
    left, top, right, bottom = box
    ends = [(rng.uniform(left, right), rng.uniform(top, bottom)) for _ in range(2)]
    for x, y in ends:
        pen.line((x - 5, y, x + 5, y), fill=230)
        pen.line((x, y - 5, x, y + 5), fill=230)
    if rng.random() < 0.5:
        pen.line((*ends[0], *ends[1]), fill=180)


def _dashed(
    pen: Pen, across: tuple[int, int], row: int, lengths: tuple[int, int], grey: int
) -> None:
    for x in range(across[0], across[1], sum(lengths)):
        pen.line((x, row, min(x + lengths[0], across[1]), row), fill=grey)


def _grey(rng: Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high))
