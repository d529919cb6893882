"""All baselines by name: what they measure, where they come from, and what they need.

Without a reference: `score(image, mask) -> float`, higher is better. With one:
`distance(a, b, mask) -> float`, lower is more alike. Images are working images (h, w) in [0, 1].
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Literal

from sonoquality.arrays import Mask, UnitImage
from sonoquality.errors import MissingExtraError

Score = Callable[[UnitImage, Mask], float]
Distance = Callable[[UnitImage, UnitImage, Mask], float]
Extra = Literal["", "train", "brisque"]

ROOMS = "sonoquality.metrics.baselines"
NETWORKS = "sonoquality.networks"


@dataclass(frozen=True, slots=True)
class Baseline:
    """One measure and how to get it."""

    says: str  #: what it measures
    source: str
    room: str  #: module that holds it
    function: str
    extra: Extra = ""  #: of the distribution that it needs
    sigma_px: float | None = None  #: its one parameter, if it has one


NO_REFERENCE: Mapping[str, Baseline] = {
    "dct-manifold": Baseline(
        "distance from clean DCT features", "SCIENCE 8.8", f"{ROOMS}.manifold_score", "dct_manifold"
    ),
    "niqe": Baseline(
        "distance from clean natural-scene statistics, refitted on ultrasound",
        "Mittal 2013",
        f"{ROOMS}.niqe",
        "niqe",
    ),
    "brisque": Baseline(
        "natural-scene statistics, graded by people on photographs",
        "Mittal 2012; package brisque",
        f"{ROOMS}.brisque_live",
        "brisque",
        "brisque",
    ),
    "mean-gradient-2": Baseline(
        "mean gradient at 2 px", "SCIENCE 8.8", "sonoquality.metrics.sharpness", "mean_gradient"
    ),
    "tenengrad": Baseline(
        "mean squared Sobel gradient",
        "Krotkov 1988",
        "sonoquality.metrics.sharpness",
        "tenengrad",
    ),
    **{
        f"tenengrad-{sigma}": Baseline(
            f"mean squared gradient at {sigma} px",
            "Krotkov 1988",
            f"{ROOMS}.simple",
            "tenengrad_at",
            sigma_px=sigma,
        )
        for sigma in (1, 2, 4)
    },
    "entropy": Baseline("bits of grey", "Shannon 1948", f"{ROOMS}.simple", "entropy"),
    "spread": Baseline("width of the histogram", "SCIENCE 8.8", f"{ROOMS}.simple", "spread"),
    "quietness": Baseline("minus the noise", "SCIENCE 8.8", f"{ROOMS}.simple", "quietness"),
    "chance": Baseline("nothing", "SCIENCE 8.8", f"{ROOMS}.simple", "chance"),
}

FULL_REFERENCE: Mapping[str, Baseline] = {
    "psnr": Baseline("minus dB of error", "", f"{ROOMS}.distances", "psnr", "train"),
    "ssim": Baseline(
        "1 - structural similarity", "Wang 2004", f"{ROOMS}.distances", "ssim", "train"
    ),
    "ms-ssim": Baseline(
        "1 - structural similarity at five scales",
        "Wang 2003",
        f"{NETWORKS}.distances",
        "ms_ssim",
        "train",
    ),
    "lpips-style-efficientnet-lite0": Baseline(
        "distance of unit ImageNet features, without LPIPS' learned weights",
        "Zhang 2018, Tan and Le 2019",
        f"{NETWORKS}.distances",
        "lpips_style",
        "train",
    ),
}


def no_reference(name: str) -> Score:
    """Load a measure without a reference.

    Raises:
        KeyError: no such baseline.
        MissingExtraError: the optional part of the distribution that it needs is not installed.
    """
    baseline = NO_REFERENCE[name]
    score = _load(name, baseline)
    return score if baseline.sigma_px is None else partial(score, sigma_px=baseline.sigma_px)


def full_reference(name: str) -> Distance:
    """Load a distance between two pictures of one scan; raises as `no_reference` does."""
    return _load(name, FULL_REFERENCE[name])


def _load(name: str, baseline: Baseline) -> Callable[..., float]:
    try:
        function: Callable[..., float] = getattr(import_module(baseline.room), baseline.function)
        if baseline.extra == "brisque":
            import_module("brisque")
    except ImportError as error:
        raise MissingExtraError(
            f"{name} needs {error.name}: install sonogate[{baseline.extra}]."
        ) from error
    return function
