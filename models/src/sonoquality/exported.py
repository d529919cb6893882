"""A folder of an exported encoder: graphs by precision, a record, and what torch says of phantoms.

Read without torch: fits and golden scores are made from it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonoquality.errors import WeightsError
from sonoquality.metrics.reader import Reader

RECORD_FILE = "encoder.json"
READER_FILE = "reader.npz"
PHANTOM_FILE = "phantom-features.npz"
PRECISIONS = ("fp32", "fp16", "int8")


def graph_file(precision: str) -> str:
    """Return the name of the graph of a precision."""
    return f"encoder-{precision}.onnx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One graph, and how far its pooled taps lie from those of torch."""

    sha256: str
    n_bytes: int
    kept: str  #: how it was made, of the ways that were tried
    differences: Mapping[str, tuple[float, ...]]  #: by way: of each tap, in parts of its spread


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRecord:
    """What an exported encoder is."""

    profile: str
    taps: tuple[int, ...]  #: blocks, counted from 1
    width: int
    encoder_sha256: str  #: identity of the fp32 weights, whatever the precision of a file
    graphs: Mapping[str, Written]  #: by precision
    #: Of the weights themselves, where they were read back from a graph; else none.
    read_back_sha256: str = ""
    n_calibration_windows: int = 0
    calibration_images: tuple[str, ...] = field(default=())  #: SHA-256 of each


def write_record(folder: Path, record: ExportRecord) -> None:
    """Write the record beside the graphs."""
    (folder / RECORD_FILE).write_text(json.dumps(asdict(record), indent=1) + "\n", "utf-8")


def read_record(folder: Path) -> ExportRecord:
    """Read the record of an exported encoder.

    Raises:
        WeightsError: the folder holds none.
    """
    try:
        table = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
        graphs = {
            name: Written(
                sha256=row["sha256"],
                n_bytes=row["n_bytes"],
                kept=row["kept"],
                differences={way: tuple(taps) for way, taps in row["differences"].items()},
            )
            for name, row in table.pop("graphs").items()
        }
        table["taps"], table["calibration_images"] = map(
            tuple, (table["taps"], table["calibration_images"])
        )
        return ExportRecord(graphs=graphs, **table)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{folder} holds no exported encoder ({error!r}); run sonoquality export encoder."
        ) from error


def read_reader(folder: Path) -> Reader | None:
    """Return what the encoder's heads read; None if it has none."""
    path = folder / READER_FILE
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as file:
        return Reader.from_arrays({key: file[key] for key in file.files})


def phantom_features(folder: Path) -> Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Return what torch says of each golden phantom's windows.

    Returns:
        By phantom: tokens of each tap pooled (n, tap, width), and tokens of the last (n, 14, 14,
        width).
    """
    with np.load(folder / PHANTOM_FILE, allow_pickle=False) as file:
        names = sorted({key.removesuffix("_taps") for key in file.files if key.endswith("_taps")})
        return {name: (file[f"{name}_taps"], file[f"{name}_tokens"]) for name in names}
