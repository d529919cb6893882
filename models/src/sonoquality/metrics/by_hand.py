"""Numbers by hand beside a model's own: they judge nothing, but a site's calibration weighs them.

Which ones is a choice that docs/results/calibration.md tells: cross-validated by patient, on hearts
that nothing else of a model may be chosen on.
"""

from sonoquality.arrays import Luma, Mask
from sonoquality.metrics.sharpness import mean_gradient
from sonoquality.preprocess import working_image

MEAN_GRADIENT = "mean_gradient"


def by_hand(luma: Luma, scan: Mask, overlay: Mask | None = None) -> dict[str, float]:
    """Measure a frame by hand.

    Args:
        luma: (height, width) uint8.
        scan: (height, width), as `preprocess.scan_mask` finds it.
        overlay: (height, width), True where text and marks hide the tissue.

    Returns:
        `mean_gradient`: mean steepness of grey, in parts of full scale a pixel at working scale,
        as the baseline `mean-gradient-2` has it. Nothing where overlay hides the whole scan.

    Raises:
        ShapeError: the arrays differ in size, or the scan mask is empty.
    """
    working = working_image(luma, scan, overlay)
    if not working.mask.any():
        return {}
    return {MEAN_GRADIENT: mean_gradient(working.image, working.mask)}
