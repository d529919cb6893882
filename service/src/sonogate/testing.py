"""Fakes and makers that ship: for our own tests and for those who build on the gate."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid

from sonogate.app import running_gate
from sonogate.domain.frames import FrameStack
from sonogate.domain.scores import FrameScore, FrameScores, ModelIdentity, ScoredStack
from sonogate.gate import Gate

__all__ = ["ConstantScorer", "Gate", "make_instance", "running_gate"]

CONSTANT_MODEL = ModelIdentity(name="constant", version="1", sha256="0" * 64, provider="cpu")


@dataclass(frozen=True)
class ConstantScorer:
    """A `Scorer` that gives every frame the same quality."""

    quality: float = 90.0
    scores: Mapping[str, float] = field(default_factory=dict)

    def score(self, stack: FrameStack) -> ScoredStack:
        """Score without looking."""
        heat = np.zeros(stack.frames.shape[1:], np.float32)
        frames = tuple(
            FrameScore(frame_number=number, quality=self.quality, scores=self.scores)
            for number in stack.frame_numbers
        )
        return ScoredStack(
            scores=FrameScores(
                model=CONSTANT_MODEL, frames=frames, n_total=stack.n_total, doubt=stack.doubt
            ),
            heats=(heat,) * len(frames),
            preprocess_seconds=0.0,
            infer_seconds=0.0,
        )


def speckle(height: int, width: int, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Draw fully developed speckle, log-compressed to 60 dB: (height, width) uint8."""
    rng = np.random.default_rng(seed)
    field_ = rng.normal(size=(height, width)) + 1j * rng.normal(size=(height, width))
    for axis in (0, 1, 1):
        field_ = (np.roll(field_, 1, axis) + 2 * field_ + np.roll(field_, -1, axis)) / 4
    grey = 1 + 20 * np.log10(np.abs(field_) / np.abs(field_).max() + 1e-6) / 60
    drawn: np.ndarray[tuple[int, int], np.dtype[np.uint8]] = np.clip(255 * grey, 0, 255).astype(
        np.uint8
    )
    return drawn


def make_instance(
    *,
    seed: int = 0,
    height: int = 240,
    width: int = 320,
    study_uid: str | None = None,
    series_uid: str | None = None,
    view: str | None = None,
    patient_name: str = "Phantom^Test",
) -> Dataset:
    """Make a valid Ultrasound Image Storage instance of synthetic speckle.

    Returns:
        A data set with file meta, explicit little endian, MONOCHROME2, one tissue region.
    """
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = UltrasoundImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
    ds.StudyInstanceUID = study_uid or generate_uid()
    ds.SeriesInstanceUID = series_uid or generate_uid()
    ds.Modality = "US"
    ds.PatientName, ds.PatientID, ds.AccessionNumber = patient_name, "TEST-1", "A1"
    now = datetime.now(UTC)
    ds.StudyDate = ds.AcquisitionDate = now.strftime("%Y%m%d")
    ds.StudyTime = ds.AcquisitionTime = now.strftime("%H%M%S.%f")
    ds.TimezoneOffsetFromUTC = "+0000"
    if view:
        ds.ViewName = view
    describe_pixels(ds, height, width)
    ds.PixelData = speckle(height, width, seed).tobytes()
    return ds


def describe_pixels(ds: Dataset, height: int, width: int) -> None:
    """Fill the Image Pixel and US Region Calibration modules (PS3.3 C.7.6.3, C.8.5.5)."""
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = height, width
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = width - 1, height - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.02
    ds.SequenceOfUltrasoundRegions = Sequence([region])
