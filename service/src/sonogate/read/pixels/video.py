"""Frames of MPEG-2, H.264 and HEVC objects, through PyAV (the `video` extra; GPL codecs)."""

from collections.abc import Iterator, Sequence
from io import BytesIO

import av
import numpy as np
from numpy.typing import NDArray

from sonogate.errors import UndecodableError
from sonogate.read.objects.stream import BoundedStream
from sonogate.read.pixels.encoded import Fragment
from sonogate.read.pixels.layout import PixelLayout


def decode_video(
    fragments: Sequence[Fragment],
    stream: BoundedStream,
    numbers: Sequence[int],
    layout: PixelLayout,
) -> Iterator[NDArray[np.uint8]]:
    """Decode the wanted frames of one video stream; the others are decoded, but not converted.

    Args:
        fragments: of the Pixel Data, in order: one stream cut anyhow (PS3.5 8.2.5 and on).
        stream: the object's bytes.
        numbers: frame numbers, from 1, ascending.
        layout: what the header declares.

    Yields:
        (height, width, 3) RGB.

    Raises:
        UndecodableError: the size differs from the header's, or the stream ends early.
    """
    encoded = BytesIO(b"".join(fragment.read(stream) for fragment in fragments))
    wanted = set(numbers)
    with av.open(encoded, mode="r") as container:
        for number, frame in enumerate(container.decode(video=0), start=1):
            if (frame.height, frame.width) != (layout.rows, layout.columns):
                raise UndecodableError("Rows and Columns differ from the size of the video.")
            if number in wanted:
                wanted.discard(number)
                yield frame.to_ndarray(format="rgb24")
            if not wanted:
                return
    raise UndecodableError("The video has fewer frames than the header claims.")
