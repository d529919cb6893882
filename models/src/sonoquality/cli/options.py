"""Options that several commands share, and the bars they draw."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, TaskID

Data = Annotated[Path, typer.Option(help="Folder with INDEX.csv and the images.")]
Out = Annotated[Path, typer.Option(help="Folder to write to: the zoo, or that of the results.")]
Weights = Annotated[
    Path | None,
    typer.Option(
        help="Encoder of uLPIPS: TinyUSFM.pth, a trained one, or an entry of the zoo; by default "
        "the shipped one, its weights in half precision."
    ),
]
Entry = Annotated[Path | None, typer.Option(help="Zoo entry; the shipped one by default.")]


class Bars:
    """One progress bar per kind of work, made when the work begins."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, work: str, done: int, total: int) -> None:
        """Show that `done` of `total` of a kind of work are done."""
        if work not in self._tasks:
            self._tasks[work] = self._progress.add_task(work, total=total)
        self._progress.update(self._tasks[work], completed=done)
