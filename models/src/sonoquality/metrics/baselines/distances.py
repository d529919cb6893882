"""PSNR and SSIM between two pictures of one scan, by scikit-image, inside the mask; lower is alike.

Both take working images (h, w) in [0, 1] of one size, and one mask. Needs the [train] extra.
"""

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from sonoquality.arrays import Mask, UnitImage

MOST_DB = 100.0  #: of PSNR: what two equal pictures get


def psnr(a: UnitImage, b: UnitImage, mask: Mask) -> float:
    """Minus the peak signal-to-noise ratio in dB, for a peak of 1; -100 for equal pictures."""
    if np.array_equal(a[mask], b[mask]):
        return -MOST_DB
    return -min(MOST_DB, float(peak_signal_noise_ratio(a[mask], b[mask], data_range=1.0)))


def ssim(a: UnitImage, b: UnitImage, mask: Mask) -> float:
    """1 - SSIM, averaged over the scan, black outside: Gaussian window of 1.5 px (Wang 2004)."""
    inside, other = (np.where(mask, each, np.float32(0)) for each in (a, b))
    _, similar = structural_similarity(
        inside, other, data_range=1.0, gaussian_weights=True, use_sample_covariance=False, full=True
    )
    return 1.0 - float(similar[mask].mean())
