"""Whole screens: a trace with or without an image beside it, or images alone; all that is drawn on.

Where a trace lies is known, so that each cell of a screen can be labelled. Positions, sizes, text,
scales, grey maps and compression are drawn widely, so that none of them tells anything.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

from sonoquality.arrays import Floats, Luma
from sonoquality.training.traces.flow import spectrum
from sonoquality.training.traces.furniture import Box, baseline, ecg, furnish, marks
from sonoquality.training.traces.motion import m_mode

SPECTRUM, M_MODE = 1, 2
#: Draws a B-mode image for a room of (height, width) px; it may come smaller.
Tissue = Callable[[tuple[int, int], Generator], Luma]


@dataclass(frozen=True, slots=True)
class Screen:
    """A screen and where its trace lies."""

    picture: Luma
    box: Box | None = None  #: left, top, right, bottom of the trace
    label: int = 0  #: SPECTRUM or M_MODE


def trace_screen(label: int, tissue: Tissue, rng: Generator) -> Screen:
    """Draw a screen with a trace of a kind.

    Args:
        label: SPECTRUM or M_MODE.
        tissue: draws the image beside it.
        rng: of everything.
    """
    canvas = _ground(_size(rng), rng)
    width, height = canvas.size
    if rng.random() < 0.15:  # cut out
        box = (0, 0, width, height)
        canvas.paste(_strip(label, (height, width), rng), (0, 0))
        return Screen(_coded(canvas, rng), box, label)
    box, room = _rooms(width, height, rng)
    pen = ImageDraw.Draw(canvas)
    furnish(pen, canvas.size, rng)
    if room is not None:
        _place(canvas, tissue, room, rng)
    canvas.paste(_strip(label, (box[3] - box[1], box[2] - box[0]), rng), box[:2])
    marks(pen, box, rng)
    return Screen(_coded(canvas, rng), box, label)


def tissue_screen(tissue: Tissue, rng: Generator) -> Screen:
    """Draw a screen without a trace: one image or two, furniture, at times an ECG below."""
    canvas = _ground(_size(rng), rng)
    pen = ImageDraw.Draw(canvas)
    furnish(pen, canvas.size, rng)
    left, top = (round(side * rng.uniform(0, 0.2)) for side in canvas.size)
    right, bottom = (round(side * rng.uniform(0.75, 1.0)) for side in canvas.size)
    box = (left, top, right, bottom)
    if rng.random() < 0.2:
        middle = (left + right) // 2
        _place(canvas, tissue, (left, top, middle, bottom), rng)
        _place(canvas, tissue, (middle, top, right, bottom), rng)
    elif rng.random() < 0.94:
        _place(canvas, tissue, box, rng)
    if rng.random() < 0.5:
        marks(pen, box, rng)
    if rng.random() < 0.2:
        ecg(pen, (left, canvas.height - canvas.height // 6, right, canvas.height), rng)
    return Screen(_coded(canvas, rng))


def plain_tissue(tissue: Tissue, rng: Generator) -> Screen:
    """Return an image alone, as the collection has it."""
    height, width = _size(rng)
    canvas = Image.fromarray(tissue((height, width), rng))
    return Screen(_coded(canvas, rng))


def _size(rng: Generator) -> tuple[int, int]:
    height = int(np.exp(rng.uniform(np.log(300), np.log(820))))
    return height, int(height * rng.uniform(1.0, 1.8))


def _ground(size: tuple[int, int], rng: Generator) -> Image.Image:
    greys = (int(rng.integers(0, 50)), int(rng.integers(50, 256)), 0)
    grey = int(rng.choice(greys, p=[0.26, 0.04, 0.7]))
    return Image.new("L", size[::-1], grey)


def _rooms(width: int, height: int, rng: Generator) -> tuple[Box, Box | None]:
    """Part a screen between trace and image."""
    left, right = round(width * rng.uniform(0, 0.2)), round(width * rng.uniform(0.8, 1.0))
    top, bottom = round(height * rng.uniform(0, 0.15)), round(height * rng.uniform(0.84, 1.0))
    way = str(
        rng.choice(
            ["alone", "above", "below", "left", "right", "over"],
            p=[0.2, 0.4, 0.08, 0.14, 0.1, 0.08],
        )
    )
    part = rng.uniform(0.2, 0.75)
    across, down = round(left + part * (right - left)), round(top + part * (bottom - top))
    gap = int(rng.integers(0, 14))
    if way == "above":
        return (left, down + gap, right, bottom), (left, top, right, down)
    if way == "below":
        return (left, top, right, down), (left, down + gap, right, bottom)
    if way == "left":
        return (across + gap, top, right, bottom), (left, top, across, bottom)
    if way == "right":
        return (left, top, across, bottom), (across + gap, top, right, bottom)
    return (left, top, right, bottom), None


def _strip(label: int, size: tuple[int, int], rng: Generator) -> Image.Image:
    """Draw a trace with what is drawn over it."""
    height, width = size
    if label == SPECTRUM:
        grey, zero = spectrum(size, rng)
    else:
        grey, zero = m_mode(size, rng), -1.0
    tinted = np.clip(grey * rng.uniform(0.6, 1.0) + rng.choice([0.0, 0.0, 0.06]), 0, 1)
    if rng.random() < 0.06:
        tinted = 1.0 - tinted
    if rng.random() < 0.25:  # swept over: black before the newest line
        now, blank = rng.random(), rng.uniform(0.005, 0.06)
        tinted[:, int(now * width) : int((now + blank) * width) + 1] = 0.0
    strip = Image.fromarray((tinted * 255).astype(np.uint8))
    pen = ImageDraw.Draw(strip)
    if label == SPECTRUM:
        baseline(pen, (width, height), round(zero * height), rng)
    if rng.random() < 0.25:
        ecg(pen, (0, round(height * rng.uniform(0, 0.8)), width, height), rng)
    return strip


def _place(canvas: Image.Image, tissue: Tissue, room: Box, rng: Generator) -> None:
    """Put an image somewhere into a room."""
    wide, high = room[2] - room[0], room[3] - room[1]
    if wide < 24 or high < 24:
        return
    drawn = Image.fromarray(tissue((high, wide), rng))
    spare = (max(0, wide - drawn.width), max(0, high - drawn.height))
    at = tuple(room[i] + int(rng.integers(0, spare[i] + 1)) for i in (0, 1))
    canvas.paste(drawn, (at[0], at[1]))
    if rng.random() < 0.4:  # the line along which a trace is taken
        pen, middle = ImageDraw.Draw(canvas), at[0] + round(drawn.width * rng.uniform(0.3, 0.7))
        end = (middle + round(drawn.width * rng.uniform(-0.2, 0.2)), at[1] + drawn.height)
        pen.line((middle, at[1], *end), fill=int(rng.integers(120, 256)))


def _coded(canvas: Image.Image, rng: Generator) -> Luma:
    """Return the picture, often through JPEG, at times with noise or a grey map."""
    if rng.random() < 0.5:
        coded = io.BytesIO()
        canvas.save(coded, "JPEG", quality=int(rng.integers(30, 96)))
        canvas = Image.open(coded)
    picture = np.asarray(canvas, dtype=np.uint8)
    if rng.random() < 0.3:
        curve: Floats = (np.arange(256) / 255) ** rng.uniform(0.6, 1.7) * 255
        picture = curve.astype(np.uint8)[picture]
    return picture
