"""MedQM-I, as the zoo has it, as a measure that takes part in the benchmark."""

import tomllib
from collections.abc import Callable

import torch

from sonoquality.arrays import Luma, Mask
from sonoquality.training.medqm import priors
from sonoquality.training.medqm.entry import NAME, VERSION, Judge
from sonoquality.zoo import CARD_FILE, SHIPPED, default_zoo

SENTENCES = "priors.npz"


def shipped() -> tuple[Callable[[Luma, Mask], float], dict[str, str]]:
    """Return what gives a picture its utility, 0 to 100, and who that is.

    Raises:
        FileNotFoundError: the entry is not in the zoo, or its sentences are not beside the zoo, as
            in a source tree.
    """
    zoo = default_zoo()
    folder = zoo / NAME / VERSION
    card = tomllib.loads((folder / CARD_FILE).read_text(encoding="utf-8"))["model"]
    sentences = torch.from_numpy(priors.read(zoo.parent / "recipes" / SENTENCES))
    judge = Judge(folder, zoo / SHIPPED, sentences)
    about = {"model": NAME, "version": VERSION, "sha256": str(card["sha256"])}
    return lambda luma, mask: judge.judge(luma, mask).utility, about
