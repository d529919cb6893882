"""The command line of the quality models; one file per group of commands.

A new command is a plain function with typed options in the file of its group, and its line in
`COMMANDS` or `GROUPS` below. Rooms that need torch are imported inside a command, never above it.
"""

import sys
from collections.abc import Sequence

import typer

from sonoquality.arrays import ShapeError
from sonoquality.card import ModelCardError
from sonoquality.cli import (
    benching,
    comparing,
    degrading,
    evaluating,
    exporting,
    fitting,
    labelling,
    measuring,
    scoring,
    training,
    trying,
)
from sonoquality.errors import QualityError

COMMANDS = (
    measuring.nrq,
    measuring.ulpips,
    scoring.score,
    scoring.golden,
    comparing.baselines,
    degrading.degrade,
    fitting.fit,
    comparing.fit_niqe,
)
GROUPS = (
    ("evaluate", evaluating.app),
    ("export", exporting.app),
    ("medqm", labelling.app),
    ("qbench", benching.app),
    ("train", training.app),
    ("try", trying.app),
)

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Ultrasound quality models.")
for _command in COMMANDS:
    app.command()(_command)
for _name, _group in GROUPS:
    app.add_typer(_group, name=_name)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; what a person can put right is said in a line, not in a traceback."""
    try:
        app(args=list(arguments) if arguments is not None else sys.argv[1:])
    except (QualityError, ShapeError, ModelCardError) as error:
        print(f"sonoquality: {error}", file=sys.stderr)
        raise SystemExit(1) from error
