"""Time exported graphs beside the bare `tinyusfm` profile, written in the same way, in one run."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import perf_counter

import numpy as np
import onnx
import torch

from sonoquality.arrays import Windows
from sonoquality.export.folder import graph_of
from sonoquality.exported import graph_file, read_record
from sonoquality.networks.profiles import TINYUSFM, WINDOW
from sonoquality.networks.vit import VisionTransformer
from sonoquality.results.encoder_speed import BARE, Timed
from sonoquality.session import Session, open_session

BATCH = 4  #: windows that go through at once
WARM_UP = 2
TRIES = 3  #: in a row, of which the shortest counts: what else the machine did is left out
SEED = 2026


def measure(folder: Path, n_repeats: int, threads: int) -> Iterator[Timed]:
    """Time every graph in turn, again and again, so that a busy machine slows all of them alike.

    Args:
        folder: of an exported encoder.
        n_repeats: rounds.
        threads: of one operator.
    """
    with tempfile.TemporaryDirectory() as place:
        bare = Path(place) / graph_file("fp32")
        onnx.save(_bare(), str(bare))
        paths = {
            (BARE, "fp32"): bare,
            **{
                (read_record(folder).profile, precision): folder / graph_file(precision)
                for precision in read_record(folder).graphs
            },
        }
        sessions = {key: _open(path, threads) for key, path in paths.items()}
        yield from _rounds(sessions, n_repeats, threads)


def _bare() -> onnx.ModelProto:
    torch.manual_seed(SEED)
    return graph_of(VisionTransformer(TINYUSFM))


def _open(path: Path, threads: int) -> Session:
    return open_session(path, sha256="", ladder=("cpu",), threads=threads, cache=path.parent)


def _rounds(
    sessions: Mapping[tuple[str, str], Session], n_repeats: int, threads: int
) -> Iterator[Timed]:
    rng = np.random.default_rng(SEED)
    windows = rng.uniform(size=(BATCH, 1, WINDOW, WINDOW)).astype(np.float32)
    masks = np.ones_like(windows)
    for repeat in range(-WARM_UP, n_repeats):
        for (network, precision), session in sessions.items():
            seconds = min(_seconds(session, windows, masks) for _ in range(TRIES))
            if repeat >= 0:
                yield Timed(
                    network=network,
                    precision=precision,
                    threads=threads,
                    repeat=repeat,
                    milliseconds=round(1000.0 * seconds / BATCH, 4),
                )


def _seconds(session: Session, windows: Windows, masks: Windows) -> float:
    start = perf_counter()
    session.run(windows, masks)
    return perf_counter() - start
