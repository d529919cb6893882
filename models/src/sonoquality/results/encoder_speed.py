"""The section on the exported encoder: size, nearness to torch, and time beside `tinyusfm`."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from sonoquality.arrays import Floats
from sonoquality.exported import ExportRecord

SPEED_CSV = "encoder-speed.csv"
EXPORT_CSV = "encoder-export.csv"
BARE = "tinyusfm"
LARGEST_MB = 8.0
#: Time per window beside the bare profile in fp32, at most.
ASKED = {"fp32": 0.42, "int8": 0.30}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """One timing."""

    network: str
    precision: str
    threads: int
    repeat: int
    milliseconds: float  #: per window


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """How near one way of writing a precision comes to torch at one tap."""

    encoder: str  #: first digits of the fp32 weights' identity
    precision: str
    way: str
    kept: bool
    n_bytes: int  #: of the graph that was kept
    tap: int
    difference: float  #: in parts of the tap's spread over windows
    n_calibration_windows: int


def near_of(record: ExportRecord) -> list[Near]:
    """Lay out an export's record as rows."""
    return [
        Near(
            encoder=record.encoder_sha256[:16],
            precision=precision,
            way=way,
            kept=way == graph.kept,
            n_bytes=graph.n_bytes,
            tap=tap,
            difference=difference,
            n_calibration_windows=record.n_calibration_windows,
        )
        for precision, graph in record.graphs.items()
        for way, differences in graph.differences.items()
        for tap, difference in zip(record.taps, differences, strict=True)
    ]


def write_csvs(folder: Path, timed: Sequence[Timed], near: Sequence[Near]) -> None:
    """Keep timings and differences."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / SPEED_CSV, Timed, map(asdict, timed))
    _write(folder / EXPORT_CSV, Near, map(asdict, near))


def _write(path: Path, row: type, rows: Iterable[dict[str, object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, [field.name for field in fields(row)])
        table.writeheader()
        table.writerows(rows)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_csvs(folder: Path) -> tuple[list[Timed], list[Near]]:
    """Read what `write_csvs` kept.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    timed = [
        Timed(
            network=row["network"],
            precision=row["precision"],
            threads=int(row["threads"]),
            repeat=int(row["repeat"]),
            milliseconds=float(row["milliseconds"]),
        )
        for row in _rows(folder / SPEED_CSV)
    ]
    near = [
        Near(
            encoder=row["encoder"],
            precision=row["precision"],
            way=row["way"],
            kept=row["kept"] == "True",
            n_bytes=int(row["n_bytes"]),
            tap=int(row["tap"]),
            difference=float(row["difference"]),
            n_calibration_windows=int(row["n_calibration_windows"]),
        )
        for row in _rows(folder / EXPORT_CSV)
    ]
    return timed, near


def section(folder: Path) -> str:
    """Say what the exported encoder weighs, how near it comes, and how long it takes."""
    timed, near = read_csvs(folder)
    windows = max(row.n_calibration_windows for row in near)
    return f"""## The encoder as exported

Encoder {near[0].encoder} (SHA-256 of its fp32 weights). The difference is the mean distance of the
pooled features from those of torch, in parts of their spread over windows, at the tap where it is
largest, on windows that 8-bit ranges were not found on (those came from {windows} windows, half of
them grossly spoiled).

{_near_table(near)}

Ranges found anew in every batch (dynamic) would let a window's score depend on its companions;
they are kept only if clearly nearer. The stem stays in fp32.

Time per window beside the bare `{BARE}` profile in fp32, written in the same way, in the same run,
all graphs in turn, the shortest of three calls; the ratio is the median over rounds, with its
quartiles.

{_time_table(timed)}

Measured by `make encoder-speed`; every number: `csv/{EXPORT_CSV}`, `csv/{SPEED_CSV}`."""


def _near_table(near: Sequence[Near]) -> str:
    lines = ["| precision | way | MB | largest difference |", "| --- | --- | --- | --- |"]
    for precision, way in dict.fromkeys((row.precision, row.way) for row in near):
        own = [row for row in near if (row.precision, row.way) == (precision, way)]
        size = own[0].n_bytes / 1e6
        told = f"{size:.2f}" + ("" if size <= LARGEST_MB else f" (**over {LARGEST_MB}**)")
        cells = [precision, way, told if own[0].kept else "not kept"]
        lines.append(f"| {' | '.join(cells)} | {max(r.difference for r in own):.1e} |")
    return "\n".join(lines)


def _time_table(timed: Sequence[Timed]) -> str:
    lines = [
        "| threads | encoder | ms per window | ratio | asked |",
        "| --- | --- | --- | --- | --- |",
    ]
    for threads in sorted({row.threads for row in timed}):
        own = [row for row in timed if row.threads == threads]
        bare = np.array([row.milliseconds for row in own if row.network == BARE])
        for network, precision in dict.fromkeys((row.network, row.precision) for row in own):
            times = np.array(
                [
                    row.milliseconds
                    for row in own
                    if (row.network, row.precision) == (network, precision)
                ]
            )
            lines.append(_time_line(threads, f"{network} {precision}", times, bare))
    return "\n".join(lines)


def _time_line(threads: int, name: str, times: Floats, bare: Floats) -> str:
    low, ratio, high = np.quantile(times / bare, [0.25, 0.5, 0.75])
    asked = None if name.startswith(BARE) else ASKED.get(name.rpartition(" ")[2])
    verdict = "" if asked is None else f"≤ {asked}: {'reached' if ratio <= asked else '**missed**'}"
    cells = [str(threads), name, f"{np.median(times):.1f}", f"{ratio:.3f} [{low:.3f}, {high:.3f}]"]
    return f"| {' | '.join([*cells, verdict])} |"
