"""The operators that the shipped encoder never sees, named before any training.

They come from four groups of the ladder, so that what is measured on them is transfer: echoes of
echoes (REV), interference (RF), side lobes (SLB), lost lines (ALI) and a wrong display range (DYR).
Overlays (ANN) are masked before scoring and the depth error (ZOM) is a fault of the view; the
encoder learns from neither.
"""

HELD_OUT = ("REV", "RF", "ALI", "SLB", "DYR")
NEVER_TRAINED = (*HELD_OUT, "ANN", "ZOM")
