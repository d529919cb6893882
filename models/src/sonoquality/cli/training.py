"""Commands that train; they need the [train] extra."""

from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sonoquality.cli.encoders import load_weights, room
from sonoquality.cli.options import Bars, Data, Weights

app = typer.Typer(no_args_is_help=True, help="Train networks.")

Config = Annotated[Path, typer.Option(help="TOML file of the run; see models/recipes.")]
Run = Annotated[Path, typer.Option(help="Folder of the run; a run begun there goes on.")]
Bank = Annotated[
    Path | None, typer.Option(help="Folder of the degraded images; in the run's by default.")
]
Earlier = Annotated[
    Path | None, typer.Option(help="Folder of a finished run whose weights to begin with.")
]
Pictures = Annotated[
    Path | None, typer.Option("--data", help="Folder with INDEX.csv; phantoms by default.")
]


class OrganName(StrEnum):
    """Organs whose outlines the collection has for training and validation."""

    LIVER = "liver"
    FETAL_HEAD = "fetal_head"
    OVARY = "ovary"


Organ = Annotated[OrganName, typer.Option(help="Whose outline.")]


@app.callback()
def train() -> None:
    """Train what the quality models are made of."""


@app.command()
def encoder(
    config: Config, data: Data, out: Run, bank: Bank = None, goes_on_from: Earlier = None
) -> None:
    """Train an encoder; the same command goes on after an interruption."""
    loop = import_module("sonoquality.training.encoder.loop")
    configs = import_module("sonoquality.training.encoder.config")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn()) as progress:
        recipe, bars = configs.read_config(config), Bars(progress)
        print(loop.train(recipe, data, out, bars, bank, goes_on_from=goes_on_from))


@app.command()
def ablations(config: Config, data: Data, out: Run, bank: Bank = None) -> None:
    """Train short encoders alike but for one loss or one source; finished ones are passed over."""
    runs = room("sonoquality.training.encoder.ablations")
    configs = import_module("sonoquality.training.encoder.config")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn()) as progress:
        recipe = configs.read_config(config)
        runs.train_all(recipe, data, out, bank or out / "bank", Bars(progress))


@app.command()
def ranker(
    config: Config,
    encoder: Annotated[Path, typer.Option(help="Folder of `sonoquality export encoder`.")],
    data: Data,
    out: Run,
    bank: Bank = None,
) -> None:
    """Teach the ranking among the experts of the robust NRQ, and one without each source."""
    ranking = room("sonoquality.training.ranking")
    ranker = room("sonoquality.training.ranker")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn()) as progress:
        recipe, folders = ranker.read_config(config), (out, bank or out / "bank")
        features = room("sonoquality.training.fit_experts").exported_encoder(encoder)
        print(ranking.run(recipe, features, data, folders, Bars(progress)))


@app.command()
def segmentation(organ: Organ, config: Config, data: Data, out: Run) -> None:
    """Train a network that outlines an organ; uLPIPS is held against what faults do to it."""
    loop = room("sonoquality.training.segmentation.loop")
    configs = import_module("sonoquality.training.segmentation.config")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn()) as progress:
        recipe = configs.read_config(config)
        print(loop.train(recipe, organ.value, data, out, Bars(progress)))


@app.command()
def restoration(
    config: Config, out: Run, *, weights: Weights = None, data: Pictures = None
) -> None:
    """Train networks that enlarge pictures by L1, SSIM and uLPIPS, as an example of a loss."""
    loop = room("sonoquality.training.restoration.loop")
    configs = import_module("sonoquality.training.restoration.config")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn()) as progress:
        recipe = configs.read_config(config)
        print(loop.train(recipe, load_weights(weights), data, out, Bars(progress)))


@app.command()
def traces(config: Config, data: Data, out: Run) -> None:
    """Train the net that tells spectra and M-mode traces from B-mode."""
    loop = room("sonoquality.training.traces.loop")
    configs = import_module("sonoquality.training.traces.config")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn()) as progress:
        print(loop.train(configs.read_config(config), data, out, Bars(progress)))


@app.command()
def mllm(
    config: Config,
    data: Data,
    out: Run,
    *,
    folds: Annotated[int, typer.Option(min=2, help="How many folds there are.")] = 4,
    fold: Annotated[
        int | None,
        typer.Option(min=0, help="The fold it is to judge; by default it learns from all rows."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Instead of the recipe's; another member of a committee.")
    ] = None,
) -> None:
    """Train a small multimodal language model that answers questions about clean pictures."""
    loop = room("sonoquality.training.mllm.loop")
    configs = import_module("sonoquality.training.mllm.config")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn()) as progress:
        recipe = configs.read_config(config)
        if seed is not None:
            recipe = recipe.model_copy(update={"seed": seed})
        print(loop.train(recipe, data, out, (folds, fold), Bars(progress)))
