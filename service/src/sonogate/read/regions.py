"""Which part of the frame is the B-mode image, by its Sequence of Ultrasound Regions.

PS3.3 C.8.5.5. Rectangles that reach far out of the frame describe another size of the picture and
are not believed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from sonogate.domain.frames import Region
from sonogate.errors import NotApplicableError
from sonogate.read.objects.boundary import tolerant
from sonogate.read.objects.header import whole_number

TWO_D, M_MODE, SPECTRAL = 1, 2, 3  #: Region Spatial Format
TISSUE, COLOUR_FLOW = 1, 2  #: Region Data Type
#: Part of a declared rectangle that must lie inside the frame to be believed: less where it leaves
#: by one edge only, since then the frame was cut, and was not resized.
LEAST_INSIDE = 0.9
LEAST_INSIDE_OF_CUT = 0.5
#: A tissue region smaller than this part of the largest one is an inset.
LEAST_OF_LARGEST = 0.25
LEAST_SIDE = 32
MAX_REGIONS = 256


@dataclass(frozen=True, slots=True)
class DeclaredRegion:
    """One item of the sequence, its rectangle clipped to the frame."""

    spatial_format: int
    data_type: int
    rectangle: Region

    @property
    def area(self) -> int:
        """Pixels of the rectangle."""
        return self.rectangle.width * self.rectangle.height


def declared_regions(dataset: Dataset, height: int, width: int) -> list[DeclaredRegion]:
    """Return the regions that can be believed, clipped to a frame of (height, width)."""
    items = tolerant(lambda: dataset.SequenceOfUltrasoundRegions) or []
    found = (_declared(item, height, width) for item in items[:MAX_REGIONS])
    return [region for region in found if region is not None]


def _declared(item: Dataset, height: int, width: int) -> DeclaredRegion | None:
    spatial_format = whole_number(item, "RegionSpatialFormat")
    data_type = whole_number(item, "RegionDataType")
    x0, y0, x1, y1 = (
        whole_number(item, f"RegionLocation{corner}")
        for corner in ("MinX0", "MinY0", "MaxX1", "MaxY1")
    )
    if spatial_format is None or x0 is None or y0 is None or x1 is None or y1 is None:
        return None
    inside = _clipped(x0, y0, x1, y1, height=height, width=width)
    edges_left = sum((x0 < 0, y0 < 0, x1 > width, y1 > height))
    least = LEAST_INSIDE_OF_CUT if edges_left == 1 else LEAST_INSIDE
    declared_area = (x1 + 1 - x0) * (y1 + 1 - y0)
    if inside is None or inside.width * inside.height < least * declared_area:
        return None
    return DeclaredRegion(spatial_format, data_type or 0, inside)


def _clipped(x0: int, y0: int, x1: int, y1: int, *, height: int, width: int) -> Region | None:
    """Clip a rectangle with inclusive corners; None if nothing of use is left."""
    left, top = max(0, x0), max(0, y0)
    right, bottom = min(width, x1 + 1), min(height, y1 + 1)
    if right - left < LEAST_SIDE or bottom - top < LEAST_SIDE:
        return None
    return Region(x=left, y=top, width=right - left, height=bottom - top)


def b_mode_regions(regions: Sequence[DeclaredRegion]) -> list[Region]:
    """Return the rectangles of 2D tissue; empty if none is declared, and the sector must be found.

    A tissue picture that only serves to place a larger spectrum or M-mode trace is not what the
    sonographer acquired.

    Raises:
        NotApplicableError: the object is a spectrum or an M-mode trace.
    """
    two_d = [region for region in regions if region.spatial_format == TWO_D]
    tissue = [region for region in two_d if region.data_type == TISSUE] or [
        region for region in two_d if region.data_type in (0, COLOUR_FLOW)
    ]
    tissue_area = sum(region.area for region in tissue)
    for spatial_format, code in ((SPECTRAL, "spectral_doppler"), (M_MODE, "m_mode")):
        traced = sum(region.area for region in regions if region.spatial_format == spatial_format)
        if traced > tissue_area:
            raise NotApplicableError(code)
    return _without_insets(tissue)


def _without_insets(regions: Sequence[DeclaredRegion]) -> list[Region]:
    largest = max((region.area for region in regions), default=0)
    return [region.rectangle for region in regions if region.area >= LEAST_OF_LARGEST * largest]


def furniture(regions: Iterable[DeclaredRegion]) -> list[Region]:
    """Return the rectangles of what is drawn over or beside the image: bars, ECG, graphics."""
    return [region.rectangle for region in regions if region.spatial_format not in (TWO_D, 0)] + [
        region.rectangle
        for region in regions
        if region.spatial_format == 0 and region.data_type != 0
    ]


def bounding(rectangles: Sequence[Region]) -> Region:
    """Return the smallest rectangle around all."""
    left = min(r.x for r in rectangles)
    top = min(r.y for r in rectangles)
    right = max(r.x + r.width for r in rectangles)
    bottom = max(r.y + r.height for r in rectangles)
    return Region(x=left, y=top, width=right - left, height=bottom - top)
