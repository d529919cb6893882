"""Dotted lines: small white dots in a row, each one step from the last."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

Points = NDArray[np.float64]
Numbers = NDArray[np.intp]

#: A chain has at least so many dots more than one; steps differ by at most so many pixels.
LEAST_STEPS, SLACK = 5, 1.8
#: Neighbours that are looked at, and how far away they are at most, in parts of the screen's side.
NEIGHBOURS, REACH = 7, 40
#: So close dots are one; more dots than this are a texture.
LEAST_STEP, MOST_DOTS = 3.0, 1200


def in_chains(centres: Points, screen_side: int) -> NDArray[np.bool_]:
    """Tell which dots stand in a row with others, at even distances.

    Args:
        centres: (dot, 2) row and column.
        screen_side: longer side of the whole frame.
    """
    found = np.zeros(len(centres), dtype=np.bool_)
    if not LEAST_STEPS < len(centres) <= MOST_DOTS:
        return found
    tree = cKDTree(centres)
    first, second = _steps(tree, centres, max(16, screen_side // REACH))
    step, follows = _links(tree, centres, first, second)
    if not len(step):
        return found
    links = coo_array((np.ones(len(step)), (step, follows)), shape=(len(first), len(first)))
    _, chain = connected_components(links, directed=False)
    is_long = (np.bincount(chain) >= LEAST_STEPS)[chain]
    found[first[is_long]] = True
    found[second[is_long]] = True
    return found


def _steps(tree: cKDTree, centres: Points, reach: float) -> tuple[Numbers, Numbers]:
    """Return pairs of dots that may follow one another, both ways."""
    n_near = min(NEIGHBOURS + 1, len(centres))
    away, near = map(np.asarray, tree.query(centres, n_near, distance_upper_bound=reach))
    is_step = np.isfinite(away) & (away >= LEAST_STEP)
    first = np.broadcast_to(np.arange(len(centres))[:, None], near.shape)
    return first[is_step].astype(np.intp), near[is_step].astype(np.intp)


def _links(
    tree: cKDTree, centres: Points, first: Numbers, second: Numbers
) -> tuple[Numbers, Numbers]:
    """Return pairs of steps of which the second goes on as the first, by their numbers."""
    ahead = 2 * centres[second] - centres[first]
    away, third = map(np.asarray, tree.query(ahead, distance_upper_bound=SLACK))
    step = np.flatnonzero(np.isfinite(away))
    of_pair = np.full((len(centres), len(centres)), -1, dtype=np.int32)
    of_pair[first, second] = np.arange(len(first))
    follows = of_pair[second[step], third[step]]
    return step[follows >= 0], follows[follows >= 0].astype(np.intp)
