"""A scanner's screen around a scan: name, bar, ticks and labels, as carts burn them in."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sonogate.demo.phantom import Scan

HEIGHT, WIDTH = 600, 800
TOP = 84
GREY, WHITE, BLUE, YELLOW = (150, 150, 150), (225, 225, 225), (120, 160, 230), (230, 200, 90)

RGB = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """A screen, and where the scan lies in it."""

    picture: RGB  #: (600, 800, 3)
    left: int
    top: int
    right: int  #: last column of the scan
    bottom: int  #: last row of the scan
    cm_per_pixel: float


def make_screen(
    scan: Scan, *, patient: str, label: str, probe: str, frame_text: str = ""
) -> Screen:
    """Put a scan on a screen; the patient's name stands above it, outside the region."""
    height, width = scan.picture.shape
    left = (WIDTH - width) // 2
    image = Image.new("RGB", (WIDTH, HEIGHT))
    image.paste(Image.fromarray(scan.picture), (left, TOP))
    draw = ImageDraw.Draw(image)
    _words(draw, patient, label, probe, frame_text)
    _grey_bar(image)
    _ticks(draw, left + width + 8, height, scan.cm_per_pixel)
    return Screen(
        picture=np.asarray(image, np.uint8),
        left=left,
        top=TOP,
        right=left + width - 1,
        bottom=TOP + height - 1,
        cm_per_pixel=scan.cm_per_pixel,
    )


def _words(draw: ImageDraw.ImageDraw, patient: str, label: str, probe: str, frame: str) -> None:
    draw.rectangle((0, 0, WIDTH, 40), fill=(24, 28, 38))
    draw.text((12, 6), patient, fill=WHITE, font=_font(18))
    draw.text((12, 26), "SONOGATE DEMO CLINIC", fill=GREY, font=_font(11))
    draw.text((560, 6), f"{probe}   MI 0.9   TIS 0.3", fill=WHITE, font=_font(14))
    draw.text((560, 24), "Abdomen  31 Hz  60 dB  Gn 52", fill=GREY, font=_font(11))
    draw.text((60, 560), label, fill=YELLOW, font=_font(18))
    draw.text((700, 566), frame, fill=GREY, font=_font(12))
    draw.text((16, 60), "S", fill=BLUE, font=_font(22))


def _grey_bar(image: Image.Image) -> None:
    ramp = np.linspace(255, 0, 180).astype(np.uint8)
    bar = np.repeat(np.repeat(ramp[:, None], 12, axis=1)[..., None], 3, axis=2)
    image.paste(Image.fromarray(bar), (16, 100))


def _ticks(draw: ImageDraw.ImageDraw, x: int, height: int, cm_per_pixel: float) -> None:
    x = min(x, WIDTH - 24)
    for centimetre in range(int(height * cm_per_pixel) + 1):
        y = TOP + round(centimetre / cm_per_pixel)
        long = centimetre % 5 == 0
        draw.line((x, y, x + (8 if long else 4), y), fill=GREY)
        if long and centimetre:
            draw.text((x + 10, y - 6), str(centimetre), fill=GREY, font=_font(11))


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
