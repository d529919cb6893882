"""How large a compressed frame says it is, read from its first bytes before anything is decoded."""

from collections.abc import Callable, Iterator

#: JPEG family markers without a length (SOI, EOI, TEM, RSTn), and those that are no frame header.
BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xDA)})
NOT_FRAME_HEADERS = frozenset({0xC4, 0xC8, 0xCC})
JPEG_LS_FRAME = 0xF7
J2K_START = b"\xff\x4f\xff\x51"
JP2_START = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
MAX_COMPONENTS = 4  #: each costs 4 bytes a pixel, and the standard allows 16,384
JXL_BOXES = {b"jxlc": 0, b"jxlp": 4}  #: and where in their payload the code stream goes on
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
    at = _jp2_codestream(stream) if stream[:12] == JP2_START else 0
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
    head = stream[:JXL_HEAD] if stream[:2] == b"\xff\x0a" else _jxl_head_in_boxes(stream)
    if head[:2] != b"\xff\x0a" or len(head) < JXL_HEAD:
        return None
    bits = _Bits(int.from_bytes(head[2:], "little"))
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


def _jp2_codestream(stream: bytes) -> int | None:
    """Return where the code stream of a JP2 file begins."""
    return next((start for kind, start, _end in _boxes(stream) if kind == b"jp2c"), None)


def _jxl_head_in_boxes(stream: bytes) -> bytes:
    """Return the first bytes of the code stream in a JPEG XL file.

    Boxes may cut it anywhere: a recompressed JPEG's first one often holds nothing but the size.
    """
    head = b""
    for kind, start, end in _boxes(stream):
        if kind in JXL_BOXES:
            begin = start + JXL_BOXES[kind]
            head += stream[begin : min(end, begin + JXL_HEAD)]
        if len(head) >= JXL_HEAD:
            break
    return head[:JXL_HEAD]


def _boxes(stream: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, begin and end of the payload of each box (ISO/IEC 15444-1 annex I.4)."""
    at = 0
    while at + 8 <= len(stream):
        length = int.from_bytes(stream[at : at + 4], "big")
        if 0 < length < 8:
            return
        end = at + length if length else len(stream)
        yield stream[at + 4 : at + 8], at + 8, min(end, len(stream))
        at = end


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
