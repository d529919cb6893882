"""What a quality model has to beat: classic measures without a reference, and distances with one.

`registry` names them all and loads each when it is asked for. `dct` holds the features of the
shipped manifold, which are given here too.
"""

from sonoquality.metrics.baselines.dct import (
    ANGLES,
    BLOCK,
    BRIGHT,
    DARK,
    ENERGY_FLOOR,
    GRID,
    LEAST_SHARE,
    N_BLOCK_FEATURES,
    N_FEATURES,
    RADII,
    WINDOW,
    band_matrix,
    block_counts,
    block_features,
    blocks_of,
    half_scale,
    pool,
    token_features,
    window_features,
)

__all__ = [
    "ANGLES",
    "BLOCK",
    "BRIGHT",
    "DARK",
    "ENERGY_FLOOR",
    "GRID",
    "LEAST_SHARE",
    "N_BLOCK_FEATURES",
    "N_FEATURES",
    "RADII",
    "WINDOW",
    "band_matrix",
    "block_counts",
    "block_features",
    "blocks_of",
    "half_scale",
    "pool",
    "token_features",
    "window_features",
]
