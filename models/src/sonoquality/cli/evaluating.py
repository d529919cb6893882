"""Commands that measure how honest a model is."""

from importlib import import_module

import typer
from rich.progress import Progress

from sonoquality.cli.options import SHIPPED, Bars, Data, Entry, Out
from sonoquality.zoo import default_zoo

app = typer.Typer(no_args_is_help=True, help="Measure models; each writes a page of docs/results.")


@app.command()
def model(
    data: Data,
    out: Out,
    entry: Entry = None,
) -> None:
    """Evaluate a zoo entry on validation ladders and on the graded evaluation set."""
    evaluation = import_module("sonoquality.evaluation")
    with Progress() as progress:
        evaluation.evaluate(data, out, entry or default_zoo() / SHIPPED, Bars(progress))
