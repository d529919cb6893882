"""Commands that print one metric of a picture, or of two."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from PIL import Image

from sonoquality.arrays import Floats, Luma
from sonoquality.cli.encoders import encode_of, load_encode, load_weights, room, said_of
from sonoquality.cli.options import Entry, Weights
from sonoquality.errors import ManifoldError, SizesDifferError
from sonoquality.images import KINDS, read_luma
from sonoquality.metrics import nrq_paper, ulpips_paper
from sonoquality.metrics.organ_model import OrganModel, load_organ_model
from sonoquality.model import QualityModel
from sonoquality.pooling import worst_box
from sonoquality.preprocess import scan_mask, working_image
from sonoquality.zoo import SHIPPED, default_zoo

WHITE = 255.0


class NrqMode(StrEnum):
    """How NRQ is computed."""

    PAPER = "paper"
    ROBUST = "robust"


class UlpipsMode(StrEnum):
    """How uLPIPS is computed."""

    PAPER = "paper"
    ROBUST = "robust"


Images = Annotated[list[Path], typer.Argument(help=f"{KINDS}.")]
Picture = Annotated[Path, typer.Argument(help=f"{KINDS}.")]
Manifolds = Annotated[
    list[Path],
    typer.Option(
        "--manifold", help="Of paper mode: organ model (.npz) or a folder of them; may be repeated."
    ),
]
Organ = Annotated[
    str | None, typer.Option(help="What the pictures show; unknown, what is likely counts.")
]
PaperWeights = Annotated[
    Path | None, typer.Option(help="Of paper mode: TinyUSFM.pth as published, or an encoder.")
]
Frame = Annotated[int | None, typer.Option(help="Of a file with several, counted from 0.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Map = Annotated[
    Path | None,
    typer.Option("--map", help="Write a map as PNG, white is worst (robust mode)."),
]


def nrq(
    images: Images,
    *,
    mode: NrqMode = NrqMode.ROBUST,
    weights: PaperWeights = None,
    manifold: Manifolds = [],  # noqa: B006 - typer copies it
    entry: Entry = None,
    organ: Organ = None,
    frame: Frame = None,
    map_: Map = None,
    as_json: Json = False,
) -> None:
    """Print how far pictures lie from clean ones; higher is better.

    `robust`: 0 to 100 by an entry of the zoo. `paper`: the raw number of the released program.
    """
    score = _by_paper if mode is NrqMode.PAPER else _by_entry
    say = score(_Asked(weights=weights, manifold=manifold, entry=entry, organ=organ, map_=map_))
    for path in images:
        line = {"path": str(path), "mode": mode.value, **say(read_luma(path, frame))}
        print(json.dumps(line) if as_json else f"{line['nrq']:.6g}  {path}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    weights: Path | None
    manifold: list[Path]
    entry: Path | None
    organ: str | None
    map_: Path | None


def _by_paper(asked: _Asked) -> Callable[[Luma], dict[str, Any]]:
    if asked.weights is None or not asked.manifold:
        raise typer.BadParameter("--mode paper needs --weights FILE and --manifold FILE.")
    if asked.entry is not None or asked.map_ is not None:
        raise typer.BadParameter("--entry and --map belong to --mode robust.")
    organs = _organ_models(asked.manifold)
    encode = load_encode(asked.weights)

    def say(luma: Luma) -> dict[str, Any]:
        found = nrq_paper.score(luma, encode, organs)
        return {
            "nrq": found.of(asked.organ),
            "organ": asked.organ or "mixture",
            "organs": dict(found.organs),
            "n_windows": found.n_windows,
        }

    return say


def _by_entry(asked: _Asked) -> Callable[[Luma], dict[str, Any]]:
    if asked.weights is not None or asked.manifold:
        raise typer.BadParameter("--weights and --manifold belong to --mode paper; give --entry.")
    model = QualityModel.load(asked.entry or default_zoo() / SHIPPED, organ=asked.organ)

    def say(luma: Luma) -> dict[str, Any]:
        scan = scan_mask(luma)
        found = model.score(luma[None], scan)[0]
        if asked.map_ is not None:
            _picture(found.heat.astype(np.float64)).save(asked.map_)
        return {
            "nrq": round(found.quality, 3),
            "raw": found.scores[model.card.scale.name],
            "p_clean": round(found.clean_share, 4),
            "organ": asked.organ or max(found.organs, key=found.organs.__getitem__, default=None),
            "organs": {name: round(chance, 4) for name, chance in found.organs.items()},
            "n_windows": int(found.scores["windows"]),
            "localised": found.scores["windows"] > 1,
            "worst_box": worst_box(found.heat, scan),
            "uncertain": found.uncertain,
        }

    return say


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
    weights: Weights = None,
    mode: UlpipsMode = UlpipsMode.ROBUST,
    map_: Map = None,
    frame: Frame = None,
    as_json: Json = False,
) -> None:
    """Print the distance of two pictures; 0 for identical ones, lower is more similar.

    Distances compare only under one encoder: which it was is told beside them.
    """
    if weights is None and mode is UlpipsMode.PAPER:
        raise typer.BadParameter("--mode paper needs --weights FILE, the authors' TinyUSFM.pth.")
    if map_ is not None and mode is UlpipsMode.PAPER:
        raise typer.BadParameter("Only `robust` mode knows where pictures differ.")
    pair = read_luma(reference, frame), read_luma(other, frame)
    encoder = load_weights(weights)
    if mode is UlpipsMode.PAPER:
        distance = ulpips_paper.score(*pair, encode_of(encoder))
    else:
        distance, found = _robust(*pair, encoder)
        if map_ is not None:
            _picture(found).save(map_)
    line = {"reference": str(reference), "other": str(other), "mode": mode.value}
    if as_json:
        print(json.dumps({**line, "ulpips": distance, "encoder": said_of(encoder)}))
    else:
        print(f"encoder: {encoder.title}", file=sys.stderr)
        print(f"{distance:.6f}")


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
