"""How the pixels of an object are laid out, as its header declares; lies that show are refused."""

from dataclasses import dataclass

from pydicom.dataset import Dataset

from sonogate.errors import EmptyPixelDataError, UndecodableError
from sonogate.read.objects.boundary import tolerant
from sonogate.read.objects.header import text, whole_number

#: Largest frame decoded: 64 megapixels; an 8K screen has 33.
MAX_FRAME_PIXELS = 64_000_000

COLOUR = frozenset(
    {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_RCT", "YBR_ICT"}
)
GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})
PALETTE = "PALETTE COLOR"


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelLayout:
    """The Image Pixel module (PS3.3 C.7.6.3), checked."""

    rows: int
    columns: int
    samples: int
    photometric: str
    planar: bool  #: colour-by-plane (Planar Configuration 1)
    bits_allocated: int  #: 8, 16 or 32
    bits_stored: int
    high_bit: int
    signed: bool
    n_frames: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of one uncompressed frame."""
        pixels = self.rows * self.columns
        if self.photometric in ("YBR_FULL_422", "YBR_PARTIAL_422"):
            return pixels * 2 * self.bits_allocated // 8
        return pixels * self.samples * self.bits_allocated // 8


def layout_of(dataset: Dataset) -> PixelLayout:
    """Read and check the pixel layout.

    Raises:
        EmptyPixelDataError: there are no rows, columns or frames.
        UndecodableError: the attributes contradict one another, or the frame is too large.
    """
    photometric = (text(dataset, "PhotometricInterpretation") or "").upper()
    bits_allocated = _required(dataset, "BitsAllocated")
    bits_stored = whole_number(dataset, "BitsStored") or bits_allocated
    high_bit = whole_number(dataset, "HighBit")
    layout = PixelLayout(
        rows=_required(dataset, "Rows"),
        columns=_required(dataset, "Columns"),
        samples=whole_number(dataset, "SamplesPerPixel") or (3 if photometric in COLOUR else 1),
        photometric=photometric,
        planar=whole_number(dataset, "PlanarConfiguration") == 1,
        bits_allocated=bits_allocated,
        bits_stored=bits_stored,
        high_bit=bits_stored - 1 if high_bit is None else high_bit,
        signed=whole_number(dataset, "PixelRepresentation") == 1,
        n_frames=_n_frames(dataset),
    )
    _check(layout)
    return layout


def _required(dataset: Dataset, keyword: str) -> int:
    value = whole_number(dataset, keyword)
    if value is None:
        raise UndecodableError(f"{keyword} is missing or no number.")
    return value


def _n_frames(dataset: Dataset) -> int:
    raw = tolerant(lambda: dataset.get("NumberOfFrames"))
    if raw is None or str(raw).strip() == "":
        return 1
    return _required(dataset, "NumberOfFrames")


def _check(layout: PixelLayout) -> None:
    if layout.rows <= 0 or layout.columns <= 0 or layout.n_frames <= 0:
        raise EmptyPixelDataError
    if layout.rows * layout.columns > MAX_FRAME_PIXELS:
        raise UndecodableError(
            f"A frame of {layout.columns}x{layout.rows} pixels is over "
            f"{MAX_FRAME_PIXELS // 1_000_000} megapixels."
        )
    expected = 3 if layout.photometric in COLOUR else 1
    if layout.photometric not in COLOUR | GREY | {PALETTE} or layout.samples != expected:
        raise UndecodableError(
            f"Photometric interpretation with {layout.samples} samples is not one the gate reads."
        )
    if layout.bits_allocated not in (8, 16, 32) or not (
        0 < layout.bits_stored <= layout.bits_allocated
        and layout.bits_stored - 1 <= layout.high_bit < layout.bits_allocated
    ):
        raise UndecodableError("Bits Allocated, Bits Stored and High Bit contradict one another.")
