"""Commands that fit what ships."""

from importlib import import_module

from rich.progress import Progress

from sonoquality.cli.options import Bars, Data, Out


def fit(
    data: Data,
    out: Out,
) -> None:
    """Fit the manifold on the training split and write its zoo entry."""
    training = import_module("sonoquality.training.fit")
    with Progress() as progress:
        entry = training.fit(data, out, Bars(progress))
    print(entry)
