"""Commands that write graphs; they need the [train] extra."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from sonoquality.cli.encoders import load_weights, room
from sonoquality.cli.options import Bars, Data
from sonoquality.errors import WeightsError
from sonoquality.exported import PRECISIONS

app = typer.Typer(no_args_is_help=True, help="Write graphs that need no torch.")

Encoder = Annotated[Path, typer.Option(help="Folder of `sonoquality train encoder`, or an entry.")]
Out = Annotated[Path, typer.Option(help="Folder to write graphs and record to.")]
Precision = Annotated[
    list[str], typer.Option("--precision", help=f"{', '.join(PRECISIONS)}; may be repeated.")
]
Pictures = Annotated[
    Path | None, typer.Option("--data", help="INDEX.csv's folder; 8-bit ranges are found there.")
]


@app.callback()
def export() -> None:
    """Write graphs that need no torch."""


@app.command()
def encoder(
    encoder: Encoder,
    out: Out,
    *,
    precision: Precision = ["fp32"],  # noqa: B006 - typer copies it
    data: Pictures = None,
) -> None:
    """Export a trained encoder as ONNX, with how near each precision comes to torch."""
    _check(precision, data)
    load_weights(encoder)
    folder = room("sonoquality.export.folder")
    record = folder.export_encoder(encoder, out, precision, _samples(folder, data))
    for name, graph in record.graphs.items():
        worst = max(graph.differences[graph.kept])
        print(f"{name}: {graph.n_bytes / 1e6:.2f} MB, {graph.kept}, difference {worst:.1e}")
    if record.read_back_sha256:
        print(
            f"Written from weights that were read back from a graph of {record.encoder_sha256}, "
            "from which differences are told; without heads, so for no fit."
        )


@app.command()
def traces(
    run: Annotated[Path, typer.Option(help="Folder of `sonoquality train traces`.")],
    data: Data,
    out: Annotated[Path, typer.Option(help="The zoo.")],
) -> None:
    """Write the net that tells traces as an entry of the zoo, and how sure it must be."""
    entry = room("sonoquality.training.traces.entry")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns) as progress:
        print(entry.write_entry(run, data, out, Bars(progress)))


def _check(precisions: list[str], data: Path | None) -> None:
    for precision in precisions:
        if precision not in PRECISIONS:
            raise typer.BadParameter(f"Precisions are {', '.join(PRECISIONS)}.")
    if "int8" in precisions and data is None:
        raise WeightsError("8-bit ranges are found on images: give their folder by --data.")


def _samples(folder: Any, data: Path | None) -> Any:
    """Return windows of the training split, or of phantoms where there is no collection."""
    if data is None:
        pairs = list(folder.phantom_windows().values())
        pixels, masks = (np.concatenate([pair[k] for pair in pairs]) for k in range(2))
        return folder.Samples(calibration=None, comparison=(pixels, masks))
    rows = room("sonoquality.training.data")
    windows = room("sonoquality.training.calibration_windows")
    calibration, other = windows.two_samples(rows.training_rows(rows.read_index(data)))
    return folder.Samples(calibration=calibration, comparison=(other.pixels, other.masks))
