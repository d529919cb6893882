"""Deep grey to eight bits: by the object's own transforms, else by its depth."""

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from sonogate.read.objects.boundary import tolerant
from sonogate.read.pixels.codecs import Samples
from sonogate.read.pixels.layout import PixelLayout


def to_eight_bits(samples: Samples, layout: PixelLayout, dataset: Dataset) -> NDArray[np.uint8]:
    """Map stored grey to 0 to 255.

    Eight-bit ultrasound is stored as shown and stays as it is. Deeper values take the object's
    rescale, then its VOI table or window; without one they are scaled by their own depth, so that
    nothing is clipped.

    Args:
        samples: (height, width) stored values, unsigned as read.
        layout: their depth and sign.
        dataset: holds the transforms.
    """
    if layout.bits_stored <= 8 and not layout.signed:
        return np.ascontiguousarray(samples.astype(np.uint8, copy=False))
    values = _signed(samples, layout) if layout.signed else samples.astype(np.int32)
    table = _voi_table(dataset)
    if table is not None:
        return _looked_up(values, *table)
    window = _window(dataset)
    if window is not None:
        return _windowed(_rescaled(values, dataset), *window)
    lowest = -(1 << (layout.bits_stored - 1)) if layout.signed else 0
    return _by_depth(values - lowest, layout.bits_stored)


def _signed(samples: Samples, layout: PixelLayout) -> NDArray[np.int32]:
    sign = 1 << (layout.bits_stored - 1)
    values = samples.astype(np.int64)
    return np.asarray(((values & (2 * sign - 1)) ^ sign) - sign, dtype=np.int32)


def _rescaled(values: NDArray[np.int32], dataset: Dataset) -> NDArray[np.float32]:
    slope = tolerant(lambda: float(dataset.RescaleSlope)) or 1.0
    intercept = tolerant(lambda: float(dataset.RescaleIntercept)) or 0.0
    return values.astype(np.float32) * slope + intercept


def _window(dataset: Dataset) -> tuple[float, float] | None:
    def first(keyword: str) -> float:
        value = dataset[keyword].value
        return float(value[0] if isinstance(value, (list, tuple)) or _is_multi(value) else value)

    def both() -> tuple[float, float]:
        return first("WindowCenter"), first("WindowWidth")

    window = tolerant(both)
    return window if window is not None and window[1] >= 1 else None


def _is_multi(value: object) -> bool:
    return hasattr(value, "__getitem__") and not isinstance(value, (str, bytes))


def _windowed(values: NDArray[np.float32], centre: float, width: float) -> NDArray[np.uint8]:
    """Apply a linear window (PS3.3 C.11.2.1.2.1)."""
    unit = (values - (centre - 0.5)) / max(width - 1, 1) + 0.5
    return np.asarray(np.rint(np.clip(unit, 0, 1) * 255), dtype=np.uint8)


def _voi_table(dataset: Dataset) -> tuple[NDArray[np.float32], int, int] | None:
    """Return (entries, first mapped value, bits) of the first VOI LUT."""

    def read() -> tuple[NDArray[np.float32], int, int]:
        item = dataset.VOILUTSequence[0]
        _, first, bits = (int(value) for value in item.LUTDescriptor)
        entries = item.LUTData
        if isinstance(entries, bytes):
            order = "<" if dataset.is_little_endian else ">"
            entries = np.frombuffer(entries, f"{order}u2")
        return np.asarray(entries, np.float32), first, bits

    return tolerant(read)


def _looked_up(
    values: NDArray[np.int32], entries: NDArray[np.float32], first: int, bits: int
) -> NDArray[np.uint8]:
    shown = entries[np.clip(values - first, 0, len(entries) - 1)]
    scaled = np.rint(shown * (255 / ((1 << bits) - 1)))
    return np.asarray(scaled.clip(0, 255), dtype=np.uint8)


def _by_depth(values: NDArray[np.int32], bits_stored: int) -> NDArray[np.uint8]:
    """Scale by the bits stored; by those in use where the upper half of the range is empty."""
    peak = int(values.max(initial=0))
    depth = min(bits_stored, max(8, peak.bit_length()))
    scaled = np.rint(values * (255 / ((1 << depth) - 1)))
    return np.asarray(scaled.clip(0, 255), dtype=np.uint8)
