"""Commands of the baselines: what a quality model is compared with."""

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from sonoquality.arrays import Mask, UnitImage
from sonoquality.cli.options import Bars, Data
from sonoquality.errors import MissingExtraError, SizesDifferError
from sonoquality.images import KINDS, read_luma
from sonoquality.metrics.baselines import registry
from sonoquality.preprocess import scan_mask, working_image

Images = Annotated[list[Path], typer.Argument(help=f"{KINDS}.")]
Reference = Annotated[
    Path | None, typer.Option(help="The same scan as it should be; adds distances from it.")
]
Niqe = Annotated[Path, typer.Option(help="File to write (.npz).")]


def baselines(images: Images, reference: Reference = None) -> None:
    """Measure pictures by every baseline that is installed; one JSON line each.

    Scores are higher for better pictures, distances lower for more alike ones. What needs an extra
    that is not installed is null. With a reference, its scan is looked at in every picture.
    """
    known = None if reference is None else read_luma(reference)
    for path in images:
        luma = read_luma(path)
        if known is not None and known.shape != luma.shape:
            raise SizesDifferError(f"{path} is not of the size of {reference}; resample one.")
        scan = scan_mask(luma if known is None else known)
        working = working_image(luma, scan)
        line = {"path": str(path), "scores": _scores(working.image, working.mask)}
        if known is not None:
            clean = working_image(known, scan)
            line["distances"] = _distances(clean.image, working.image, working.mask)
        print(json.dumps(line))


def fit_niqe(data: Data, out: Niqe) -> None:
    """Fit NIQE on the training split."""
    room = import_module("sonoquality.training.niqe")
    with Progress() as progress:
        model = room.fit_niqe(data, out, Bars(progress))
    print(f"{out}: {model.n_patches} patches of {model.n_images} images")


def _scores(image: UnitImage, mask: Mask) -> dict[str, float | None]:
    def score(name: str) -> float:
        return registry.no_reference(name)(image, mask)

    return {name: _or_none(score, name) for name in registry.NO_REFERENCE}


def _distances(a: UnitImage, b: UnitImage, mask: Mask) -> dict[str, float | None]:
    def distance(name: str) -> float:
        return registry.full_reference(name)(a, b, mask)

    return {name: _or_none(distance, name) for name in registry.FULL_REFERENCE}


def _or_none(measure: Callable[[str], float], name: str) -> float | None:
    """Return the measure, or None where its extra is not installed."""
    try:
        return round(measure(name), 6)
    except MissingExtraError:
        return None
