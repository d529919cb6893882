"""Objects of the sizes that carts send, made on the spot: JPEG stills, RGB stills, a cine."""

import io
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, UltrasoundMultiFrameImageStorage

from sonogate.demo.exam import make_exam
from sonogate.testing import describe_pixels, make_instance, speckle

JPEG_BYTES = 84_000
RGB_SHAPE = (600, 800)
CINE_BYTES = 50_000_000


def jpeg_still(seed: int = 0) -> Dataset:
    """Make a JPEG baseline still of about 84 kB."""
    height, width = 600, 800
    image = Image.fromarray(speckle(height, width, seed))
    quality = min(range(5, 96, 3), key=lambda each: abs(len(encoded(image, each)) - JPEG_BYTES))
    ds = make_instance(seed=seed, height=height, width=width)
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    ds.PixelData = encapsulate([encoded(image, quality)])
    ds["PixelData"].is_undefined_length = True
    ds.LossyImageCompression = "01"
    return ds


def phantom_still(seed: int = 1) -> Dataset:
    """Make the first still of the demonstration's exam: a liver, JPEG, about 74 kB."""
    return next(make_exam(datetime.now(UTC), seed=seed))


def encoded(image: Image.Image, quality: int) -> bytes:
    """Return the JPEG bytes of an image."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def rgb_still(seed: int = 0) -> Dataset:
    """Make an uncompressed RGB still of 1.4 MB."""
    height, width = RGB_SHAPE
    ds = make_instance(seed=seed, height=height, width=width)
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.PixelData = np.repeat(speckle(height, width, seed)[..., None], 3, axis=2).tobytes()
    return ds


def cine(seed: int = 0, n_bytes: int = CINE_BYTES) -> Dataset:
    """Make an uncompressed grey cine of about `n_bytes`."""
    height, width = 480, 640
    n_frames = max(1, n_bytes // (height * width))
    ds = make_instance(seed=seed, height=height, width=width)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = UltrasoundMultiFrameImageStorage
    describe_pixels(ds, height, width)
    ds.NumberOfFrames, ds.FrameTime = n_frames, 33
    ds.PixelData = speckle(height, width, seed).tobytes() * n_frames
    return ds


def save(ds: Dataset, path: Path) -> Path:
    """Write a Part 10 file."""
    ds.save_as(path, enforce_file_format=True)
    return path
