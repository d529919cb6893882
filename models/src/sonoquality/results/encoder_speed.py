"""The section on the exported encoder: size, nearness to torch, time and memory by `tinyusfm`."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from sonoquality.arrays import Floats
from sonoquality.exported import ExportRecord
from sonoquality.results.tables import markdown
from sonoquality.zoo import SHIPPED

SPEED_CSV = "encoder-speed.csv"
MEMORY_CSV = "encoder-memory.csv"
EXPORT_CSV = "encoder-export.csv"
BARE = "tinyusfm"
#: Instead of an entry's precision: its graph as it ships, and all that is done after reading.
SHIPS, WHOLE = "graph", "whole"
JUDGED = 4  #: windows that go through at once where the time per window is held to a bar
LARGEST_MB = 8.0
#: Time per window beside the bare profile in fp32, at most.
ASKED = {"fp32": 0.42, "int8": 0.30}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """One timing."""

    network: str
    precision: str
    threads: int
    windows: int  #: of the image; they go through at once
    repeat: int
    milliseconds: float  #: for the image


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The most memory that a fresh process ever held."""

    network: str
    precision: str
    threads: int
    windows: int  #: of the images
    megabytes: float  #: resident, the libraries among them


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
    read_back: bool = False  #: torch had the weights of a graph, rounded to half precision


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
            read_back=bool(record.read_back_sha256),
        )
        for precision, graph in record.graphs.items()
        for way, differences in graph.differences.items()
        for tap, difference in zip(record.taps, differences, strict=True)
    ]


def write_csvs(
    folder: Path, timed: Sequence[Timed], held: Sequence[Held], near: Sequence[Near]
) -> None:
    """Keep timings, memory and differences."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / SPEED_CSV, Timed, map(asdict, timed))
    _write(folder / MEMORY_CSV, Held, map(asdict, held))
    _write(folder / EXPORT_CSV, Near, map(asdict, near))


def _write(path: Path, row: type, rows: Iterable[dict[str, object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, [field.name for field in fields(row)])
        table.writeheader()
        table.writerows(rows)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_csvs(folder: Path) -> tuple[list[Timed], list[Held], list[Near]]:
    """Read what `write_csvs` kept.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    timed = [
        Timed(
            network=row["network"],
            precision=row["precision"],
            threads=int(row["threads"]),
            windows=int(row["windows"]),
            repeat=int(row["repeat"]),
            milliseconds=float(row["milliseconds"]),
        )
        for row in _rows(folder / SPEED_CSV)
    ]
    held = [
        Held(
            network=row["network"],
            precision=row["precision"],
            threads=int(row["threads"]),
            windows=int(row["windows"]),
            megabytes=float(row["megabytes"]),
        )
        for row in _rows(folder / MEMORY_CSV)
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
            read_back=row.get("read_back") == "True",  # tables of before have no such column
        )
        for row in _rows(folder / EXPORT_CSV)
    ]
    return timed, held, near


def section(folder: Path) -> str:
    """Say what the exported encoder weighs, how near it comes, and how long it takes."""
    timed, held, near = read_csvs(folder)
    windows = max(row.n_calibration_windows for row in near)
    return f"""## The encoder as exported

Encoder {near[0].encoder} (SHA-256 of its fp32 weights). The difference is the mean distance of the
pooled features from those of torch, in parts of their spread over windows, at the tap where it is
largest, on windows that 8-bit ranges were not found on (those came from {windows} windows, half of
them grossly spoiled).

{_near_table(near)}
{_of_rounded(near)}
Ranges found anew in every batch (dynamic) would let a window's score depend on its companions;
they are kept only if clearly nearer. The stem stays in fp32.
{_of_another(timed)}
Time per window beside the bare `{BARE}` profile in fp32, written in the same way, in the same run,
all graphs in turn, the shortest of three calls, {JUDGED} windows at once; the ratio is the median
over rounds, with its quartiles. Asked on one core.

{_window_table(timed)}

Time per image of so many windows, all at once, in ms: median over rounds. `{SHIPS}` is the entry's
one run, densities and ranking included; `{WHOLE}` is all that the model does with an image that was
read: scan at working scale, windows, graph, pooling, heat map.

{_image_table(timed)}

The most memory that a fresh process held (resident, MB) while it loaded one graph and ran
{held[0].windows} windows at once three times. A process that has Python and the libraries at hand
and loads no graph holds the first line; the second number is what comes on top.

{_memory_table(held)}

Measured by `make encoder-speed`; every number: `csv/{EXPORT_CSV}`, `csv/{SPEED_CSV}`,
`csv/{MEMORY_CSV}`."""


def _of_another(timed: Sequence[Timed]) -> str:
    """Say so if another entry was timed than the one that ships."""
    entries = {row.network for row in timed if "/" in row.network}
    if not entries or entries == {SHIPPED.as_posix()}:
        return ""
    return f"""
Times and memory below are those of {", ".join(sorted(entries))}, not of {SHIPPED.as_posix()},
which ships: its encoder has the same shape and other weights; its graph also reads the encoder's
heads (one product with 13 columns, and distances of tokens).
"""


def _of_rounded(near: Sequence[Near]) -> str:
    """Say so if torch had no more than half precision to differ from."""
    if not near[0].read_back:
        return ""
    return """
The weights were read back from the graph that ships, rounded to half precision: differences are
from these, so what that rounding costs is not in them.
"""


def _near_table(near: Sequence[Near]) -> str:
    lines: list[list[object]] = []
    for precision, way in dict.fromkeys((row.precision, row.way) for row in near):
        own = [row for row in near if (row.precision, row.way) == (precision, way)]
        size = own[0].n_bytes / 1e6
        told = f"{size:.2f}" + ("" if size <= LARGEST_MB else f" (**over {LARGEST_MB}**)")
        largest = f"{max(row.difference for row in own):.1e}"
        lines.append([precision, way, told if own[0].kept else "not kept", largest])
    return markdown(["precision", "way", "MB", "largest difference"], lines)


def _times(timed: Sequence[Timed]) -> Mapping[tuple[int, str, int], Floats]:
    """Return milliseconds per image of every round, by threads, name and windows."""
    keys = dict.fromkeys((row.threads, _name(row), row.windows) for row in timed)
    return {
        key: np.array(
            [row.milliseconds for row in timed if (row.threads, _name(row), row.windows) == key]
        )
        for key in keys
    }


def _name(row: Timed | Held) -> str:
    return f"{row.network} {row.precision}".strip()


def _window_table(timed: Sequence[Timed]) -> str:
    times = _times([row for row in timed if row.precision not in (SHIPS, WHOLE)])
    lines = []
    for (threads, name, windows), own in times.items():
        if windows == JUDGED:
            bare = times[threads, f"{BARE} fp32", windows]
            lines.append(_window_line(threads, name, own, bare))
    return markdown(["threads", "encoder", "ms per window", "ratio", "asked"], lines)


def _window_line(threads: int, name: str, times: Floats, bare: Floats) -> list[object]:
    low, ratio, high = np.quantile(times / bare, [0.25, 0.5, 0.75])
    ours = threads == 1 and not name.startswith(BARE)
    asked = ASKED.get(name.rpartition(" ")[2]) if ours else None
    verdict = "" if asked is None else f"≤ {asked}: {'reached' if ratio <= asked else '**missed**'}"
    each = f"{np.median(times) / JUDGED:.1f}"
    return [threads, name, each, f"{ratio:.3f} [{low:.3f}, {high:.3f}]", verdict]


def _image_table(timed: Sequence[Timed]) -> str:
    times, sizes = _times(timed), sorted({row.windows for row in timed})
    lines = [
        [threads, name, *(_median(times.get((threads, name, n))) for n in sizes)]
        for threads, name in dict.fromkeys((row.threads, _name(row)) for row in timed)
    ]
    header = [f"{n} window{'s' if n > 1 else ''}" for n in sizes]
    return markdown(["threads", "", *header], lines)


def _median(times: Floats | None) -> str:
    return "" if times is None else f"{np.median(times):.1f}"


def _memory_table(held: Sequence[Held]) -> str:
    threads = sorted({row.threads for row in held})
    by = {(_name(row), row.threads): row.megabytes for row in held}
    names = list(dict.fromkeys(_name(row) for row in held))
    lines = [
        [name, *(f"{by[name, n]:.0f} (+{by[name, n] - by[names[0], n]:.0f})" for n in threads)]
        for name in names
    ]
    return markdown(["", *(f"{n} thread{'s' if n > 1 else ''}" for n in threads)], lines)
