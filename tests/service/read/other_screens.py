"""Trace screens in another style than `trace_screens`: nothing is shared but the phantom.

A spectrum here is what a scanner computes: the short-time Fourier transform of the echoes of blood
cells that pass a gate, through a wall filter. An M-mode trace is a line of scatterers between walls
that move, sampled a few hundred times a second and stretched over the strip. Layouts, sizes, lines
and furniture differ as well. Everything is determined by the seed; limits may be tuned on even
seeds only, odd ones are for the counts.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from sonogate.demo.phantom import make_scan
from sonogate.demo.views import VIEWS
from tests.service.read.other_motions import MOTIONS, motion

Float = NDArray[np.float64]
Grey = NDArray[np.uint8]
Size = tuple[int, int]
Box = tuple[int, int, int, int]

SPECTRA = ("arterial", "steady", "venous", "valve", "aliased", "weak")
BASELINES = ("drawn", "dashed", "none", "short")
SIZES: tuple[Size, ...] = ((576, 768), (614, 816), (720, 960), (768, 1280), (1080, 1440))
LAYOUTS = ("full", "under", "over", "beside", "two", "framed", "narrow", "low")


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherScreen:
    """A screen, and what is on it."""

    picture: NDArray[np.uint8]  #: (height, width, 3)
    strip: Box  #: (top, left, bottom, right) of the trace
    layout: str
    baseline: str  #: of a spectrum


def other_screen(
    kind: str, seed: int, *, layout: str | None = None, baseline: str | None = None
) -> OtherScreen:
    """Draw a screen.

    Args:
        kind: of SPECTRA or MOTIONS.
        seed: of everything.
        layout: of LAYOUTS; by chance if not given.
        baseline: of BASELINES; by chance if not given.
    """
    rng = np.random.default_rng([seed, (*SPECTRA, *MOTIONS).index(kind)])
    size = SIZES[rng.integers(len(SIZES))]
    layout = layout or str(rng.choice(LAYOUTS))
    baseline = baseline or str(rng.choice(BASELINES))
    panel = int(rng.choice([0, 0, 12, 28]))
    canvas = Image.new("RGB", (size[1], size[0]), (panel, panel, panel + panel // 4))
    box, scans = _places(layout, size, rng)
    for place in scans:
        _paste_scan(canvas, place, rng)
    inner = (box[2] - box[0], box[3] - box[1])
    if kind in MOTIONS:
        strip = np.repeat(motion(kind, inner, rng)[..., None], 3, axis=2)
    else:
        strip = _spectrum(kind, inner, baseline, rng)
    canvas.paste(Image.fromarray(strip), (box[1], box[0]))
    _furnish(ImageDraw.Draw(canvas), box, size, layout, rng)
    picture = np.asarray(canvas, np.uint8)
    if rng.random() < 0.5:
        coded = io.BytesIO()
        canvas.save(coded, "JPEG", quality=int(rng.integers(70, 95)))
        picture = np.asarray(Image.open(coded))
    return OtherScreen(picture=picture, strip=box, layout=layout, baseline=baseline)


def _places(layout: str, size: Size, rng: np.random.Generator) -> tuple[Box, list[Box]]:
    """Return where the trace and where the B-mode pictures lie."""
    height, width = size

    def at(top: float, left: float, bottom: float, right: float) -> Box:
        off = rng.uniform(-0.012, 0.012)
        return (
            round((top + off) * height),
            round((left + off) * width),
            round((bottom + off) * height),
            round((right + off) * width),
        )

    split = rng.uniform(0.36, 0.5)
    places: Mapping[str, tuple[Box, list[Box]]] = {
        "full": (at(0.1, 0.06, 0.92, 0.9), []),
        "under": (at(split + 0.03, 0.05, 0.93, 0.92), [at(0.07, 0.3, split, 0.7)]),
        "over": (at(0.07, 0.08, 0.55, 0.93), [at(0.6, 0.3, 0.96, 0.7)]),
        "beside": (at(0.15, 0.42, 0.9, 0.93), [at(0.15, 0.04, 0.75, 0.4)]),
        "two": (
            at(split + 0.05, 0.05, 0.93, 0.92),
            [at(0.07, 0.08, split, 0.45), at(0.07, 0.52, split, 0.9)],
        ),
        "framed": (at(0.2, 0.12, 0.75, 0.83), []),
        "narrow": (at(0.2, 0.6, 0.8, 0.6 + rng.uniform(0.22, 0.34)), [at(0.2, 0.1, 0.6, 0.5)]),
        "low": (at(0.93 - rng.uniform(0.17, 0.25), 0.06, 0.93, 0.93), []),
    }
    return places[layout]


def _paste_scan(canvas: Image.Image, place: Box, rng: np.random.Generator) -> None:
    """Put a small B-mode picture there, with its scan line and its gate."""
    name = list(VIEWS)[rng.integers(len(VIEWS))]
    grey = make_scan(VIEWS[name], seed=int(rng.integers(1 << 16)), height=420).picture
    scan = Image.fromarray((255 * (grey / 255) ** rng.uniform(0.8, 1.4)).astype(np.uint8))
    scale = min((place[2] - place[0]) / scan.height, (place[3] - place[1]) / scan.width)
    scan = scan.resize((max(8, round(scan.width * scale)), max(8, round(scan.height * scale))))
    canvas.paste(scan, (place[1], place[0]))
    pen = ImageDraw.Draw(canvas)
    x, y = place[1] + scan.width * 0.5, place[0] + scan.height * rng.uniform(0.4, 0.7)
    pen.line((x, place[0], x + 8, place[0] + scan.height), fill=(120, 200, 120))
    for off in (-4, 4):
        pen.line((x - 8, y + off, x + 14, y + off), fill=(230, 230, 230))


def _spectrum(kind: str, size: Size, baseline: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    n_bins, n_lines = int(rng.choice([128, 192, 256])), max(60, size[1] // int(rng.integers(1, 4)))
    power = _doppler_power(kind, n_bins, n_lines, rng)
    power = gaussian_filter(power, (0.6, rng.uniform(0.3, 1.2)))
    db = 10 * np.log10(power / np.percentile(power, 99.5) + 1e-9)
    shown = np.clip(1 + (db + rng.uniform(-4, 4)) / rng.uniform(26, 42), 0, 1)
    grey = (255 * shown ** rng.uniform(0.8, 1.3)).astype(np.uint8)
    way = Image.Resampling.BILINEAR if rng.random() < 0.7 else Image.Resampling.NEAREST
    zero = {"steady": 0.3, "valve": 0.5}.get(kind, rng.choice([0.22, 0.75]))
    grey = np.roll(grey, round((zero - 0.5) * n_bins), axis=0)
    if zero < 0.5:
        grey = np.roll(grey[::-1], round((2 * zero - 1) * n_bins) + 1, axis=0)
    strip = np.asarray(Image.fromarray(grey).resize((size[1], size[0]), way))
    tint = np.array([(1, 1, 1), (1, 1, 1), (1, 0.9, 0.7), (0.8, 0.93, 1)][rng.integers(4)])
    rgb = np.asarray(strip[..., None] * tint, np.uint8)
    _draw_baseline(rgb, round(zero * size[0]), baseline, rng)
    return rgb


def _doppler_power(kind: str, n_bins: int, n_lines: int, rng: np.random.Generator) -> Float:
    """Return the power (velocity, time) of blood cells in a gate; zero velocity in the middle."""
    velocity = _velocity(kind, n_lines, rng)  # in parts of the sampling limit
    every = 24
    fine = np.interp(np.arange(n_lines * every) / every, np.arange(n_lines), velocity)
    n_cells = 48
    plug = 1 / rng.uniform(2, 12)
    speeds = (1 - rng.uniform(0, 1, n_cells) ** (1 / plug))[:, None] ** 0.5
    phase = np.cumsum(np.pi * speeds * fine, axis=1) + rng.uniform(0, 6.3, (n_cells, 1))
    noise = rng.standard_normal((2, n_cells, n_lines * every // 16 + 1))
    passing = np.repeat(noise[0] + 1j * noise[1], 16, axis=1)[:, : phase.shape[1]]
    passing = gaussian_filter1d(passing.real, 12, axis=1) + 1j * gaussian_filter1d(
        passing.imag, 12, axis=1
    )
    echo = (passing * np.exp(1j * phase)).sum(axis=0)
    loudness = {"weak": 0.3}.get(kind, 0.07) * rng.uniform(0.3, 1.7)
    white = rng.standard_normal((2, echo.size))
    echo = echo + loudness * echo.std() * (white[0] + 1j * white[1])
    window = np.hanning(96)
    starts = np.arange(n_lines) * every
    padded = np.pad(echo, (48, 96), mode="reflect")
    pieces = padded[starts[:, None] + np.arange(96)] * window
    power = np.abs(np.fft.fftshift(np.fft.fft(pieces, n_bins, axis=1), axes=1)) ** 2
    at = np.abs(np.linspace(1, -1, n_bins))
    stopped = 1 - np.exp(-((at / rng.uniform(0.02, 0.05)) ** 4))
    return np.asarray(power[:, ::-1].T * stopped[:, None])


def _velocity(kind: str, n_lines: int, rng: np.random.Generator) -> Float:
    beats = rng.uniform(3, 9)
    phase = (np.linspace(0, beats, n_lines) + rng.uniform()) % 1
    breath = np.sin(np.linspace(0, beats * 1.4, n_lines) + rng.uniform(0, 6))
    if kind == "steady":
        return np.asarray(-(rng.uniform(0.3, 0.5) + 0.02 * breath))
    if kind == "venous":
        return np.asarray(0.45 + 0.15 * breath + 0.1 * np.sin(2 * np.pi * phase))
    if kind == "valve":
        jet = np.where(phase < 0.38, np.sin(np.pi * phase / 0.38), 0) * 0.7
        back = np.where((phase > 0.5) & (phase < 0.72), np.sin(np.pi * (phase - 0.5) / 0.22), 0)
        return np.asarray(jet - 0.5 * back)
    peak = {"aliased": 1.35, "weak": 0.5}.get(kind, rng.uniform(0.6, 0.95))
    upstroke = np.clip(phase / 0.08, 0, 1) * np.exp(-np.clip(phase - 0.08, 0, 1) * 5)
    return np.asarray(peak * (rng.uniform(0.05, 0.3) + 0.75 * upstroke))


def _draw_baseline(rgb: Grey, row: int, baseline: str, rng: np.random.Generator) -> None:
    level = np.array([(220, 220, 220), (150, 150, 90), (90, 160, 220)][rng.integers(3)])
    thick = int(rng.integers(1, 3))
    if baseline == "drawn":
        rgb[row : row + thick] = level
    elif baseline == "dashed":
        dash = int(rng.integers(6, 16))
        drawn = np.arange(rgb.shape[1]) // dash % 2 == 0
        rgb[row : row + thick, drawn] = level
    elif baseline == "short":
        rgb[row : row + thick, : rgb.shape[1] // 3] = level


def _furnish(
    pen: ImageDraw.ImageDraw, box: Box, size: Size, layout: str, rng: np.random.Generator
) -> None:
    """Write text, an axis, ticks, a trackball arrow, an ECG or an envelope, by chance."""
    height, width = size
    top, left, bottom, right = box
    font, colour = ImageFont.load_default(int(rng.integers(10, 17))), (210, 210, 190)
    pen.text((width * 0.03, height * 0.012), "Doe, Jane  12-03-1971", fill=colour, font=font)
    pen.text((width * 0.7, height * 0.012), "L12-3  PW 2.5 MHz", fill=colour, font=font)
    for number in range(6):
        y = top + number * (bottom - top) / 5
        pen.text((right + 8, y - 6), f"{60 - 20 * number}", fill=colour, font=font)
        pen.line((right + 1, y, right + 5, y), fill=colour)
    if layout == "framed" or rng.random() < 0.2:
        pen.rectangle((left - 2, top - 2, right + 1, bottom + 1), outline=(140, 140, 150))
    if rng.random() < 0.4:
        x, y = rng.uniform(0.1, 0.9) * width, rng.uniform(0.1, 0.9) * height
        pen.polygon(
            [(x, y), (x + 14, y + 11), (x + 7, y + 12), (x + 4, y + 19)], fill=(250, 250, 250)
        )
    if rng.random() < 0.3:
        columns = np.arange(left, right, 2)
        period = rng.uniform(90, 200)
        spike = 0.04 * height * np.exp(-((((columns % period) - 40) / 3.5) ** 2))
        points = [(float(x), float(bottom - 5 - s)) for x, s in zip(columns, spike, strict=True)]
        pen.line(points, fill=(80, 240, 110))
    if rng.random() < 0.2:
        for column in np.linspace(left, right, 9):
            pen.line((column, top, column, top + 6), fill=(200, 200, 120))


def flow_free_page(seed: int) -> NDArray[np.uint8]:
    """Draw a page of measurements on a coloured ground, as many carts show their worksheets."""
    rng = np.random.default_rng([seed, 5])
    height, width = SIZES[rng.integers(len(SIZES))]
    ground = [(8, 16, 72), (0, 40, 90), (10, 60, 60), (50, 10, 50), (20, 30, 110)][rng.integers(5)]
    ink = [(250, 250, 250), (255, 230, 90), (140, 220, 255)][rng.integers(3)]
    image = Image.new("RGB", (width, height), ground)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(int(rng.integers(13, 19)))
    for row in range(30, height - 40, int(rng.integers(24, 44))):
        pen.text((40, row), "CCA prox  PSV 78.2 cm/s", fill=ink, font=font)
        if rng.random() < 0.8:
            pen.text((width * 0.55, row), "RI 0.71   EDV 19.4", fill=ink, font=font)
    if rng.random() < 0.5:
        pen.rectangle((20, 20, width - 20, height - 20), outline=ink)
    return np.asarray(gaussian_filter(np.asarray(image), (0.4, 0.4, 0)), np.uint8)
