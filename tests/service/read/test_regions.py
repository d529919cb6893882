"""Which rectangle is the B-mode image, and which objects are no image of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from sonogate.domain.frames import Region
from sonogate.errors import NotApplicableError
from sonogate.read.frames import read_frames
from sonogate.read.regions import b_mode_regions, declared_regions, furniture

if TYPE_CHECKING:
    from tests.service.read.conftest import MakeObject, Open

Rectangle = tuple[int, int, int, int]
TISSUE, FLOW, M_MODE, SPECTRUM, ECG, BAR = (1, 1), (1, 2), (2, 1), (3, 3), (4, 10), (0, 13)


def dataset(*regions: tuple[tuple[int, int], Rectangle]) -> Dataset:
    """Make a data set with regions ((spatial format, data type), (x0, y0, x1, y1))."""
    items = []
    for (spatial_format, data_type), corners in regions:
        item = Dataset()
        item.RegionSpatialFormat, item.RegionDataType = spatial_format, data_type
        keywords = ("MinX0", "MinY0", "MaxX1", "MaxY1")
        for keyword, value in zip(keywords, corners, strict=True):
            setattr(item, f"RegionLocation{keyword}", value)
        items.append(item)
    whole = Dataset()
    whole.SequenceOfUltrasoundRegions = Items(items)
    return whole


def chosen(*regions: tuple[tuple[int, int], Rectangle]) -> Sequence[Region]:
    """Choose in a frame of 800 by 600."""
    return b_mode_regions(declared_regions(dataset(*regions), 600, 800))


def test_the_tissue_region_is_taken() -> None:
    """ECG, bars and flow beside it are not."""
    tissue = (TISSUE, (120, 60, 800, 518))
    found = chosen((ECG, (176, 522, 743, 576)), tissue, (BAR, (0, 0, 40, 100)))

    assert [Region(x=120, y=60, width=680, height=459)] == list(found)


def test_a_dual_picture_has_two_images() -> None:
    """Both halves are looked at; an inset is not."""
    left, right = (TISSUE, (0, 0, 399, 599)), (TISSUE, (400, 0, 799, 599))

    assert 2 == len(chosen(left, right, (TISSUE, (10, 10, 90, 90))))


@pytest.mark.parametrize(
    "corners",
    [(84, 31, 1595, 1414), (700, 500, 100, 100), (900, 700, 1000, 800), (5, 5, 9, 9), (0, 0, 0, 0)],
)
def test_an_absurd_rectangle_is_not_believed(corners: Rectangle) -> None:
    """Of another picture size, inside out, outside or tiny: the sector is found instead."""
    assert [] == list(chosen((TISSUE, corners)))


def test_a_rectangle_cut_by_one_edge_is_clipped() -> None:
    """The picture was cropped, the region is still where it was."""
    found = chosen((TISSUE, (120, 60, 799, 900)))

    assert [Region(x=120, y=60, width=680, height=540)] == list(found)


@pytest.mark.parametrize(("trace", "code"), [(SPECTRUM, "spectral_doppler"), (M_MODE, "m_mode")])
def test_a_trace_larger_than_its_locator_is_not_applicable(
    trace: tuple[int, int], code: str
) -> None:
    """A small tissue picture above a spectrum only shows where it was taken."""
    with pytest.raises(NotApplicableError) as caught:
        chosen((TISSUE, (300, 0, 500, 150)), (trace, (0, 200, 799, 599)))
    assert code == caught.value.code
    assert 1 == len(chosen((TISSUE, (0, 0, 799, 400)), (trace, (0, 450, 799, 599))))


def test_a_region_of_flow_alone_is_looked_at() -> None:
    """Whether there is grey tissue around the flow, only the pixels tell."""
    assert 1 == len(chosen((FLOW, (0, 0, 799, 599))))


def test_furniture_is_what_is_no_image() -> None:
    """ECG strips and grey bars inside a tissue rectangle are masked."""
    regions = declared_regions(
        dataset((TISSUE, (0, 0, 799, 599)), (ECG, (0, 500, 799, 560)), (BAR, (0, 0, 40, 100))),
        600,
        800,
    )

    assert 2 == len(furniture(regions))


def test_the_stack_is_cropped_to_the_region(
    grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """The region says where the crop lies in the stored frame."""
    regions = dataset((TISSUE, (40, 30, 279, 209))).SequenceOfUltrasoundRegions
    stack = read_frames(open_dicom(make_object(grey, SequenceOfUltrasoundRegions=regions)), 8)

    assert Region(x=40, y=30, width=240, height=180) == stack.region
    np.testing.assert_array_equal(grey[30:210, 40:280], stack.frames[0])
    assert stack.scan_mask.mean() > 0.95


def test_a_region_without_echoes_is_still_an_image(
    grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """A probe in air is to be judged: the region's rectangle is its scan."""
    regions = dataset((TISSUE, (40, 30, 279, 209))).SequenceOfUltrasoundRegions
    air = np.zeros_like(grey)
    depth = np.arange(240)[:, None]
    rings = 170 * np.exp(-(((depth - 34) / 3.0) ** 2)) + 90 * np.exp(-(((depth - 44) / 3.0) ** 2))
    shimmer = np.random.default_rng(2).uniform(0.7, 1.0, 24).repeat(5)
    air[30:60, 100:220] = (rings[30:60] * shimmer).astype(np.uint8)
    stack = read_frames(open_dicom(make_object(air, SequenceOfUltrasoundRegions=regions)), 8)

    assert stack.scan_mask.all()
    assert not stack.overlay_mask[:8, 70:170].any()
