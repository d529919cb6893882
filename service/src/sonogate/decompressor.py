"""The child process that decodes one object to be passed on; no network, no database.

python -m sonogate.decompressor FILE OFFSET SIZE SYNTAX TARGET

Only samples that their coding kept exactly are decoded, so the instance stays what it was under the
same UID (PS3.5 section 10, PS3.3 C.7.6.1.1.5). Nothing is said of why it failed: whatever parsers
and codecs raise may quote a patient's name.
"""

import io
import resource
import sys
from pathlib import Path
from typing import Final

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import UID

from sonogate.errors import UndecodableError
from sonogate.read.objects.boundary import decoding
from sonogate.read.pixels.codecs import FRAME_CODECS, decode_frame
from sonogate.read.pixels.layout import PixelLayout, layout_of
from sonogate.score.confinement import confine

MEMORY_BYTES: Final = 6 * 1024**3
"""Address space: an uncompressed cine of 1.5 GB, twice, and the libraries."""


def main(arguments: list[str]) -> int:
    """Decode one object; return the exit status."""
    confine()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    path, offset, size, syntax, target = arguments
    try:
        with Path(path).open("rb") as file:
            file.seek(int(offset))
            content = file.read(int(size))
        decompress(content, syntax, Path(target))
    except (UndecodableError, OSError):
        return 1
    return 0


def decompress(content: bytes, syntax: str, target: Path) -> None:
    """Write a Part 10 file anew, its pixels as plain samples.

    Args:
        content: The file.
        syntax: Explicit or Implicit VR Little Endian.
        target: A file that is not there yet.

    Raises:
        UndecodableError: No codec reads it without loss.
    """
    with decoding("the object"):
        ds = dcmread(io.BytesIO(content))
        codec = str(ds.file_meta.TransferSyntaxUID)
        if codec in FRAME_CODECS:
            _to_plain(ds, codec)
        ds.file_meta.TransferSyntaxUID = UID(syntax)
        ds.save_as(target, enforce_file_format=True, overwrite=False)


def _to_plain(ds: Dataset, syntax: str) -> None:
    layout = layout_of(ds)
    if layout.signed or layout.bits_allocated not in (8, 16):
        raise UndecodableError("Signed or odd samples are not decoded to be passed on.")
    word = np.dtype(f"<u{layout.bits_allocated // 8}")
    frames = []
    is_rgb = False
    for stream in generate_frames(ds.PixelData, number_of_frames=layout.n_frames):
        decoded = decode_frame(FRAME_CODECS[syntax], stream, layout)
        is_rgb = decoded.is_rgb
        frames.append(np.ascontiguousarray(decoded.samples).astype(word, casting="safe").tobytes())
    if len(frames) != layout.n_frames:
        raise UndecodableError("There are fewer frames than the header claims.")
    _set_pixels(ds, b"".join(frames), layout, is_rgb=is_rgb)


def _set_pixels(ds: Dataset, samples: bytes, layout: PixelLayout, *, is_rgb: bool) -> None:
    ds.PixelData = samples + b"\0" * (len(samples) % 2)
    ds["PixelData"].VR = "OW" if layout.bits_allocated > 8 else "OB"
    ds["PixelData"].is_undefined_length = False
    if layout.samples == 3:
        ds.PlanarConfiguration = 0
        if is_rgb:
            ds.PhotometricInterpretation = "RGB"
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in ds:
            delattr(ds, keyword)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
