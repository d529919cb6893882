"""How large a compressed frame says it is, read from its first bytes before anything is decoded."""

from collections.abc import Callable

#: JPEG family markers without a length (SOI, EOI, TEM, RSTn), and those that are no frame header.
BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xDA)})
NOT_FRAME_HEADERS = frozenset({0xC4, 0xC8, 0xCC})
JPEG_LS_FRAME = 0xF7
J2K_START = b"\xff\x4f\xff\x51"
JP2_START = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
MAX_COMPONENTS = 4  #: each costs 4 bytes a pixel, and the standard allows 16,384
CODESTREAM_BOXES = {b"jp2c": 8, b"jxlc": 8, b"jxlp": 12}  #: and where in them the stream begins
JXL_HEAD = 14  #: bytes of a code stream that hold its size in any case
JXL_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  #: ISO 18181-1 D.2

Size = tuple[int, int]


def jpeg_size(stream: bytes) -> Size | None:
    """Return (height, width) of a JPEG, JPEG Lossless or JPEG-LS stream; None without a frame."""
    at = 2
    while at + 9 <= len(stream):
        if stream[at] != 0xFF or stream[at + 1] == 0xFF:
            at += 1
        elif stream[at + 1] in BARE_MARKERS:
            at += 2
        elif _is_frame_header(stream[at + 1]):
            height, width = stream[at + 5 : at + 7], stream[at + 7 : at + 9]
            return int.from_bytes(height, "big"), int.from_bytes(width, "big")
        else:
            at += 2 + max(2, int.from_bytes(stream[at + 2 : at + 4], "big"))
    return None


def _is_frame_header(marker: int) -> bool:
    is_start_of_frame = 0xC0 <= marker <= 0xCF and marker not in NOT_FRAME_HEADERS
    return is_start_of_frame or marker == JPEG_LS_FRAME


def jpeg2000_size(stream: bytes) -> Size | None:
    """Return (height, width) of a JPEG 2000 code stream or JP2 file.

    None without a SIZ where the decoder looks for it, or if it has more components than a picture.
    """
    at = _codestream_in_boxes(stream) if stream[:12] == JP2_START else 0
    if at is None or stream[at : at + 4] != J2K_START or at + 42 > len(stream):
        return None
    width, height, left, top = (
        int.from_bytes(stream[at + offset : at + offset + 4], "big") for offset in (8, 12, 16, 20)
    )
    if int.from_bytes(stream[at + 40 : at + 42], "big") > MAX_COMPONENTS:
        return None
    return height - top, width - left


def jpegxl_size(stream: bytes) -> Size | None:
    """Return (height, width) of a JPEG XL code stream or container; None if it has no header."""
    at = 0 if stream[:2] == b"\xff\x0a" else _codestream_in_boxes(stream)
    if at is None or stream[at : at + 2] != b"\xff\x0a" or at + JXL_HEAD > len(stream):
        return None
    bits = _Bits(int.from_bytes(stream[at + 2 : at + 14], "little"))
    in_eighths = bits.take(1)
    height = _jxl_side(bits, in_eighths)
    ratio = bits.take(3)
    if ratio == 0:
        return height, _jxl_side(bits, in_eighths)
    numerator, denominator = JXL_RATIOS[ratio - 1]
    return height, height * numerator // denominator


def _jxl_side(bits: "_Bits", in_eighths: int) -> int:
    if in_eighths:
        return (bits.take(5) + 1) * 8
    return bits.take((9, 13, 18, 30)[bits.take(2)]) + 1


def _codestream_in_boxes(stream: bytes) -> int | None:
    """Return where the first code stream of a JP2 or JPEG XL file begins."""
    at = 0
    while at + 8 <= len(stream):
        length = int.from_bytes(stream[at : at + 4], "big")
        begins = CODESTREAM_BOXES.get(stream[at + 4 : at + 8])
        if begins is not None:
            # A size cut by the end of its box would be read from the next box's header.
            return at + begins if length == 0 or length >= begins + JXL_HEAD else None
        if length < 8:
            return None
        at += length
    return None


class _Bits:
    """Takes bits from the low end, as JPEG XL writes them."""

    def __init__(self, value: int) -> None:
        self._value = value

    def take(self, n_bits: int) -> int:
        """Return the next `n_bits`."""
        taken = self._value & ((1 << n_bits) - 1)
        self._value >>= n_bits
        return taken


SizeReader = Callable[[bytes], Size | None]
