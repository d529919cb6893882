"""MedQM-I as an entry of the zoo: its weights, and a card that says what they are.

The weights stand alone, in half precision: `export.medqm` puts them behind NRQ's graph. They read
the tokens of one encoder, and the card names it.
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sonoquality.arrays import Luma, Mask
from sonoquality.card import OtherManifoldError
from sonoquality.labelling.spoiled import Copy
from sonoquality.model import QualityModel
from sonoquality.networks.medqm import Medqm, MedqmShape
from sonoquality.preprocess import working_image
from sonoquality.training.medqm.examples import Example, levels_of
from sonoquality.training.medqm.features import Reader
from sonoquality.training.medqm.loop import judged
from sonoquality.training.medqm.losses import off_by
from sonoquality.training.medqm.priors import NAMES
from sonoquality.zoo import CARD_FILE, ENCODER_KEY

WEIGHTS = "weights.npz"
NAME, VERSION = "medqm", "1.2.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Utility:
    """What MedQM-I says of one picture."""

    utility: float  #: 0 to 100, how well it will serve; 90 and more: as well as a clean image
    off_by: float  #: how far that is likely off, in the same unit
    severities: Mapping[str, float]  #: by attribute, 0 (absent) to 4


def write(out: Path, network: Medqm, encoder_sha256: str, about: Mapping[str, object]) -> Path:
    """Write weights and card into `OUT/medqm/<version>`; returns it.

    Args:
        out: the zoo.
        network: trained, with all its parts.
        encoder_sha256: whose tokens it reads.
        about: lines of the card's `[training]`.
    """
    folder = out / NAME / VERSION
    folder.mkdir(parents=True, exist_ok=True)
    halves = {
        key: value.numpy().astype(np.float16) if value.is_floating_point() else value.numpy()
        for key, value in network.state_dict().items()
    }
    np.savez_compressed(folder / WEIGHTS, **halves)
    sha256 = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in about.items())
    text = f"""[model]
name = "{NAME}"
version = "{VERSION}"
sha256 = "{sha256}"  # of {WEIGHTS}
encoder_sha256 = "{encoder_sha256}"  # whose tokens it reads
precision = "float16 weights"
licence = "Apache-2.0"
description = "How well an image will serve a diagnosis, and which of ten faults it has"
intended_use = "In the gate's entry `joined`; alone by `sonoquality medqm judge`."
limits = [
    "Its labels come from small networks that see 128 px: what is finer hardly counts.",
    "Labels are of breast, liver, fetal head, ovary; of others it learned faults and clean images.",
    "No person has graded an image that it learned from, and no medical device claim is made.",
]

[training]
{lines}
"""
    (folder / CARD_FILE).write_text(text, encoding="utf-8")
    return folder


class Judge:
    """MedQM-I over the encoder that ships, on whole pictures.

    Args:
        folder: of the entry.
        nrq: zoo entry whose encoder is looked through.
        sentences: of the priors.

    Raises:
        OSError: a file is missing.
        OtherManifoldError: the weights are not those of the card, or read another encoder.
    """

    def __init__(self, folder: Path, nrq: Path, sentences: Tensor) -> None:
        card = tomllib.loads((folder / CARD_FILE).read_text(encoding="utf-8"))["model"]
        path = folder / WEIGHTS
        if hashlib.sha256(path.read_bytes()).hexdigest() != card["sha256"]:
            raise OtherManifoldError(f"{path} is not the file of its card; get both anew.")
        encoder = QualityModel.load(nrq, providers=("cpu",)).session.metadata.get(ENCODER_KEY)
        if encoder != card["encoder_sha256"]:
            raise OtherManifoldError(
                f"{path} reads tokens of encoder {card['encoder_sha256']}, but {nrq} holds "
                f"{encoder}. Train it on that one, by sonoquality medqm train."
            )
        self._reader = Reader(nrq)
        self._network = _loaded(path, sentences)

    def judge(self, luma: Luma, scan: Mask) -> Utility:
        """Judge a picture (height, width) with its scan mask."""
        work = working_image(luma, scan)
        width, height = work.size
        grey: NDArray[np.uint8] = np.rint(work.image[:height, :width] * 255).astype(np.uint8)
        copies = [Copy(kind="clean")]
        example = Example(
            name="",
            organ="",
            features=self._reader.read(grey[None], work.mask[:height, :width]),
            copies=copies,
            labels=None,
            levels=levels_of(copies),
        )
        said = judged(self._network, example)
        return Utility(
            utility=100 * float(said.quality[0]),
            off_by=100 * float(off_by(said.logvar)[0]),
            severities=dict(zip(NAMES, map(float, said.severities[0]), strict=True)),
        )


def _loaded(path: Path, sentences: Tensor) -> Medqm:
    network = Medqm(MedqmShape(), sentences)
    with np.load(path) as kept:
        own = network.state_dict()
        found = {key: torch.from_numpy(kept[key]).to(own[key].dtype) for key in own}
    network.load_state_dict(found)
    return network.eval()
