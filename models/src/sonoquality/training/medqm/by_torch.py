"""What MedQM-I says of golden phantoms by torch and plain numpy: no graph has a part in it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from sonoquality import golden
from sonoquality.arrays import Floats, Tokens
from sonoquality.export.cells import SIDE, TOKENS
from sonoquality.metrics.baselines import window_features
from sonoquality.networks.checkpoints import load_encoder
from sonoquality.networks.encode import encode_with
from sonoquality.networks.medqm import Medqm, MedqmShape, Said
from sonoquality.preprocess import LEAST_MASK, WindowSet, windows_of, working_image
from sonoquality.training.medqm.entry import WEIGHTS
from sonoquality.training.medqm.examples import ORGAN_ROWS, VIEW_ROWS
from sonoquality.training.medqm.losses import off_by
from sonoquality.training.medqm.priors import UNKNOWN


def phantoms_told(nrq: Path, medqm: Path) -> Mapping[str, tuple[float, float]]:
    """Return utility and its doubt, both of 1, by phantom.

    Args:
        nrq: entry whose encoder is looked through, read back out of its graph.
        medqm: entry of MedQM-I's weights.
    """
    encode = encode_with(load_encoder(nrq))
    network = loaded(medqm)
    told = {}
    for phantom in golden.PHANTOMS:
        windows = windows_of(working_image(*golden.inputs_of(phantom)))
        with torch.inference_mode():
            said = said_of(network, windows, encode(windows.pixels))
        told[phantom.name] = (
            float(said.quality[0]),
            float(off_by(said.logvar)[0]),
        )
    return told


def loaded(medqm: Path) -> Medqm:
    """Return the network of an entry."""
    with np.load(medqm / WEIGHTS) as kept:
        weights = {key: torch.from_numpy(kept[key]) for key in kept.files}
    network = Medqm(MedqmShape(), weights["sentences"].float())
    own = network.state_dict()
    network.load_state_dict({key: weights[key].to(own[key].dtype) for key in own})
    return network.eval()


def said_of(network: Medqm, windows: WindowSet, taps: Sequence[Tokens]) -> Said:
    """Judge one image by its windows and the tokens (n, 196, width) of each tap."""
    grid = (len(windows.masks), TOKENS, windows.masks.shape[2] // TOKENS, TOKENS, -1)
    inside = (windows.masks.reshape(grid).mean(axis=(2, 4)) >= LEAST_MASK).astype(np.float64)
    counts = _quartered(inside[..., None])[..., 0]
    cells = [
        _quartered(inside[..., None] * tap.reshape(*inside.shape, -1))
        / np.maximum(counts, 1e-6)[..., None]
        for tap in taps
    ]
    said: Said = network(
        *(
            torch.from_numpy(each)[None].float()
            for each in (
                np.concatenate(cells, axis=2),
                counts,
                window_features(windows.pixels, windows.masks),
            )
        ),
        torch.tensor([ORGAN_ROWS[UNKNOWN]]),
        torch.tensor([VIEW_ROWS[UNKNOWN]]),
    )
    return said


def _quartered(tokens: Floats) -> Floats:
    """Return the means (n, 49, width) of two by two tokens (n, 14, 14, width)."""
    n, *_, width = tokens.shape
    pairs = tokens.reshape(n, SIDE, 2, SIDE, 2, width)
    return np.asarray(pairs.mean(axis=(2, 4)).reshape(n, SIDE * SIDE, width))
