"""Fit NIQE's Gaussian of clean patches on the training split."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from sonoquality.metrics.baselines.niqe import NiqeModel, describe
from sonoquality.preprocess import working_image
from sonoquality.training.data import allowed, calibrates, read_index, training_rows

Progress = Callable[[str, int, int], None]


def fit_niqe(data: Path, out: Path, progress: Progress) -> NiqeModel:
    """Fit on the training images that do not calibrate, as the manifold is, and write the model.

    Args:
        data: folder with INDEX.csv; validation and evaluation rows are not read.
        out: file to write.
        progress: told (work, done, total).
    """
    rows = [row for row in training_rows(read_index(data)) if not calibrates(row)]
    found = []
    for done, row in enumerate(allowed(rows), 1):
        working = working_image(*row.read())
        found.append(describe(working.image, working.mask))
        progress("patches", done, len(rows))
    features = np.concatenate(found)
    covariance = np.cov(features, rowvar=False)
    model = NiqeModel(features.mean(axis=0), covariance, len(rows), len(features))
    model.save(out)
    return model
