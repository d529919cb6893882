"""What a header tells of the view and the side that an image shows."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

if TYPE_CHECKING:
    from tests.service.read.conftest import MakeObject, Open


def coded(value: str) -> Dataset:
    """Make one item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", "Something"
    return item


def test_the_view_is_its_code_before_its_name(
    grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """A code tells views apart better than the words of a preset."""
    with_code = make_object(grey, ViewCodeSequence=Sequence([coded("399214001")]), ViewName="4C")
    named = make_object(grey, ViewName="4C", name="named.dcm")

    assert "SCT:399214001" == open_dicom(with_code).header.view
    assert "4C" == open_dicom(named).header.view


def test_the_side_is_the_image_s_before_the_series_s(
    grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """An enhanced object tells it of its frames; where nothing is told, nothing is guessed."""
    anatomy, shared = Dataset(), Dataset()
    anatomy.FrameLaterality = "B"
    shared.FrameAnatomySequence = Sequence([anatomy])
    framed: dict[str, object] = {
        "SharedFunctionalGroupsSequence": Sequence([shared]),
        "Laterality": "R",
    }
    sides: list[dict[str, object]] = [
        {"ImageLaterality": "L", "Laterality": "R"},
        framed,
        {"Laterality": "r"},
        {},
    ]
    made = [make_object(grey, name=f"{n}.dcm", **each) for n, each in enumerate(sides)]

    assert ["L", "B", "R", None] == [open_dicom(each).header.laterality for each in made]


def test_modifiers_of_view_and_region_are_told_in_one_order(
    grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """They stand in the view's own item or beside it; a region's side is one as well."""
    right, long, view, region = (coded(each) for each in ("24028007", "38717003", "1", "2"))
    view.ViewModifierCodeSequence = Sequence([long])
    region.AnatomicRegionModifierSequence = Sequence([right])
    both = make_object(
        grey, ViewCodeSequence=Sequence([view]), AnatomicRegionSequence=Sequence([region])
    )
    beside = make_object(grey, ViewModifierCodeSequence=Sequence([right, long]), name="beside.dcm")
    headers = [open_dicom(each).header for each in (both, beside, make_object(grey, name="n.dcm"))]

    assert ["SCT:24028007+SCT:38717003"] * 2 + [None] == [each.view_modifiers for each in headers]
