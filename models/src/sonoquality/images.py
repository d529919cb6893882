"""Read one grey picture from a file: PNG, WebP, JPEG and what else Pillow reads, NIfTI, DICOM.

For people and scripts at the command line. The gate never comes here: its own reader bounds what a
hostile object may cost, knows more transfer syntaxes and finds the scan by the object's header.

Colour becomes BT.601 luma. Levels of more than 8 bits are scaled by their own bit depth, never
clipped; a depth that the file doesn't state is the smallest of 8 bits or more that holds its
largest level.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sonoquality.arrays import Luma
from sonoquality.errors import MissingExtraError, UnreadableImageError
from sonoquality.preprocess import luma_of

NIFTI = (".nii", ".nii.gz")
KINDS = "PNG, WebP, JPEG, NIfTI (.nii, .nii.gz) or DICOM"
WHITE = 255.0


def read_luma(path: Path, frame: int | None = None) -> Luma:
    """Return (height, width) uint8 luminance of a picture, a slice or a frame.

    Args:
        path: the file; what it is is told by its content, NIfTI by its name.
        frame: counted from 0; needed only where the file holds several.

    Raises:
        UnreadableImageError: no such file, not a picture, or a frame must be chosen.
        MissingExtraError: a NIfTI file, and nibabel is not installed.
    """
    if not path.is_file():
        raise UnreadableImageError(f"There is no file {path}.")
    if path.name.lower().endswith(NIFTI):
        return _nifti(path, frame)
    with path.open("rb") as file:
        head = file.read(132)
    return _dicom(path, frame) if head[128:] == b"DICM" else _picture(path, frame)


def _picture(path: Path, frame: int | None) -> Luma:
    try:
        with Image.open(path) as picture:
            picture.seek(_chosen(path, frame, getattr(picture, "n_frames", 1)))
            deep = picture.mode in ("L", "F") or picture.mode.startswith("I")
            pixels = np.asarray(picture if deep else picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadableImageError(f"{path} is not {KINDS}: {error}.") from error
    return to_luma(path, pixels)


def _dicom(path: Path, frame: int | None) -> Luma:
    from pydicom import dcmread
    from pydicom.pixels.processing import apply_color_lut
    from pydicom.pixels.utils import pixel_array

    try:
        dataset = dcmread(path)
        index = _chosen(path, frame, int(dataset.get("NumberOfFrames") or 1))
        pixels = pixel_array(dataset, index=index)
        if dataset.PhotometricInterpretation == "PALETTE COLOR":
            pixels = apply_color_lut(pixels, dataset)
    except UnreadableImageError:
        raise
    except Exception as error:  # decoders raise what they like on broken streams
        raise UnreadableImageError(
            f"{path}: its pixels can't be read ({error}). `sonogate score` reads more transfer "
            "syntaxes; or convert the frame to PNG."
        ) from error
    luma = to_luma(path, pixels, int(dataset.BitsStored) if pixels.ndim == 2 else None)
    return ~luma if dataset.PhotometricInterpretation == "MONOCHROME1" else luma


def _nifti(path: Path, frame: int | None) -> Luma:
    try:
        import nibabel
    except ImportError:
        raise MissingExtraError(
            "Reading NIfTI needs nibabel: pip install 'sonogate[nifti]'."
        ) from None
    try:
        volume: Any = nibabel.load(path)
        shape = [*volume.shape, 1]
        if len(volume.shape) < 2 or np.prod(shape[2:]) != shape[2]:
            raise UnreadableImageError(f"{path} has axes {volume.shape}; a slice has two of three.")
        index = _chosen(path, frame, shape[2])
        columns = np.asarray(volume.dataobj).reshape(shape[0], shape[1], shape[2])[..., index]
    except UnreadableImageError:
        raise
    except Exception as error:  # a broken volume raises whatever its reader raises
        raise UnreadableImageError(f"{path} is no NIfTI volume: {error}.") from error
    return to_luma(path, columns.T)


def _chosen(path: Path, frame: int | None, n_frames: int) -> int:
    """Return which frame to read; several and no choice is refused, as is one beyond the last."""
    if frame is None and n_frames > 1:
        raise UnreadableImageError(
            f"{path} holds {n_frames} frames; choose one with --frame 0 to {n_frames - 1}."
        )
    if not 0 <= (frame or 0) < n_frames:
        raise UnreadableImageError(f"{path} has no frame {frame}; it holds {n_frames}, from 0.")
    return frame or 0


def to_luma(path: Path, pixels: NDArray[Any], bits: int | None = None) -> Luma:
    """Return grey or RGB pixels of any depth as (height, width) uint8.

    Args:
        path: named in complaints.
        pixels: (height, width) or (height, width, 3), integers or floats; floats up to 1 are shares
            of white.
        bits: the depth, where the file states it.

    Raises:
        UnreadableImageError: other axes, levels below 0 or no numbers.
    """
    if pixels.ndim not in (2, 3) or pixels.size == 0 or (pixels.ndim == 3 and len(pixels.T) != 3):
        raise UnreadableImageError(f"{path} holds {pixels.shape}, which is neither grey nor RGB.")
    if pixels.dtype.kind not in "uif" or not np.isfinite(pixels).all() or pixels.min() < 0:
        raise UnreadableImageError(f"{path} holds levels that no echo has: below 0, or no numbers.")
    if pixels.dtype != np.uint8 or (bits or 8) != 8:
        pixels = np.rint(pixels / _white(pixels, bits) * WHITE).clip(0, WHITE).astype(np.uint8)
    return pixels if pixels.ndim == 2 else luma_of(np.ascontiguousarray(pixels))


def _white(pixels: NDArray[Any], bits: int | None) -> float:
    """Return the level of white."""
    largest = float(pixels.max())
    if bits is None and pixels.dtype.kind == "f" and largest <= 1.0:
        return 1.0
    return float(2 ** (bits or max(8, int(np.ceil(largest)).bit_length())) - 1)
