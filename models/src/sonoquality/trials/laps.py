"""How long a verdict takes beside the encoder alone: a phantom still, on one thread, in turns."""

from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np

from sonoquality import golden
from sonoquality.attributes import measure, worse_of
from sonoquality.model import QualityModel
from sonoquality.preprocess import windows_of, working_image
from sonoquality.results import rows
from sonoquality.results.joined_rows import Lap
from sonoquality.trials.table import Progress

STILL = "rectangle"
"""The golden phantom of 448 by 336 pixels: six windows."""
ENCODER = "taps"
N_WARM = 3


def run(path: Path, model: QualityModel, n_rounds: int, progress: Progress) -> None:
    """Time the encoder alone, the whole graph and the whole verdict, round by round."""
    phantom = next(each for each in golden.PHANTOMS if each.name == STILL)
    luma, scan, overlay = golden.inputs_of(phantom)
    windows = windows_of(working_image(luma, scan, overlay))

    def encoder() -> None:
        model.session.run(windows.pixels, windows.masks, (ENCODER,), nothing_else=True)

    def graph() -> None:
        model.session.run(windows.pixels, windows.masks, model.outputs)

    def verdict() -> None:
        found = model.score(luma[None], scan, overlay)[0]
        worse_of(measure(luma, scan, np.zeros_like(overlay), found.heat), found.faults)

    laps = []
    for number in range(n_rounds + N_WARM):
        took = [_seconds(work) for work in (encoder, graph, verdict)]
        if number >= N_WARM:
            whole = dict(zip(("encoder", "graph", "verdict"), took, strict=True))
            in_ms = {name: 1000 * seconds for name, seconds in whole.items()}
            laps.append(Lap(round=number - N_WARM + 1, **in_ms))
        progress("laps", number + 1, n_rounds + N_WARM)
    rows.write(path, laps)


def _seconds(work: Callable[[], None]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start
