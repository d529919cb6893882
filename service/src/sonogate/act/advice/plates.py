"""The child process that draws what an adviser is shown; no network, no database, no file.

It makes both pictures of the thumbnail, on which no letter can be read by construction (ADR 11). A
thumbnail comes from a worker that may have been taken over by what it read, so it is opened here
and not in the gate. The new PNGs hold pixels and nothing else.
"""

import asyncio
import base64
import io
import os
import resource
import sys
import warnings
from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict

from sonogate.act.apart import ApartError, ask_apart
from sonogate.observe.dumps import forbid_dumps

MAX_AREA: Final = 392 * 392
"""Pixels of a picture: EchoVLM's training shrinks every image to at most so many."""
MAX_THUMBNAIL_PIXELS: Final = 1024 * 1024
LEAST_SHARE: Final = 0.25
"""A crop has at least this part of each side: less shows no tissue to compare with."""
MOST_ENLARGED: Final = 2.0
WORST_SHARE: Final = 0.15
"""Without a region of a finding: where the worst part of the heat map is."""
DEADLINE_SECONDS: Final = 20.0
MEMORY_BYTES: Final = 1024**3
MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
NICENESS: Final = 19

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""


class Order(BaseModel):
    """What to draw of; bytes as base64."""

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    thumbnail: bytes
    heatmap: bytes | None = None
    region: tuple[int, int, int, int] | None = None
    """Left, top, width, height of the worst finding, in pixels of the stored frame."""


class Plates(BaseModel):
    """PNGs: the whole, and its worst region if there is one."""

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    pictures: tuple[bytes, ...]


async def draw(order: Order) -> tuple[bytes, ...]:
    """Draw in a process of its own; nothing if it can't.

    Args:
        order: the thumbnail, and where it is worst.

    Returns:
        PNG bytes of one or two pictures; none if the thumbnail can't be opened.
    """
    try:
        out = await ask_apart(
            __name__,
            order.model_dump_json().encode(),
            deadline_seconds=DEADLINE_SECONDS,
            max_answer_bytes=MAX_ANSWER_BYTES,
        )
        return (await asyncio.to_thread(Plates.model_validate_json, out)).pictures
    except (ApartError, ValueError):
        return ()


def plates_of(order: Order) -> Plates:
    """Draw the pictures.

    Raises:
        ValueError: the thumbnail is none.
        OSError: likewise.
    """
    with _opened(order.thumbnail) as opened:
        shown = _shown_region(opened.info.get("sonogate-region"))
        whole = opened.convert("L")
    box = _box_of_region(order.region, shown, whole.size) or _box_of_heat(order.heatmap, whole.size)
    pictures = [_fitted(whole, 1.0)]
    if box is not None:
        pictures.append(_fitted(whole.crop(_grown(box, whole.size)), MOST_ENLARGED))
    return Plates(pictures=tuple(map(_png, pictures)))


def _opened(png: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(png), formats=["PNG"])
    if picture.width * picture.height > MAX_THUMBNAIL_PIXELS:
        raise ValueError("This is larger than any thumbnail.")
    return picture


def _shown_region(said: object) -> tuple[int, int, int, int] | None:
    """Read which part of the stored frame a thumbnail shows: left, top, width, height."""
    parts = str(said or "").split(",")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    left, top, width, height = (int(part) for part in parts)
    return (left, top, width, height) if width and height else None


def _box_of_region(
    region: tuple[int, int, int, int] | None,
    shown: tuple[int, int, int, int] | None,
    size: tuple[int, int],
) -> Box | None:
    if region is None or shown is None:
        return None
    across, down = size[0] / shown[2], size[1] / shown[3]
    left, top = (region[0] - shown[0]) * across, (region[1] - shown[1]) * down
    box = (left, top, left + region[2] * across, top + region[3] * down)
    return _clipped(box, size)


def _box_of_heat(heatmap: bytes | None, size: tuple[int, int]) -> Box | None:
    """Return the box around the worst part of a heat map; its opacity is the badness."""
    if heatmap is None:
        return None
    with _opened(heatmap) as opened:
        heat = np.asarray(opened.convert("RGBA").resize(size).getchannel("A"), np.float32)
    lit = heat[heat > 0]
    if not lit.size:
        return None
    rows, columns = np.nonzero(heat >= max(1.0, float(np.quantile(lit, 1 - WORST_SHARE))))
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    return _clipped(box, size)


def _clipped(box: Sequence[float], size: tuple[int, int]) -> Box | None:
    left, top = max(0, int(box[0])), max(0, int(box[1]))
    right, bottom = min(size[0], round(box[2])), min(size[1], round(box[3]))
    return (left, top, right, bottom) if left < right and top < bottom else None


def _grown(box: Box, size: tuple[int, int]) -> Box:
    """Make a box large enough, inside the picture."""
    spans = [_span(box[side], box[side + 2], length) for side, length in enumerate(size)]
    return spans[0][0], spans[1][0], spans[0][1], spans[1][1]


def _span(start: int, end: int, length: int) -> tuple[int, int]:
    wanted = min(length, max(end - start, round(LEAST_SHARE * length), 1))
    begin = min(max(0, (start + end - wanted) // 2), length - wanted)
    return begin, begin + wanted


def _fitted(picture: Image.Image, most: float) -> Image.Image:
    """Scale to at most MAX_AREA and at most `most` times its size."""
    by = min(most, (MAX_AREA / (picture.width * picture.height)) ** 0.5)
    size = (max(1, int(picture.width * by)), max(1, int(picture.height * by)))
    return picture.resize(size, Image.Resampling.BICUBIC)


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.asarray(picture)).save(out, "PNG")
    return out.getvalue()


def confine() -> None:
    """Bound memory and give way to others; no files, no dumps."""
    forbid_dumps()
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    os.setpriority(os.PRIO_PROCESS, 0, NICENESS)


def main() -> None:
    """Answer the order on standard input."""
    confine()
    sys.dont_write_bytecode = True
    warnings.simplefilter("ignore")
    plates = plates_of(Order.model_validate_json(sys.stdin.buffer.read()))
    sys.stdout.buffer.write(plates.model_dump_json().encode())


def to_data_url(png: bytes) -> str:
    """Write a picture as an address that holds it (RFC 2397)."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


if __name__ == "__main__":
    main()
