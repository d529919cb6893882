"""Commands that print one metric of a picture, or of two."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from PIL import Image

from sonoquality.arrays import Floats, Luma
from sonoquality.cli.encoders import load_encode, load_weights, room
from sonoquality.errors import ManifoldError, SizesDifferError
from sonoquality.images import KINDS, read_luma
from sonoquality.metrics import nrq_paper, ulpips_paper
from sonoquality.metrics.organ_model import OrganModel, load_organ_model
from sonoquality.preprocess import scan_mask, working_image

WHITE = 255.0


class NrqMode(StrEnum):
    """How NRQ is computed."""

    PAPER = "paper"


class UlpipsMode(StrEnum):
    """How uLPIPS is computed."""

    PAPER = "paper"
    ROBUST = "robust"


Images = Annotated[list[Path], typer.Argument(help=f"{KINDS}.")]
Picture = Annotated[Path, typer.Argument(help=f"{KINDS}.")]
Weights = Annotated[Path, typer.Option(help="TinyUSFM.pth as published, or a trained encoder.")]
Manifolds = Annotated[
    list[Path],
    typer.Option("--manifold", help="Organ model (.npz) or a folder of them; may be repeated."),
]
Organ = Annotated[
    str | None, typer.Option(help="Name of one organ model; unknown, all weigh the same.")
]
Frame = Annotated[int | None, typer.Option(help="Of a file with several, counted from 0.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Map = Annotated[
    Path | None, typer.Option("--map", help="Write where they differ as PNG (robust mode only).")
]


def nrq(
    images: Images,
    *,
    weights: Weights,
    manifold: Manifolds,
    mode: NrqMode = NrqMode.PAPER,
    organ: Organ = None,
    frame: Frame = None,
    as_json: Json = False,
) -> None:
    """Print how far pictures lie from clean ones; the raw number as released, higher is better."""
    organs = _organ_models(manifold)
    encode = load_encode(weights)
    for path in images:
        found = nrq_paper.score(read_luma(path, frame), encode, organs)
        line = {
            "path": str(path),
            "mode": mode.value,
            "nrq": found.of(organ),
            "organ": organ or "mixture",
            "organs": dict(found.organs),
            "n_windows": found.n_windows,
        }
        print(json.dumps(line) if as_json else f"{line['nrq']:.6f}  {path}")


def _organ_models(paths: list[Path]) -> dict[str, OrganModel]:
    """Load organ models by the names of their files; a folder stands for all in it."""
    files = [file for path in paths for file in _files(path)]
    names = [file.stem for file in files]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ManifoldError(f"Two organ models are called {', '.join(twice)}; rename one.")
    return {file.stem: load_organ_model(file) for file in files}


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(path.glob("*.npz"))
    if not files:
        raise ManifoldError(f"{path} holds no organ model (.npz).")
    return files


def ulpips(
    reference: Picture,
    other: Picture,
    *,
    weights: Weights,
    mode: UlpipsMode = UlpipsMode.ROBUST,
    map_: Map = None,
    frame: Frame = None,
    as_json: Json = False,
) -> None:
    """Print the distance of two pictures; 0 for identical ones, lower is more similar."""
    if map_ is not None and mode is UlpipsMode.PAPER:
        raise typer.BadParameter("Only `robust` mode knows where pictures differ.")
    pair = read_luma(reference, frame), read_luma(other, frame)
    if mode is UlpipsMode.PAPER:
        distance = ulpips_paper.score(*pair, load_encode(weights))
    else:
        distance, found = _robust(*pair, load_weights(weights))
        if map_ is not None:
            _picture(found).save(map_)
    line = {"reference": str(reference), "other": str(other), "mode": mode.value}
    print(json.dumps({**line, "ulpips": distance}) if as_json else f"{distance:.6f}")


def _robust(reference: Luma, other: Luma, model: Any) -> tuple[float, Floats]:
    """Return the distance and the map (height, width) within the scan, at working scale."""
    if reference.shape != other.shape:
        raise SizesDifferError(
            f"The pictures are {reference.shape} and {other.shape} (height, width): `robust` mode "
            "compares the same windows of both. Resample one, or use --mode paper."
        )
    torch = room("torch")
    scan = scan_mask(reference) | scan_mask(other)
    works = [working_image(each, scan) for each in (reference, other)]
    width, height = works[0].size
    pictures = [
        torch.from_numpy(np.ascontiguousarray(work.image[:height, :width]))[None, None]
        for work in works
    ]
    mask = torch.from_numpy(works[0].mask[:height, :width].astype(np.float32))[None, None]
    found = room("sonoquality.networks.ulpips").Ulpips(model).compare(*pictures, mask)
    return float(found.distance[0]), found.map[0].numpy().astype(np.float64)


def _picture(map_: Floats) -> Image.Image:
    """Return a map as grey, white where the pictures differ most."""
    scaled = map_ / max(float(map_.max()), 1e-12) * WHITE
    return Image.fromarray(np.rint(scaled).astype(np.uint8))
