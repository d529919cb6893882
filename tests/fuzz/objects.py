"""The doors of a scoring worker: a kept object, and each decoder behind its frames.

Every input ends in `Examiner.examine`, the worker's own entry point, with a scorer that does not
look. What comes out of it as an exception would have ended the worker.
"""

import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from sonogate.decompressor import decompress
from sonogate.domain.instance import MediaType
from sonogate.domain.job import Examination, Job, Outcome
from sonogate.errors import UndecodableError
from sonogate.read.pixels.codecs import FRAME_CODECS, JPEG_FAMILY
from sonogate.receive.part10 import file_meta
from sonogate.testing import ConstantScorer
from sonogate.worker import Examiner
from tests.fuzz.harness import scratch

US_IMAGE: Final = "1.2.840.10008.5.1.4.1.1.6.1"
EXPLICIT, IMPLICIT, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
DEFLATED: Final = "1.2.840.10008.1.2.1.99"
PHOTOMETRIC: Final = (
    "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT", "MONOCHROME1",
    "PALETTE COLOR",
)  # fmt: skip
BITS: Final = ((8, 8), (16, 16), (16, 12), (32, 32))
PREFIX_BYTES: Final = 4
LARGE_PIXELS: Final = 1_000_000
ONE_IN: Final = 16
"""Of inputs that claim over a megapixel one in so many is tried: each is as long as a thousand."""
_EXAMINER: Final = Examiner(ConstantScorer())


def examine(content: bytes, media_type: MediaType = MediaType.DICOM) -> str:
    """Read an object as a worker does; return its outcome and why."""
    path = scratch() / "object"
    path.write_bytes(content)
    job = Job(object_id="1", path=str(path), media_type=media_type, max_frames=8)
    examination = _EXAMINER.examine(job)
    _check(examination)
    return f"{examination.outcome} {examination.reason_detail or examination.reason_code or ''}"


def _check(examination: Examination) -> None:
    is_scored = examination.outcome is Outcome.SCORED
    if is_scored != (examination.thumbnail_png is not None):
        raise AssertionError("an object that is scored has a picture, and no other has")


def read_object(data: bytes) -> str:
    """Read bytes as a file that came by C-STORE."""
    return examine(data)


def read_picture(data: bytes) -> str:
    """Read bytes as a picture that came over HTTP."""
    kinds = (MediaType.PNG, MediaType.JPEG, MediaType.WEBP)
    return examine(data[1:], kinds[data[0] % 3]) if data else "nothing"


def read_deflated(data: bytes) -> str:
    """Read a deflated data set; an even first byte has the harness deflate it first."""
    if not data:
        return "nothing"
    body = data[1:]
    if data[0] % 2 == 0:
        deflater = zlib.compressobj(1, wbits=-zlib.MAX_WBITS)
        body = deflater.compress(body) + deflater.flush()
    return examine(_meta(DEFLATED) + body)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a header says of its pixels."""

    rows: int
    columns: int
    photometric: str = "MONOCHROME2"
    bits: tuple[int, int] = (8, 8)
    planar: int = 0
    is_signed: bool = False
    n_frames: int = 1

    @property
    def samples(self) -> int:
        """Samples per pixel."""
        return 3 if self.photometric[:3] in ("RGB", "YBR") else 1


def _meta(syntax: str) -> bytes:
    return file_meta(
        sop_class_uid=US_IMAGE,
        sop_instance_uid="1.2.3",
        transfer_syntax_uid=syntax,
        source_ae="FUZZ",
    )


def _element(group: int, element: int, vr: bytes, value: bytes) -> bytes:
    value += (b" " if vr in (b"CS", b"IS") else b"\0") * (len(value) % 2)
    if vr == b"OW":
        return struct.pack("<HH2s2xL", group, element, vr, len(value)) + value
    return struct.pack("<HH2sH", group, element, vr, len(value)) + value


def _short(group: int, element: int, value: int) -> bytes:
    return _element(group, element, b"US", struct.pack("<H", value & 0xFFFF))


def header_of(shape: Shape, extra: bytes = b"") -> bytes:
    """Write the data set before its pixels, explicit little endian; `extra` is in group 0028."""
    return b"".join(
        (
            _element(0x0008, 0x0016, b"UI", US_IMAGE.encode()),
            _element(0x0008, 0x0018, b"UI", b"1.2.3"),
            _element(0x0008, 0x0060, b"CS", b"US"),
            _short(0x0028, 0x0002, shape.samples),
            _element(0x0028, 0x0004, b"CS", shape.photometric.encode()),
            _short(0x0028, 0x0006, shape.planar),
            _element(0x0028, 0x0008, b"IS", str(shape.n_frames).encode()),
            _short(0x0028, 0x0010, shape.rows),
            _short(0x0028, 0x0011, shape.columns),
            _short(0x0028, 0x0100, shape.bits[0]),
            _short(0x0028, 0x0101, shape.bits[1]),
            _short(0x0028, 0x0102, shape.bits[1] - 1),
            _short(0x0028, 0x0103, int(shape.is_signed)),
            extra,
        )
    )


def encapsulated(syntax: str, shape: Shape, fragments: Sequence[bytes]) -> bytes:
    """Write a Part 10 file of compressed frames."""
    items = b"".join(
        struct.pack("<HHL", 0xFFFE, 0xE000, len(each)) + each for each in (b"", *fragments)
    )
    pixels = struct.pack("<HH2s2xL", 0x7FE0, 0x0010, b"OB", 0xFFFFFFFF)
    end = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    return _meta(syntax) + header_of(shape) + pixels + items + end


def native(syntax: str, shape: Shape, samples: bytes, extra: bytes = b"") -> bytes:
    """Write a Part 10 file of plain samples; its header is explicit little endian."""
    vr = b"OW" if shape.bits[0] > 8 else b"OB"
    pixels = struct.pack("<HH2s2xL", 0x7FE0, 0x0010, vr, len(samples))
    return _meta(syntax) + header_of(shape, extra) + pixels + samples


def decoder(syntaxes: Sequence[str]) -> Callable[[bytes], str]:
    """Return a door to the decoder of some transfer syntaxes.

    An input is four bytes that choose syntax, photometric interpretation, bits and flags, then one
    frame. The header tells the size that the frame claims, so that the decoder is reached, unless
    a flag says to lie.
    """

    def run(data: bytes) -> str:
        if len(data) < PREFIX_BYTES:
            return "nothing"
        syntax, frame = syntaxes[data[0] % len(syntaxes)], data[PREFIX_BYTES:]
        shape = _shape(data, _size(syntax, frame, lies=bool(data[3] & 1)))
        if shape.rows * shape.columns > LARGE_PIXELS and zlib.crc32(data) % ONE_IN:
            return "left out"
        content = encapsulated(syntax, shape, _cut(frame, shape.n_frames))
        if data[3] & 8:
            return pass_on(content)
        return examine(content)

    return run


def _size(syntax: str, frame: bytes, *, lies: bool) -> tuple[int, int]:
    codec = FRAME_CODECS.get(syntax)
    size = codec.size_of(frame) if codec is not None and codec.size_of is not None else None
    if size is None or lies or not all(0 < side < 65_536 for side in size):
        return 48, 64
    return size


def _shape(data: bytes, size: tuple[int, int]) -> Shape:
    return Shape(
        *size,
        photometric=PHOTOMETRIC[data[1] % len(PHOTOMETRIC)],
        bits=BITS[data[2] % len(BITS)],
        is_signed=bool(data[3] & 2),
        n_frames=2 if data[3] & 4 else 1,
    )


def _cut(frame: bytes, n_frames: int) -> list[bytes]:
    if n_frames == 1:
        return [frame]
    middle = len(frame) // 2
    return [frame[:middle], frame[middle:]]


def pass_on(content: bytes) -> str:
    """Decode an object as the way to an archive does, in a process of its own."""
    target = scratch() / "plain"
    target.unlink(missing_ok=True)
    with suppress(UndecodableError):
        decompress(content, EXPLICIT, target)
        return f"decoded {target.stat().st_size}"
    return "not decoded"


def read_native(data: bytes) -> str:
    """Read plain samples: eight bytes that choose the layout, then pixels."""
    if len(data) < 8:
        return "nothing"
    shape = Shape(
        rows=data[0] % 80,
        columns=data[1] % 80,
        photometric=PHOTOMETRIC[data[2] % len(PHOTOMETRIC)],
        bits=(data[3], data[4]) if data[3] % 4 == 3 else BITS[data[3] % 3],
        planar=data[5] & 1,
        is_signed=bool(data[5] & 2),
        n_frames=1 + data[6] % 3,
    )
    return examine(native(EXPLICIT, shape, data[8 : 8 + data[7] * 64], _window(data[8:40])))


def _window(text: bytes) -> bytes:
    half = len(text) // 2
    return b"".join(
        (
            _element(0x0028, 0x1050, b"DS", text[:half]),
            _element(0x0028, 0x1051, b"DS", text[half:]),
        )
    )


_PALETTES: Final[Mapping[bool, int]] = {False: 0x1201, True: 0x1221}


def read_palette(data: bytes) -> str:
    """Read indices through tables: flags, three descriptors, then what the tables hold."""
    if len(data) < 20:
        return "nothing"
    first = _PALETTES[bool(data[0] & 1)]
    shape = Shape(12, 16, "PALETTE COLOR", BITS[data[0] >> 1 & 1], is_signed=bool(data[0] & 4))
    tables = data[20:]
    third = len(tables) // 3 if data[1] & 1 else len(tables)
    descriptors = [data[2 + 6 * i : 8 + 6 * i] for i in range(3)]
    values = [tables[i * third : (i + 1) * third] or tables for i in range(3)]
    extra = b"".join(_element(0x0028, 0x1101 + i, b"US", d) for i, d in enumerate(descriptors))
    extra += b"".join(_element(0x0028, first + i, b"OW", v) for i, v in enumerate(values))
    samples = bytes(range(192)) * (shape.bits[0] // 8)
    return examine(native(EXPLICIT, shape, samples, extra))


FAMILIES: Final[Mapping[str, tuple[str, ...]]] = {
    "rle": ("1.2.840.10008.1.2.5",),
    "jpeg": (f"{JPEG_FAMILY}50", f"{JPEG_FAMILY}51"),
    "jpeg_lossless": (f"{JPEG_FAMILY}57", f"{JPEG_FAMILY}70"),
    "jpeg_ls": (f"{JPEG_FAMILY}80", f"{JPEG_FAMILY}81"),
    "jpeg_2000": (f"{JPEG_FAMILY}90", f"{JPEG_FAMILY}91"),
    "htj2k": (f"{JPEG_FAMILY}201", f"{JPEG_FAMILY}202", f"{JPEG_FAMILY}203"),
    "jpeg_xl": (f"{JPEG_FAMILY}110", f"{JPEG_FAMILY}111", f"{JPEG_FAMILY}112"),
    "video": tuple(f"{JPEG_FAMILY}{number}" for number in (100, 101, 102, 104, 107, 108)),
}
"""Decoders and the transfer syntaxes that reach them."""
