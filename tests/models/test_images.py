"""Pictures of every kind that people have at hand are read as grey, or refused with a remedy."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage

from sonoquality.arrays import Luma
from sonoquality.errors import UnreadableImageError
from sonoquality.images import read_luma
from sonoquality.preprocess import luma_of

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
Write = Callable[[Path, Luma], None]


def png(path: Path, grey: Luma) -> None:
    """Write a picture without loss, by its suffix."""
    Image.fromarray(grey).save(path, lossless=True)


def deep_png(path: Path, grey: Luma) -> None:
    """Write 16 bits."""
    Image.fromarray(grey.astype(np.uint16) * 257).save(path)


def rgba_png(path: Path, grey: Luma) -> None:
    """Write grey as colour with alpha."""
    Image.fromarray(grey).convert("RGBA").save(path)


def volume(path: Path, levels: NDArray[Any]) -> None:
    """Write levels (across, down[, slice])."""
    image: Any = nibabel.Nifti1Image
    nibabel.save(image(levels, np.eye(4)), path)


def nifti(path: Path, grey: Luma) -> None:
    """Write a slice as bytes; the first axis runs across."""
    volume(path, grey.T)


def float_nifti(path: Path, grey: Luma) -> None:
    """Write a slice as shares of white, in a volume of one."""
    unit = grey.T[..., None].astype(np.float32) / 255.0
    volume(path, unit)


def dicom(path: Path, grey: Luma, n_frames: int = 1, **changes: object) -> None:
    """Write frames, each 10 levels darker than the one before."""
    dataset = Dataset()
    dataset.SOPClassUID = UltrasoundMultiFrameImageStorage
    dataset.SOPInstanceUID = "1.2.3.4"
    dataset.Rows, dataset.Columns = grey.shape
    dataset.NumberOfFrames = n_frames
    dataset.SamplesPerPixel = 1
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelRepresentation = 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    frames = [np.maximum(grey, 10 * i) - 10 * i for i in range(n_frames)]
    dataset.PixelData = np.stack(frames).astype(np.uint8).tobytes()
    dataset["PixelData"].VR = "OB"
    for name, value in changes.items():
        setattr(dataset, name, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dcmwrite(path, dataset, enforce_file_format=True)


KINDS: dict[str, Write] = {
    "a.png": png,
    "a.webp": png,
    "a.bmp": png,
    "deep.png": deep_png,
    "rgba.png": rgba_png,
    "a.nii": nifti,
    "a.nii.gz": nifti,
    "float.nii.gz": float_nifti,
    "a.dcm": dicom,
    "no-suffix": dicom,
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_gives_the_same_grey(name: str, tmp_path: Path) -> None:
    """Byte for byte, and the right way up."""
    KINDS[name](tmp_path / name, GREY)

    assert np.array_equal(GREY, read_luma(tmp_path / name))


def test_a_jpeg_in_colour_becomes_luma(tmp_path: Path) -> None:
    """BT.601, as everywhere in the package."""
    colour = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(colour).save(tmp_path / "a.jpg", quality=95)
    decoded = np.asarray(Image.open(tmp_path / "a.jpg"))

    assert np.array_equal(luma_of(decoded), read_luma(tmp_path / "a.jpg"))


def test_levels_of_more_than_eight_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    """A volume whose largest level is 4095 has 12 bits: 4095 is white."""
    levels = np.array([[0, 2048], [4095, 16]], np.int16)
    volume(tmp_path / "a.nii", levels)

    assert [[0, 255], [128, 1]] == read_luma(tmp_path / "a.nii").tolist()


def test_inverted_grey_of_a_dicom_frame_is_turned_round(tmp_path: Path) -> None:
    """MONOCHROME1: 0 is white."""
    dicom(tmp_path / "a.dcm", GREY, PhotometricInterpretation="MONOCHROME1")

    assert np.array_equal(255 - GREY, read_luma(tmp_path / "a.dcm"))


def test_a_frame_is_chosen_by_number(tmp_path: Path) -> None:
    """DICOM loops and NIfTI volumes alike, counted from 0."""
    dicom(tmp_path / "a.dcm", GREY, n_frames=3)
    volume(tmp_path / "a.nii", np.stack([GREY.T, GREY.T // 2], axis=-1))

    assert np.array_equal(np.maximum(GREY, 20) - 20, read_luma(tmp_path / "a.dcm", frame=2))
    assert np.array_equal(GREY // 2, read_luma(tmp_path / "a.nii", frame=1))


@pytest.mark.parametrize(("frame", "remedy"), [(None, "--frame 0 to 2"), (3, "it holds 3")])
def test_several_frames_without_a_choice_are_refused(
    tmp_path: Path, frame: int | None, remedy: str
) -> None:
    """No frame is taken by silent default."""
    dicom(tmp_path / "a.dcm", GREY, n_frames=3)

    with pytest.raises(UnreadableImageError, match=remedy):
        read_luma(tmp_path / "a.dcm", frame)


def absent(path: Path) -> None:
    """Write nothing."""


def text(path: Path) -> None:
    """Write no picture."""
    path.write_bytes(b"no picture at all" * 20)


def cut_png(path: Path) -> None:
    """Write half a picture."""
    large = np.random.default_rng(0).integers(0, 256, (90, 90), dtype=np.uint8)
    png(path, large)
    path.write_bytes(path.read_bytes()[:4000])


def cut_dicom(path: Path) -> None:
    """Write an object without the end of its pixels."""
    dicom(path, GREY)
    dataset = dcmread(path)
    dataset.PixelData = dataset.PixelData[:20]
    dataset.save_as(path)


def two_by_two_volume(path: Path) -> None:
    """Write four axes."""
    volume(path, np.zeros((4, 4, 2, 2), np.uint8))


def negative_volume(path: Path) -> None:
    """Write what looks like a CT."""
    volume(path, np.full((4, 4), -5, np.int16))


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "absent.png": (absent, "no file"),
    "text.png": (text, "PNG, WebP, JPEG, NIfTI"),
    "cut.png": (cut_png, "PNG, WebP, JPEG, NIfTI"),
    "cut.dcm": (cut_dicom, "sonogate score"),
    "text.nii": (text, "no NIfTI volume"),
    "axes.nii": (two_by_two_volume, "two of three"),
    "ct.nii.gz": (negative_volume, "no echo has"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_picture_is_refused_with_a_remedy(name: str, tmp_path: Path) -> None:
    """The message names the file and says what would do."""
    write, remedy = BROKEN[name]
    write(tmp_path / name)

    with pytest.raises(UnreadableImageError, match=remedy) as refused:
        read_luma(tmp_path / name)

    assert name in str(refused.value)
