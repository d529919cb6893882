"""The command line of the quality models: fit, score, evaluate, golden."""

import json
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image
from rich.progress import Progress, TaskID

from sonoquality.golden import differences
from sonoquality.model import QualityModel
from sonoquality.preprocess import luma_of, scan_mask
from sonoquality.zoo import default_zoo

SHIPPED = Path("dct-manifold") / "1.0.0"

Data = Annotated[Path, typer.Option(help="Folder with INDEX.csv and the images.")]
Out = Annotated[Path, typer.Option(help="Folder to write to: the zoo, or that of the results.")]
Entry = Annotated[Path | None, typer.Option(help="Zoo entry; the shipped one by default.")]

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Ultrasound quality models.")


class _Bars:
    """One progress bar per kind of work, made when the work begins."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, work: str, done: int, total: int) -> None:
        if work not in self._tasks:
            self._tasks[work] = self._progress.add_task(work, total=total)
        self._progress.update(self._tasks[work], completed=done)


@app.command()
def fit(
    data: Data,
    out: Out,
) -> None:
    """Fit the manifold on the training split and write its zoo entry."""
    training = import_module("sonoquality.training.fit")
    with Progress() as progress:
        entry = training.fit(data, out, _Bars(progress))
    print(entry)


@app.command()
def score(
    images: list[Path],
    entry: Entry = None,
) -> None:
    """Score pictures; one JSON line each."""
    model = QualityModel.load(entry or default_zoo() / SHIPPED)
    for path in images:
        luma = luma_of(np.asarray(Image.open(path).convert("RGB")))
        found = model.score(luma[None], scan_mask(luma))[0]
        line = {"path": str(path), "quality": round(found.quality, 2), "uncertain": found.uncertain}
        print(json.dumps({**line, "scores": dict(found.scores)}))


@app.command()
def golden(
    entry: Entry = None,
) -> None:
    """Compare a model with its golden scores."""
    folder = entry or default_zoo() / SHIPPED
    lines = differences(QualityModel.load(folder), folder)
    print("\n".join(lines) or "as golden")
    raise typer.Exit(code=1 if lines else 0)


@app.command()
def evaluate(
    data: Data,
    out: Out,
    entry: Entry = None,
) -> None:
    """Evaluate a model on validation ladders and on the graded evaluation set."""
    evaluation = import_module("sonoquality.evaluation")
    with Progress() as progress:
        evaluation.evaluate(data, out, entry or default_zoo() / SHIPPED, _Bars(progress))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    app(args=list(arguments) if arguments is not None else sys.argv[1:])


if __name__ == "__main__":
    main()
