"""A phantom exam as a cart would send it: DICOM objects of one study, good ones and bad ones.

Where a bad picture is taken again, both carry the same view code, so that the later one clears the
earlier one, or, where the earlier one is too dark to be known again, the page asks. The patient is
invented.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
    generate_uid,
)

from sonogate.demo.phantom import Fault, make_scan
from sonogate.demo.screen import Screen, make_screen
from sonogate.demo.views import VIEWS

PATIENT_NAME, PATIENT_ID = "Demo^Phantom", "PHANTOM-0001"
US_IMAGE = "1.2.840.10008.5.1.4.1.1.6.1"
US_MULTIFRAME = "1.2.840.10008.5.1.4.1.1.3.1"
BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"
CINE_FRAMES = 16
CINE_FRAME_MS = 60.0
JPEG_QUALITY = 92
SECONDS_APART = 2.0

Frames = NDArray[np.uint8]


class Coding(StrEnum):
    """How the pixels travel."""

    RAW = "raw"
    RLE = "rle"
    JPEG = "jpeg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One press of the freeze button."""

    view: str
    fault: Fault = Fault.NONE
    coding: Coding = Coding.JPEG
    cine: bool = False


EXAM: Sequence[Shot] = (
    Shot(view="liver"),
    Shot(view="muscle", fault=Fault.LOW_GAIN),
    Shot(view="muscle"),
    Shot(view="kidney", fault=Fault.POOR_CONTACT),
    Shot(view="kidney", coding=Coding.RAW),
    Shot(view="thyroid", fault=Fault.NO_CONTACT, coding=Coding.RLE),
    Shot(view="thyroid", coding=Coding.RLE),
    Shot(view="breast", fault=Fault.BLUR),
    Shot(view="breast", coding=Coding.RAW),
    Shot(view="gallbladder"),
    Shot(view="heart", cine=True),
    Shot(view="aorta", fault=Fault.ATTENUATED),
)
"""Four faults are put right while the patient is there; the aorta is left for the sonographer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam:
    """What all objects of one exam share."""

    study_uid: str
    series_uid: str
    started_at: datetime  #: aware
    seed: int


def names_of(shots: Sequence[Shot] = EXAM) -> list[str]:
    """Return a file name for each object of `make_exam`, which says what it shows."""
    names = [
        f"{number:02}-{shot.view}" + (f"-{shot.fault}" if shot.fault is not Fault.NONE else "")
        for number, shot in enumerate(shots, start=1)
    ]
    return [*names, f"{len(shots) + 1:02}-report"]


def write_exam(folder: Path, now: datetime) -> Iterator[Path]:
    """Write the exam's objects as Part 10 files, one by one; the folder is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, ds in zip(names_of(), make_exam(now), strict=True):
        path = folder / f"{name}.dcm"
        ds.save_as(path, enforce_file_format=True)
        yield path


def make_exam(now: datetime, *, seed: int = 1, shots: Sequence[Shot] = EXAM) -> Iterator[Dataset]:
    """Make the exam's objects one by one, a report at the end; the last was acquired `now`.

    Args:
        now: Aware time of the last acquisition.
        seed: Determines every pixel; the UIDs are fresh each time.
        shots: What is pressed, in order.
    """
    exam = Exam(
        study_uid=str(generate_uid(None)),
        series_uid=str(generate_uid(None)),
        started_at=now - timedelta(seconds=SECONDS_APART * len(shots)),
        seed=seed,
    )
    for number, shot in enumerate(shots, start=1):
        yield make_object(exam, number, shot)
    yield make_report(exam, len(shots) + 1)


def make_object(exam: Exam, number: int, shot: Shot) -> Dataset:
    """Make one US Image or US Multi-frame Image object."""
    screens = _screens(exam, number, shot)
    ds = _header(exam, number, US_MULTIFRAME if shot.cine else US_IMAGE)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "", "0001"]
    ds.PatientOrientation = ""
    _add_view(ds, shot.view)
    _add_region(ds, screens[0])
    if shot.cine:
        ds.NumberOfFrames = len(screens)
        ds.FrameTime = CINE_FRAME_MS
        ds.FrameIncrementPointer = 0x00181063
    _add_pixels(ds, np.stack([screen.picture for screen in screens]), shot.coding)
    return ds


def _screens(exam: Exam, number: int, shot: Shot) -> list[Screen]:
    view = VIEWS[shot.view]
    n_frames = CINE_FRAMES if shot.cine else 1
    return [
        make_screen(
            make_scan(
                view, seed=exam.seed * 100 + number, fault=shot.fault, phase=index / n_frames
            ),
            patient=f"DEMO, PHANTOM   {PATIENT_ID}",
            label=view.label,
            probe=view.probe.name,
            frame_text=f"{index + 1}/{n_frames}" if shot.cine else "",
        )
        for index in range(n_frames)
    ]


def _header(exam: Exam, number: int, sop_class_uid: str) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID = sop_class_uid
    ds.SOPInstanceUID = generate_uid(None)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = exam.study_uid, exam.series_uid
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = (
        PATIENT_NAME,
        PATIENT_ID,
        "",
        "O",
    )
    ds.AccessionNumber, ds.StudyID = "DEMO1", "1"
    ds.StudyDescription, ds.Modality = "Phantom exam", "US"
    ds.Manufacturer, ds.ManufacturerModelName = "SonoGate", "Phantom"
    ds.ReferringPhysicianName, ds.Laterality = "", ""
    ds.SeriesNumber, ds.InstanceNumber = 1, number
    acquired = exam.started_at + timedelta(seconds=SECONDS_APART * number)
    ds.TimezoneOffsetFromUTC = acquired.strftime("%z")
    ds.StudyDate = exam.started_at.strftime("%Y%m%d")
    ds.StudyTime = exam.started_at.strftime("%H%M%S")
    ds.ContentDate = ds.AcquisitionDate = acquired.strftime("%Y%m%d")
    ds.ContentTime = ds.AcquisitionTime = acquired.strftime("%H%M%S.%f")
    ds.AcquisitionDateTime = acquired.strftime("%Y%m%d%H%M%S.%f%z")
    return ds


def _add_view(ds: Dataset, view: str) -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = view.upper(), "99SONOGATE"
    code.CodeMeaning = VIEWS[view].label
    ds.ViewCodeSequence = [code]


def _add_region(ds: Dataset, screen: Screen) -> None:
    """Add the Sequence of Ultrasound Regions (PS3.3 C.8.5.5): one 2D tissue region, in cm."""
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = screen.left, screen.top
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = screen.right, screen.bottom
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = screen.cm_per_pixel
    ds.SequenceOfUltrasoundRegions = [region]


def _add_pixels(ds: Dataset, frames: Frames, coding: Coding) -> None:
    ds.Rows, ds.Columns = frames.shape[1:3]
    ds.SamplesPerPixel, ds.PlanarConfiguration, ds.PhotometricInterpretation = 3, 0, "RGB"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.BurnedInAnnotation = "YES"
    ds.LossyImageCompression = "00"
    _add_meta(ds, ExplicitVRLittleEndian)
    ds.PixelData = frames.tobytes()
    if coding is Coding.RLE:
        ds.compress(RLELossless, generate_instance_uid=False)
    if coding is Coding.JPEG:
        _add_jpeg(ds, frames)


def _add_jpeg(ds: Dataset, frames: Frames) -> None:
    pages = [_jpeg(frame) for frame in frames]
    ds.PhotometricInterpretation = "YBR_FULL_422"
    ds.LossyImageCompression, ds.LossyImageCompressionMethod = "01", "ISO_10918_1"
    ds.LossyImageCompressionRatio = round(frames.nbytes / sum(map(len, pages)), 1)
    ds.PixelData = encapsulate(pages)
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit


def _jpeg(frame: Frames) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(frame).save(stream, "JPEG", quality=JPEG_QUALITY, subsampling="4:2:2")
    return stream.getvalue()


def _add_meta(ds: Dataset, transfer_syntax_uid: UID) -> None:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = transfer_syntax_uid


def make_report(exam: Exam, number: int) -> Dataset:
    """Make the measurement report that carts send along: an SR, nothing to look at."""
    ds = _header(exam, number, BASIC_TEXT_SR)
    ds.Modality, ds.SeriesInstanceUID, ds.SeriesNumber = "SR", generate_uid(None), 2
    ds.ReferencedPerformedProcedureStepSequence, ds.PerformedProcedureCodeSequence = [], []
    ds.CompletionFlag, ds.VerificationFlag = "PARTIAL", "UNVERIFIED"
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = [_concept("18748-4", "LN", "Diagnostic imaging report")]
    text = Dataset()
    text.RelationshipType, text.ValueType = "CONTAINS", "TEXT"
    text.ConceptNameCodeSequence = [_concept("121071", "DCM", "Finding")]
    text.TextValue = "Phantom measurements; no patient."
    ds.ContentSequence = [text]
    _add_meta(ds, ExplicitVRLittleEndian)
    return ds


def _concept(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code
