"""Draw a heat map that lies over the thumbnail."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MAX_ALPHA = 170
"""Opacity of the worst cell: the tissue below stays visible."""


def heatmap_png(
    heat: NDArray[np.float32], scan_mask: NDArray[np.bool_], size: tuple[int, int]
) -> bytes:
    """Render badness as a see-through amber-to-red layer.

    Args:
        heat: (height, width), 0 is clean and 1 is worst.
        scan_mask: (height, width); outside it the layer is fully transparent.
        size: (height, width) of the thumbnail it will lie over.

    Returns:
        An RGBA PNG of that size.
    """
    height, width = size
    small = Image.fromarray(np.where(scan_mask, heat, 0).astype(np.float32))
    badness = np.clip(np.asarray(small.resize((width, height), Image.Resampling.BILINEAR)), 0, 1)
    layer = np.empty((height, width, 4), np.uint8)
    layer[..., 0] = 255
    layer[..., 1] = (170 * (1 - badness)).astype(np.uint8)
    layer[..., 2] = 0
    layer[..., 3] = (MAX_ALPHA * badness**1.5).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(layer, "RGBA").save(out, "PNG", compress_level=1)
    return out.getvalue()
