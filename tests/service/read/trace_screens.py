"""Screens with spectra and M-mode traces, drawn from flow and motion, not from the recogniser.

A spectrum is the power of a sample volume over velocity and time: exponentially distributed, as
that of a sum of many blood cells is, smoothed over the overlap of its Fourier windows, with the
wall filter's notch, and log-compressed. An M-mode trace is one scan line drawn again and again:
scatterers that stand still in the chest wall, move with the heart, or are new in every line where
blood flows or the lung slides. Everything is determined by the seed.
"""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter, gaussian_filter1d, map_coordinates

from sonogate.demo.phantom import make_scan
from sonogate.demo.views import VIEWS, View

Float = NDArray[np.float64]
Grey = NDArray[np.uint8]
RGB = NDArray[np.uint8]
Size = tuple[int, int]

SPECTRA = ("arterial", "venous", "aliased", "weak", "cardiac")
MOTIONS = ("heart", "lung", "vessel")
SIZES: tuple[Size, ...] = ((480, 640), (600, 800), (708, 1016), (768, 1024))


def _beat(time: Float, rate: float, kind: str) -> Float:
    """Return velocity over time in parts of its peak; `rate` in beats a second."""
    phase = (time * rate) % 1.0
    if kind == "cardiac":  # E and A wave of the mitral inflow, ejection to the other side
        inflow = np.exp(-(((phase - 0.5) / 0.055) ** 2)) + 0.7 * np.exp(
            -(((phase - 0.78) / 0.045) ** 2)
        )
        return np.asarray(inflow - 0.55 * np.exp(-(((phase - 0.2) / 0.09) ** 2)))
    if kind == "venous":
        breath = 0.25 * np.sin(2 * np.pi * time * 0.27)
        return np.asarray(-(0.55 + breath + 0.12 * np.sin(2 * np.pi * phase)))
    rise = np.where(phase < 0.09, np.sin(phase / 0.09 * np.pi / 2) ** 2, 0.0)
    fall = np.where(phase >= 0.09, np.exp(-(phase - 0.09) / 0.16), 0.0)
    notch = -0.12 * np.exp(-(((phase - 0.36) / 0.03) ** 2))
    return np.asarray(0.18 + 0.82 * (rise + fall) + notch)


def spectrum(size: Size, kind: str, rng: np.random.Generator) -> tuple[Grey, int]:
    """Return a spectrum (height, width) and the row of its baseline."""
    height, width = size
    seconds = rng.uniform(2.5, 7.0)
    time = np.linspace(0.0, seconds, width) + rng.uniform(0.0, 1.0)
    peak = rng.uniform(0.45, 0.9) if kind != "aliased" else rng.uniform(1.1, 1.5)
    peak *= 0.5 if kind == "weak" else 1.0
    uneven = 1.0 + 0.08 * np.sin(2 * np.pi * time * 0.23 + rng.uniform(0, 6))
    velocity = _beat(time * uneven, rng.uniform(0.9, 1.8), kind) * peak * uneven
    velocity *= rng.choice([-1.0, 1.0]) if kind != "cardiac" else 1.0
    zero = 0.5 if kind == "cardiac" else (0.72 if velocity.mean() > 0 else 0.28)
    baseline = round(height * (zero + rng.uniform(-0.05, 0.05)))
    scale = 0.7 * height
    at = (baseline - np.arange(height)[:, None]) / scale  # velocity of each row
    power = np.zeros(size)
    flatness = rng.uniform(0.2, 1.0)  # 0 plug flow, 1 parabolic
    for turn in (-1, 0, 1):  # beyond the limit the spectrum comes in from the other side
        power += _line_of_sight(at + turn * height / scale, velocity[None, :], flatness)
    power *= 1.0 - np.exp(-((at / rng.uniform(0.02, 0.05)) ** 2))
    gain_db = rng.uniform(-22.0, -15.0) if kind == "weak" else rng.uniform(-14.0, -4.0)
    power = power * 10 ** (gain_db / 10) + 10 ** (rng.uniform(-4.6, -2.9))
    speckled = rng.exponential(1.0, size) * power
    speckled = gaussian_filter(speckled, (rng.uniform(0.5, 0.9), rng.uniform(0.5, 1.6)))
    shown = 1.0 + 10 * np.log10(speckled + 1e-9) / rng.uniform(28.0, 40.0)
    return (np.clip(shown, 0.0, 1.0) * 235).astype(np.uint8), baseline


def _line_of_sight(at: Float, velocity: Float, flatness: float) -> Float:
    """Return the power at velocities `at` for a vessel whose fastest flow is `velocity`."""
    along = at * np.sign(velocity)
    fastest = np.abs(velocity)
    slow = np.clip(along / np.maximum(fastest, 1e-3), 0.0, 1.0) ** (2.0 * (1.0 - flatness))
    edge = 1.0 / (1.0 + np.exp((along - fastest) / 0.02))
    return np.asarray(slow * edge / (1.0 + np.exp(-along / 0.008)))


@dataclass(frozen=True, slots=True)
class Body:
    """One scan line through a body: where each depth moves to, and how fast its echoes change."""

    shift: Float  #: (height, width) pixels by which the echoes have moved
    level_db: Float  #: (height, width)
    renewal: Float  #: (height, width) share of the scatterers that are new in each line


def m_mode(size: Size, kind: str, rng: np.random.Generator) -> Grey:
    """Return an M-mode trace (height, width)."""
    body = {"heart": _heart, "lung": _lung, "vessel": _vessel}[kind](size, rng)
    height, width = size
    rows = np.arange(height, dtype=np.float64)
    margin = height // 2
    still = _scatterers((height + 2 * margin, 1), rng)
    hand = rng.uniform(0.0, 0.003) * height * np.sin(np.linspace(0, rng.uniform(2, 9), width))
    depths = rows[:, None] + margin - body.shift - hand
    moved = map_coordinates(still[:, 0].real, [depths], order=1) + 1j * map_coordinates(
        still[:, 0].imag, [depths], order=1
    )
    fresh = _scatterers(size, rng)
    drift = gaussian_filter1d(_scatterers(size, rng), rng.uniform(15, 60), axis=1)
    drift *= 1.0 / np.sqrt(np.mean(np.abs(drift) ** 2))
    field = moved * 0.85 + drift * 0.5
    field = field * np.sqrt(1.0 - body.renewal) + fresh * np.sqrt(body.renewal)
    columns = np.broadcast_to(np.arange(width), size)
    level_db = map_coordinates(body.level_db, [rows[:, None] - hand, columns], order=1)
    field = field * 10 ** (level_db / 20)
    field += _scatterers(size, rng) * 10 ** (rng.uniform(-56.0, -46.0) / 20)
    field = gaussian_filter1d(field, rng.uniform(1.2, 2.2), axis=0) * 2.2
    field = gaussian_filter1d(field, rng.uniform(0.3, 0.8), axis=1)
    db = 20 * np.log10(np.abs(field) + 1e-4)
    return (np.clip(1.0 + (db + 8.0) / 58.0, 0.0, 1.0) * 245).astype(np.uint8)


def _scatterers(size: Size, rng: np.random.Generator) -> NDArray[np.complex128]:
    real, imaginary = rng.standard_normal((2, *size))
    return np.asarray((real + 1j * imaginary) / np.sqrt(2.0))


def _layers(height: int, top: float, bottom: float, n: int, rng: np.random.Generator) -> Float:
    """Return thin bright sheets between two depths, in dB over (height,)."""
    rows = np.arange(height) / height
    sheets = np.full(height, -60.0)
    for at in rng.uniform(top, bottom, n):
        drop = ((rows - at) / rng.uniform(0.004, 0.008)) ** 2
        sheets = np.maximum(sheets, rng.uniform(-14.0, 0.0) - 9.0 * drop)
    return sheets


def _moving(profile: Float, shift: Float) -> Float:
    rows = np.arange(len(profile), dtype=np.float64)[:, None]
    return np.asarray(map_coordinates(profile, [rows - shift], order=1, mode="nearest"))


def _heart(size: Size, rng: np.random.Generator) -> Body:
    height, width = size
    seconds = rng.uniform(2.5, 6.0)
    time = np.linspace(0.0, seconds, width) + rng.uniform(0, 1)
    rate = rng.uniform(0.9, 1.7)
    z = np.arange(height)[:, None] / height
    phase = (time * rate) % 1.0
    squeeze = np.sin(np.pi * np.clip(phase / 0.55, 0, 1)) ** 1.5
    septum, wall = rng.uniform(0.3, 0.4), rng.uniform(0.68, 0.78)
    towards = 0.035 * np.exp(-(((z - septum) / 0.1) ** 2)) - 0.07 * np.exp(
        -(((z - wall) / 0.12) ** 2)
    )
    shift = towards * squeeze[None, :] * height
    level = np.full(height, -50.0)
    rows = z[:, 0]
    level[(rows < 0.2) | (rows > wall + 0.06)] = -26.0
    level[np.abs(rows - septum) < 0.045] = -20.0
    level[np.abs(rows - wall) < 0.05] = -18.0
    level = np.maximum(level, _layers(height, 0.01, 0.2, 6, rng))
    level = np.maximum(level, _layers(height, wall + 0.03, wall + 0.06, 1, rng))
    moving = _moving(level, shift)
    blood = moving < -42.0
    return Body(shift, moving, np.where(blood, 0.9, 0.03))


def _lung(size: Size, rng: np.random.Generator) -> Body:
    height, width = size
    pleura = rng.uniform(0.2, 0.4)
    rows = np.arange(height) / height
    level = np.where(rows < pleura, -28.0, -20.0 - 20.0 * (rows - pleura))
    level = np.maximum(level, _layers(height, 0.01, pleura - 0.03, 8, rng))
    level = np.maximum(level, -2.0 - 9.0 * ((rows - pleura) / 0.008) ** 2)
    renewal = np.broadcast_to(np.where(rows < pleura + 0.01, 0.02, 0.97)[:, None], size)
    return Body(np.zeros(size), np.repeat(level[:, None], width, axis=1), renewal.copy())


def _vessel(size: Size, rng: np.random.Generator) -> Body:
    """An inferior vena cava or a carotid: two walls that come and go, with the beat or breath."""
    height, width = size
    time = np.linspace(0.0, rng.uniform(4.0, 9.0), width)
    beat = np.sin(2 * np.pi * time * rng.uniform(0.9, 1.5)) * 0.3
    breath = np.sin(2 * np.pi * time * rng.uniform(0.2, 0.35)) * 0.7
    z = np.arange(height)[:, None] / height
    near, far = rng.uniform(0.3, 0.4), rng.uniform(0.55, 0.65)
    reach = np.exp(-(((z - near) / 0.12) ** 2)) - np.exp(-(((z - far) / 0.12) ** 2))
    shift = 0.04 * reach * (beat + breath)[None, :] * height
    rows = z[:, 0]
    level = np.where((rows > near) & (rows < far), -50.0, -27.0 - 8.0 * rows)
    for at in (near, far):
        level = np.maximum(level, -4.0 - 9.0 * ((rows - at) / 0.008) ** 2)
    level = np.maximum(level, _layers(height, 0.01, near - 0.05, 6, rng))
    moving = _moving(level, shift)
    return Body(shift, moving, np.where(moving < -45.0, 0.9, 0.03))


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """A screen with a trace, and where things lie on it as (top, left, bottom, right)."""

    picture: RGB
    strip: tuple[int, int, int, int]
    tissue: tuple[int, int, int, int] | None


def trace_screen(kind: str, seed: int, *, layout: str | None = None) -> Screen:
    """Draw a whole screen.

    Args:
        kind: of SPECTRA or MOTIONS.
        seed: of everything.
        layout: "full" (the trace alone), "below" or "beside" a small B-mode picture, "small" (the
            trace smaller than the picture above it); drawn by chance if not given.
    """
    rng = np.random.default_rng(seed)
    height, width = SIZES[rng.integers(len(SIZES))]
    layout = layout or str(rng.choice(["full", "below", "below", "beside"]))
    canvas = Image.new("RGB", (width, height))
    pen = ImageDraw.Draw(canvas)
    pen.rectangle((0, 0, width, height // 14), fill=(24, 28, 38))
    left, right = round(width * rng.uniform(0.02, 0.14)), round(width * rng.uniform(0.86, 0.93))
    top = {"full": 0.12, "below": 0.44, "beside": 0.12, "small": 0.7}[layout]
    if layout == "beside":
        left = round(0.33 * width)
    box = (round(height * (top + rng.uniform(0, 0.03))), left, round(height * 0.93), right)
    strip = _strip(kind, (box[2] - box[0], box[3] - box[1]), rng)
    canvas.paste(Image.fromarray(strip), (box[1], box[0]))
    tissue = None if layout == "full" else _thumbnail(canvas, layout, box, rng)
    _furnish(pen, box, (height, width), rng)
    return Screen(picture=np.asarray(canvas, np.uint8), strip=box, tissue=tissue)


def _strip(kind: str, size: Size, rng: np.random.Generator) -> RGB:
    if kind in MOTIONS:
        return np.repeat(m_mode(size, kind, rng)[..., None], 3, axis=2)
    grey, baseline = spectrum(size, kind, rng)
    rgb = np.repeat(grey[..., None], 3, axis=2)
    if rng.random() < 0.25:  # a sepia map
        rgb = (rgb * np.array([1.0, 0.86, 0.62])).astype(np.uint8)
    line = [(200, 200, 200), (120, 120, 120), (230, 160, 40), (60, 190, 90)][rng.integers(4)]
    rgb[baseline : baseline + int(rng.integers(1, 3))] = line
    return rgb


def _thumbnail(
    canvas: Image.Image, layout: str, box: tuple[int, int, int, int], rng: np.random.Generator
) -> tuple[int, int, int, int]:
    names = list(VIEWS)
    view: View = VIEWS[names[rng.integers(len(names))]]
    width, height = canvas.size
    room = (box[0] - height // 12 - 6, width // 2)
    if layout == "beside":
        room = (height // 2, box[1] - 16)
    elif layout == "small":
        room = (box[0] - height // 12 - 6, round(0.8 * width))
    scan = Image.fromarray(make_scan(view, seed=int(rng.integers(1 << 16)), height=460).picture)
    scale = min(room[0] / scan.height, room[1] / scan.width)
    scan = scan.resize((round(scan.width * scale), round(scan.height * scale)))
    at = (8 if layout == "beside" else round(rng.uniform(0.2, 0.5) * (width - scan.width)), 0)
    place = (at[0], height // 12)
    canvas.paste(scan, place)
    pen = ImageDraw.Draw(canvas)
    middle = place[0] + scan.width // 2
    pen.line((middle, place[1], middle + scan.width // 9, place[1] + scan.height), fill=(190,) * 3)
    return (place[1], place[0], place[1] + scan.height, place[0] + scan.width)


def _furnish(
    pen: ImageDraw.ImageDraw, box: tuple[int, int, int, int], size: Size, rng: np.random.Generator
) -> None:
    """Write name, scale and time marks; a colour bar or an ECG by chance."""
    height, width = size
    top, left, bottom, right = box
    small, large = ImageFont.load_default(11), ImageFont.load_default(15)
    pen.text((10, 4), "PHANTOM^TRACE   ID 4711", fill=(225, 225, 225), font=large)
    pen.text((width * 6 // 10, 6), "MI 0.9  TIS 0.3  25.0 mm/s", fill=(200, 200, 200), font=small)
    for row in np.linspace(top, bottom - 1, 6).round():
        pen.line((right + 2, row, right + 7, row), fill=(150, 150, 150))
        pen.text((right + 9, row - 6), str(int(row) % 97), fill=(150, 150, 150), font=small)
    for column in np.linspace(left, right, int(rng.integers(5, 12))).round():
        pen.line((column, bottom + 1, column, bottom + 5), fill=(180, 180, 180))
    if rng.random() < 0.4:
        for row in range(height // 10, height // 10 + 60):
            red = (row - height // 10) * 4
            pen.line((width - 22, row, width - 10, row), fill=(255 - red, 30, red))
    if rng.random() < 0.4:
        columns = np.arange(left, right)
        spike = np.exp(-((((columns % 130) - 60) / 3.0) ** 2)) * 0.05 * height
        points = [(int(x), int(bottom - 6 - s)) for x, s in zip(columns, spike, strict=True)]
        pen.line(points, fill=(60, 230, 90))


def as_jpeg(picture: RGB, quality: int) -> bytes:
    """Code a picture as JPEG."""
    coded = io.BytesIO()
    Image.fromarray(picture).save(coded, "JPEG", quality=quality)
    return coded.getvalue()
