"""Time and weigh exported graphs and the entry that ships, beside the bare `tinyusfm` profile.

All in one run; the bare profile is written as a graph in the same way.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import onnx
import torch

from sonoquality.export.folder import graph_of
from sonoquality.export.footprint import footprint
from sonoquality.export.sizes import SIDES, Shown, shown
from sonoquality.exported import graph_file, read_record
from sonoquality.model import DCT, SCORED, QualityModel
from sonoquality.networks.profiles import TINYUSFM
from sonoquality.networks.vit import VisionTransformer
from sonoquality.results.encoder_speed import BARE, SHIPS, WHOLE, Held, Timed
from sonoquality.session import Session, open_session

WARM_UP = 1
TRIES = 3  #: in a row, of which the shortest counts: what else the machine did is left out
SEED = 2026
NOTHING = ("no graph", "")

Key = tuple[str, str]
"""Network and precision."""
Work = Callable[[Shown], object]


@contextmanager
def graphs(folder: Path, entry: Path) -> Iterator[Mapping[Key, Path]]:
    """Return the graphs of an exported encoder, a zoo entry's folder and, first, the bare graph."""
    record = read_record(folder)
    with tempfile.TemporaryDirectory() as place:
        bare = Path(place) / graph_file("fp32")
        onnx.save(_bare(), str(bare))
        own = {(record.profile, each): folder / graph_file(each) for each in record.graphs}
        yield {(BARE, "fp32"): bare, **own, (f"{entry.parent.name}/{entry.name}", SHIPS): entry}


def measure(paths: Mapping[Key, Path], n_repeats: int, threads: int) -> Iterator[Timed]:
    """Time all in turn, again and again, so that a busy machine slows all of them alike.

    Args:
        paths: of `graphs`.
        n_repeats: rounds.
        threads: of one operator.
    """
    pictures = {n: shown(n) for n in SIDES}
    work = {k: w for key, path in paths.items() for k, w in _work(key, path, threads).items()}
    for repeat in range(-WARM_UP, n_repeats):
        for n_windows, picture in pictures.items():
            for (network, precision), run in work.items():
                seconds = min(_seconds(run, picture) for _ in range(TRIES))
                if repeat >= 0:
                    yield Timed(
                        network=network,
                        precision=precision,
                        threads=threads,
                        windows=n_windows,
                        repeat=repeat,
                        milliseconds=round(1000.0 * seconds, 4),
                    )


def weigh(paths: Mapping[Key, Path], threads: Sequence[int]) -> Iterator[Held]:
    """Run each on the largest image in a fresh process, and one process that loads nothing."""
    n_windows = max(SIDES)
    for n in threads:
        for (network, precision), path in ((NOTHING, None), *paths.items()):
            yield Held(
                network=network,
                precision=WHOLE if path is not None and path.is_dir() else precision,
                threads=n,
                windows=n_windows,
                megabytes=footprint(path, n_windows, n),
            )


def _bare() -> onnx.ModelProto:
    torch.manual_seed(SEED)
    return graph_of(VisionTransformer(TINYUSFM))


def _work(key: Key, path: Path, threads: int) -> Mapping[Key, Work]:
    """Return what to time of a graph; of an entry its graph alone, and all after reading."""
    if not path.is_dir():
        session = open_session(path, sha256="", ladder=("cpu",), threads=threads, cache=path.parent)
        return {key: lambda picture: _graph(session, picture)}
    model = QualityModel.load(path, ("cpu",), threads)
    names = (*SCORED, DCT)
    return {
        key: lambda picture: _graph(model.session, picture, names),
        (key[0], WHOLE): lambda picture: model.score(picture.luma[None], picture.mask),
    }


def _graph(session: Session, picture: Shown, names: Sequence[str] = ()) -> object:
    return session.run(picture.windows.pixels, picture.windows.masks, names)


def _seconds(run: Work, picture: Shown) -> float:
    start = perf_counter()
    run(picture)
    return perf_counter() - start
