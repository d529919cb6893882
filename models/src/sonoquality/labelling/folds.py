"""Which part of the training images a diagnostician must not learn from to judge an image."""

import hashlib

from sonoquality.training.data import Row

N_FOLDS = 4
HELD_BACK = -1  #: of validation images: judged by those that learned from all training images
OPTIMISTIC = ("busi_all",)
"""Groups without patient numbers, parted by image. Near-duplicates were taken out of the
collection, but two images of a patient can lie in two folds: what is found there is optimistic."""


def fold_of(row: Row, n_folds: int = N_FOLDS) -> int:
    """Return the fold of a training row, by its group (or its image where groups say nothing).

    Returns:
        0 to `n_folds` - 1; `HELD_BACK` for a row of the validation split.

    Raises:
        ValueError: the row is non-commercial or of the evaluation set; nothing here may look at it.
    """
    if row.non_commercial or row.split not in ("train", "val"):
        raise ValueError(f"{row.path.name} of {row.source} is not for labelling.")
    if row.split == "val":
        return HELD_BACK
    key = row.sha256 if row.group in OPTIMISTIC else row.group
    return int(hashlib.sha256(key.encode()).hexdigest(), 16) % n_folds
