"""Phantom pictures and the DICOM objects made of them."""

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    generate_uid,
)

from sonogate.domain.instance import MediaType
from sonogate.read.objects.header import OpenedObject, open_object

ULTRASOUND_IMAGE = "1.2.840.10008.5.1.4.1.1.6.1"
PATIENT = "Doe^Jane^Secret"

Grey = NDArray[np.uint8]
MakeObject = Callable[..., Path]
Open = Callable[[Path], OpenedObject]


def phantom(height: int = 240, width: int = 320, seed: int = 0) -> Grey:
    """A speckled rectangle with a dark cyst on a black screen."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width), dtype=np.uint8)
    top, left = height // 8, width // 8
    inner = picture[top:-top, left:-left]
    rows, columns = np.indices(inner.shape)
    speckle = rng.rayleigh(45, inner.shape)
    centre = (inner.shape[0] / 2, inner.shape[1] / 2)
    cyst = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 < (height / 10) ** 2
    inner[:] = np.clip(np.where(cyst, 4, 20 + speckle), 3, 230).astype(np.uint8)
    return picture


@pytest.fixture
def grey() -> Grey:
    """A grey phantom."""
    return phantom()


@pytest.fixture
def colour(grey: Grey) -> NDArray[np.uint8]:
    """The phantom as RGB with a red and a blue patch, as of flow."""
    rgb = np.repeat(grey[..., None], 3, axis=2)
    rgb[100:120, 120:150] = (220, 40, 20)
    rgb[100:120, 150:180] = (20, 60, 220)
    return rgb


def _dataset(attributes: dict[str, object]) -> Dataset:
    dataset = Dataset()
    defaults: dict[str, object] = {
        "SOPClassUID": ULTRASOUND_IMAGE,
        "SOPInstanceUID": generate_uid(),
        "StudyInstanceUID": "1.2.3.4",
        "SeriesInstanceUID": "1.2.3.4.5",
        "Modality": "US",
        "PatientName": PATIENT,
        "PatientID": "ID-4711",
        "PatientBirthDate": "19700101",
    }
    for keyword, value in (defaults | attributes).items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset


def _set_pixels(dataset: Dataset, stored: NDArray[np.generic], photometric: str) -> None:
    dataset.Rows, dataset.Columns = stored.shape[:2]
    dataset.SamplesPerPixel = 3 if stored.ndim == 3 else 1
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated = dataset.BitsStored = 8 * stored.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = 0
    if stored.ndim == 3:
        dataset.PlanarConfiguration = 0


def part_10(dataset: Dataset, syntax: str) -> bytes:
    """Write a file as a transfer syntax says, also one that pydicom does not know."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(syntax)
    meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", ULTRASOUND_IMAGE)
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2.3.999")
    out = DicomBytesIO()
    out.write(b"\0" * 128 + b"DICM")
    write_file_meta_info(out, meta, enforce_standard=True)
    body = DicomBytesIO()
    body.is_implicit_VR = syntax == ImplicitVRLittleEndian
    body.is_little_endian = syntax != ExplicitVRBigEndian
    write_dataset(body, dataset)
    content = body.getvalue()
    if syntax == DeflatedExplicitVRLittleEndian:
        deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        content = deflater.compress(content) + deflater.flush()
    return out.getvalue() + content


@pytest.fixture
def make_object(tmp_path: Path) -> MakeObject:
    """Return a function that writes an object.

    `encoded` is a list of compressed frames; without it `stored` is written as it is. Attributes
    given by keyword come last, and None takes one out.
    """

    def make(
        stored: NDArray[np.generic] | None = None,
        photometric: str = "MONOCHROME2",
        *,
        syntax: str = ExplicitVRLittleEndian,
        encoded: list[bytes] | None = None,
        name: str = "object.dcm",
        **attributes: object,
    ) -> Path:
        dataset = _dataset({})
        if stored is not None:
            _set_pixels(dataset, stored, photometric)
            dataset.PixelData = encapsulate(encoded) if encoded else stored.tobytes()
            dataset["PixelData"].VR = "OB" if encoded or stored.dtype.itemsize == 1 else "OW"
        for keyword, value in attributes.items():
            if value is None:
                delattr(dataset, keyword)
            else:
                with disable_value_validation():
                    setattr(dataset, keyword, value)
        if encoded:
            dataset["PixelData"].is_undefined_length = True
        path = tmp_path / name
        path.write_bytes(part_10(dataset, syntax))
        return path

    return make


@pytest.fixture
def open_dicom() -> Open:
    """Open a DICOM object."""
    return lambda path: open_object(path, MediaType.DICOM)
