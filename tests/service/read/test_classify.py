"""Each kind of object that is not judged, with its reason."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sonogate.domain.instance import Header, MediaType
from sonogate.errors import NotApplicableError
from sonogate.read.classify import check_sop_class
from sonogate.read.frames import read_frames
from sonogate.read.objects.header import open_object
from tests.service.read.conftest import phantom

if TYPE_CHECKING:
    from tests.service.read.conftest import MakeObject, Open

STORAGE = "1.2.840.10008.5.1.4.1.1."


def reason(path: Path, media_type: MediaType = MediaType.DICOM) -> str:
    """Return why an object is not judged."""
    with pytest.raises(NotApplicableError) as caught:
        read_frames(open_object(path, media_type), 8)
    return caught.value.code


@pytest.mark.parametrize(
    ("suffix", "modality", "code"),
    [
        ("88.33", "SR", "structured_report"),
        ("88.67", "SR", "structured_report"),
        ("88.59", "KO", "key_object_selection"),
        ("11.1", "PR", "presentation_state"),
        ("104.1", "DOC", "encapsulated_document"),
        ("66", "US", "raw_data"),
        ("9.1.1", "ECG", "not_an_image"),
        ("2", "CT", "non_ultrasound"),
        ("1.1", "DX", "non_ultrasound"),
        ("12.1", "XA", "non_ultrasound"),
        ("77.1.4", "XC", "non_ultrasound"),
        ("7", "CT", "non_ultrasound"),
    ],
)
def test_other_objects_are_not_applicable_by_their_class(
    suffix: str,
    modality: str,
    code: str,
    make_object: "MakeObject",
) -> None:
    """Reports, documents and other modalities need no look at any pixel."""
    path = make_object(SOPClassUID=STORAGE + suffix, Modality=modality)

    assert code == reason(path)


def test_a_private_class_is_not_applicable(make_object: "MakeObject") -> None:
    """What a maker means by its private objects, only the maker knows."""
    assert "private_object" == reason(make_object(SOPClassUID="1.3.46.670589.2.4.1.1"))


@pytest.mark.parametrize(
    ("suffix", "modality"),
    [
        ("6.1", "US"),
        ("3.1", "US"),
        ("6", ""),
        ("3", "US"),
        ("6.2", "US"),
        ("7", "US"),
        ("7", "OT"),
        ("7.2", "US"),
        ("77.1.4.1", "US"),
    ],
)
def test_every_form_in_which_a_cart_sends_images_is_admitted(suffix: str, modality: str) -> None:
    """Retired forms, captures and video count as ultrasound where the cart says so."""
    check_sop_class(Header(sop_class_uid=STORAGE + suffix, modality=modality or None))


def test_a_small_scan_is_not_graded(make_object: "MakeObject") -> None:
    """Sixty pixels are too few to judge; seventy are enough."""
    assert "too_small_to_grade" == reason(make_object(phantom(80, 80)))
    path = make_object(phantom(100, 110), name="larger.dcm")
    assert 1 == len(read_frames(open_object(path, MediaType.DICOM), 8).frames)


def page(paper: int, ink: int) -> NDArray[np.uint8]:
    """Print a page of measurements."""
    image = Image.new("L", (640, 480), paper)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(16)
    for y in range(20, 440, 40):
        pen.text((30, y), "Aorta diameter 3.3 cm   mean 3.1", fill=ink, font=font)
    return np.asarray(image)


@pytest.mark.parametrize(("paper", "ink"), [(0, 255), (255, 0), (220, 20)])
def test_a_page_of_text_is_a_report(paper: int, ink: int, make_object: "MakeObject") -> None:
    """White on black or black on white: no sector, many letters."""
    assert "report_page" == reason(make_object(page(paper, ink)))


@pytest.mark.parametrize("ground", [(8, 16, 72), (10, 60, 60), (50, 10, 50)])
@pytest.mark.parametrize("quality", [None, 80])
def test_a_page_on_a_coloured_ground_is_a_report_too(
    ground: tuple[int, int, int], quality: int | None, tmp_path: Path
) -> None:
    """One colour over most of a screen is paper and not flow."""
    image = Image.new("RGB", (768, 576), ground)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(15)
    for y in range(30, 540, 40):
        pen.text((40, y), "CCA prox   PSV 78 cm/s   RI 0.7", fill=(255, 230, 90), font=font)
    path = tmp_path / "page"
    image.save(path, "JPEG" if quality else "PNG", quality=quality or 0)

    assert "report_page" == reason(path, MediaType.JPEG if quality else MediaType.PNG)


def test_colour_beside_little_grey_is_colour_only(
    grey: NDArray[np.uint8], make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """A colour box in a B-mode image is judged by its grey part; a screen of flow is not judged."""
    rgb = np.repeat(grey[..., None], 3, axis=2)
    rng = np.random.default_rng(1)
    small, large = rgb.copy(), rgb.copy()
    small[80:140, 100:180] = rng.integers((150, 0, 0), (255, 60, 30), (60, 80, 3))
    large[32:206, 42:270] = rng.integers((0, 0, 150), (40, 60, 255), (174, 228, 3))

    stack = read_frames(open_dicom(make_object(small, "RGB")), 8)
    assert stack.overlay_mask[85:135, 105:175].all()
    assert stack.scan_mask[85:135, 105:175].all()
    assert "colour_doppler_only" == reason(make_object(large, "RGB", name="flow.dcm"))


def test_an_empty_screen_is_no_report(make_object: "MakeObject", open_dicom: "Open") -> None:
    """No echo is a fault to be judged, not a reason not to."""
    black = np.zeros((480, 640), dtype=np.uint8)

    assert 1 == len(read_frames(open_dicom(make_object(black)), 8).frames)
