"""Commands that fit what ships, and a site's own."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from sonoquality.cli.encoders import room
from sonoquality.cli.options import Bars, Out
from sonoquality.exported import PRECISIONS
from sonoquality.images import KINDS, read_luma

Data = Annotated[
    Path | None, typer.Option(help="Folder with INDEX.csv and the images: fits what ships.")
]
Encoder = Annotated[
    Path | None,
    typer.Option(
        help="With --data a folder of `sonoquality export encoder`, with --images a zoo entry of "
        "experts. None: the DCT manifold is fitted."
    ),
]
Images = Annotated[Path | None, typer.Option(help=f"Folder of a site's own clean images: {KINDS}.")]
Organ = Annotated[str, typer.Option(help="What the site's images show; names the new entry.")]
Recipe = Annotated[
    Path | None, typer.Option(help="TOML of the experts, with --data; see models/recipes.")
]
Ranker = Annotated[
    Path | None, typer.Option(help="Folder of `sonoquality train ranker`, for the expert `rank`.")
]
Precision = Annotated[str, typer.Option(help=f"Of the graph that ships: {', '.join(PRECISIONS)}.")]


def fit(
    out: Out,
    *,
    data: Data = None,
    encoder: Encoder = None,
    images: Images = None,
    organ: Organ = "",
    recipe: Recipe = None,
    ranker: Ranker = None,
    precision: Precision = "fp32",
) -> None:
    """Fit on clean images and write a zoo entry.

    With --data the training split is fitted, which needs the [train] extra; with --images a
    site's own folder, which needs an entry of experts and no more.
    """
    with Progress() as progress:
        bars = Bars(progress)
        if images is not None:
            entry = _site(images, encoder, organ, out, bars)
        elif data is None:
            raise typer.BadParameter("Give --data or --images.")
        elif encoder is None:
            entry = room("sonoquality.training.fit").fit(data, out, bars)
        else:
            entry = _shipped(encoder, data, out, (recipe, precision, ranker), bars)
    print(entry)


def _shipped(
    encoder: Path, data: Path, out: Path, by: tuple[Path | None, str, Path | None], bars: Bars
) -> Path:
    experts = import_module("sonoquality.training.experts")
    if by[1] not in PRECISIONS:
        raise typer.BadParameter(f"Precisions are {', '.join(PRECISIONS)}.")
    try:
        recipe = experts.ExpertsRecipe() if by[0] is None else experts.read_recipe(by[0])
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{by[0]}: {error}") from error
    fitting = room("sonoquality.training.fit_experts")
    rankings = None
    if by[2] is not None:
        rankings = import_module("sonoquality.training.rankings").Rankings.load(by[2])
    entry: Path = fitting.fit(
        encoder, data, out, progress=bars, recipe=recipe, precision=by[1], rankings=rankings
    )
    return entry


def _site(images: Path, encoder: Path | None, organ: str, out: Path, bars: Bars) -> Path:
    if encoder is None or not organ.replace("-", "").isalnum():
        raise typer.BadParameter("With --images give --encoder ENTRY and --organ NAME.")
    site = import_module("sonoquality.training.site")
    paths = [path for path in images.rglob("*") if path.is_file()]
    pictures = site.pictures_of(paths, read_luma)
    if len(pictures) < site.ADVISED:
        print(
            f"sonoquality: {len(pictures)} images; {site.ADVISED} or more are advised, with fewer "
            "the scale is uncertain.",
            file=sys.stderr,
        )
    entry: Path = site.fit(encoder, pictures, organ, out, bars)
    return entry
