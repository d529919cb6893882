"""Plain pictures in; thumbnails without a readable letter and fingerprints out."""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sonogate.domain.instance import MediaType
from sonogate.errors import UndecodableError
from sonogate.read.frames import read_frames
from sonogate.read.objects.header import open_object
from sonogate.read.pixels.pictures import fingerprint
from sonogate.read.thumbnails import thumbnail_png
from tests.service.read.conftest import phantom

if TYPE_CHECKING:
    from tests.service.read.conftest import MakeObject, Open


def written(path: Path, image: Image.Image, media_type: MediaType) -> Path:
    """Save a picture."""
    image.save(
        path,
        media_type.value.split("/")[1],
        **({"lossless": True} if media_type is MediaType.WEBP else {}),
    )
    return path


@pytest.mark.parametrize("media_type", [MediaType.PNG, MediaType.JPEG, MediaType.WEBP])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_pictures_are_read(
    media_type: MediaType, mode: str, grey: NDArray[np.uint8], tmp_path: Path
) -> None:
    """One frame, no identity, the whole picture as region."""
    path = written(tmp_path / "picture", Image.fromarray(grey).convert(mode), media_type)
    stack = read_frames(open_object(path, media_type), 8)

    assert (1, *grey.shape) == stack.frames.shape
    assert stack.header.sop_instance_uid is None
    assert np.abs(stack.frames[0].astype(int) - grey).mean() < 8
    assert (1,) == stack.frame_numbers


def test_deep_palette_and_transparent_pngs_are_read(
    grey: NDArray[np.uint8], tmp_path: Path
) -> None:
    """Sixteen bits are scaled, a palette looked up, and transparent is black."""
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    palette = Image.fromarray(grey).convert("P")
    clear = Image.merge(
        "LA",
        (
            Image.fromarray(np.where(grey == 0, 90, grey).astype(np.uint8)),
            Image.fromarray((grey > 0).astype(np.uint8) * 255),
        ),
    )
    for image, tolerance in ((deep, 0), (palette, 2)):
        path = written(tmp_path / "picture.png", image, MediaType.PNG)
        frame = read_frames(open_object(path, MediaType.PNG), 8).frames[0]
        assert np.abs(frame.astype(int) - grey).max() <= tolerance
    path = written(tmp_path / "clear.png", clear, MediaType.PNG)
    frame = read_frames(open_object(path, MediaType.PNG), 8).frames[0]
    assert not frame[grey == 0].any()


@pytest.mark.parametrize("media_type", [MediaType.PNG, MediaType.JPEG, MediaType.WEBP])
@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 99])
def test_broken_pictures_are_undecodable(
    content: bytes, media_type: MediaType, tmp_path: Path
) -> None:
    """A file of another kind is not guessed at."""
    path = tmp_path / "picture"
    path.write_bytes(content)

    with pytest.raises(UndecodableError):
        read_frames(open_object(path, media_type), 8)


def test_a_truncated_picture_is_undecodable(grey: NDArray[np.uint8], tmp_path: Path) -> None:
    """Half a PNG is not half an image."""
    path = written(tmp_path / "picture.png", Image.fromarray(grey), MediaType.PNG)
    path.write_bytes(path.read_bytes()[:5000])

    with pytest.raises(UndecodableError):
        read_frames(open_object(path, MediaType.PNG), 8)


def test_a_picture_bomb_is_undecodable(tmp_path: Path) -> None:
    """A small PNG of a hundred megapixels is refused before it is decoded."""
    path = tmp_path / "bomb.png"
    Image.new("1", (12_000, 8_000)).save(path, "PNG")

    with pytest.raises(UndecodableError):
        read_frames(open_object(path, MediaType.PNG), 8)


def with_text(grey: NDArray[np.uint8], *lines: tuple[int, int]) -> NDArray[np.uint8]:
    """Write a patient's name on a picture."""
    image = Image.fromarray(grey)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(16)
    for x, y in lines:
        pen.text((x, y), "DOE JANE 01/01/1970", fill=255, font=font)
    return np.array(image)


def thumbnail(path: Path) -> NDArray[np.uint8]:
    """Make an object's thumbnail."""
    stack = read_frames(open_object(path, MediaType.DICOM), 8)
    with Image.open(BytesIO(thumbnail_png(stack, 0))) as image:
        assert "L" == image.mode
        assert max(image.size) <= 320
        return np.asarray(image)


def test_no_text_is_left_in_a_thumbnail(make_object: "MakeObject") -> None:
    """Everything outside the scan is black."""
    grey = phantom(480, 640)
    seen = thumbnail(make_object(with_text(grey, (10, 10), (400, 30), (100, 450)), name="a.dcm"))

    np.testing.assert_array_equal(thumbnail(make_object(grey)), seen)


@pytest.mark.parametrize("band", [0, 60])
def test_text_alone_gives_a_black_thumbnail(band: int, make_object: "MakeObject") -> None:
    """Where no sector is found, nothing proves that what shines is echo."""
    screen = np.zeros((480, 640), dtype=np.uint8)
    screen[:70] = band
    seen = thumbnail(make_object(with_text(screen, (10, 10), (40, 200))))

    assert seen[40:].max() < 16
    assert np.ptp(seen[:35]) <= max(band, 16)


def test_fingerprints_see_the_view_and_not_the_calipers(
    make_object: "MakeObject", open_dicom: "Open"
) -> None:
    """A frame with measurement marks and its clean twin are alike; another view is not."""

    def print_of(picture: NDArray[np.uint8], name: str) -> NDArray[np.float64]:
        stack = read_frames(open_dicom(make_object(picture, name=name)), 8)
        cells = np.frombuffer(fingerprint(stack, 0), np.uint8).astype(float)
        assert 32 * 32 == cells.size
        centred: NDArray[np.float64] = cells - cells.mean()
        return centred

    def likeness(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        return float((a @ b) / np.sqrt((a @ a) * (b @ b)))

    clean = phantom(480, 640)
    marked = with_text(clean, (10, 10))
    marked[200:202, 290:306] = marked[193:209, 297:299] = 255
    other = clean.copy()
    other[60:420, 80:560] = clean[60:420, 80:560][:, ::-1] // 2
    other[60:420, 80:250] //= 4
    first = print_of(clean, "clean.dcm")

    assert likeness(first, print_of(marked, "marked.dcm")) > 0.99
    assert likeness(first, print_of(other, "other.dcm")) < 0.9
