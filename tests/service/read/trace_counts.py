"""Count what is called a trace: the numbers of docs/reference/not-judged.md.

    python -m tests.service.read.trace_counts drawn other real dicom phantoms faults

Real images are read from the folder beside the project and stay there. `faults` takes some minutes.
"""

import csv
import io
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sonogate.demo.phantom import Fault, make_scan
from sonogate.demo.screen import make_screen
from sonogate.demo.views import VIEWS
from sonogate.domain.frames import Region
from sonogate.domain.instance import MediaType
from sonogate.errors import GateError
from sonogate.read import frames, scan
from sonogate.read.objects.header import open_object
from sonogate.read.pixels.colour import luma_of
from sonogate.read.pixels.layout import PixelLayout
from sonogate.read.traces.find import find_trace
from sonoquality.degrade.ladder import apply
from sonoquality.degrade.operators import OPERATORS
from sonoquality.preprocess import scan_mask
from tests.service.read import other_motions, other_screens, trace_screens

Picture = NDArray[np.uint8]
Named = Iterator[tuple[str, str, Picture]]
SHARED = Path(__file__).parents[3].parent / "shared"
#: Images of each source that faults are put on.
N_FAULTED, N_FAULTED_ANEW = 9, 5
#: Screens of each kind of `other_screens`.
N_OTHER = 12


def drawn() -> Named:
    """Forty screens of each kind of `trace_screens`, every second one as JPEG."""
    for kind in (*trace_screens.SPECTRA, *trace_screens.MOTIONS):
        for seed in range(100, 140):
            picture = trace_screens.trace_screen(kind, seed).picture
            if seed % 2:
                coded = trace_screens.as_jpeg(picture, 80)
                picture = np.asarray(Image.open(io.BytesIO(coded)))
            yield kind, str(seed), picture


def other(first: int = 501) -> Named:
    """Twelve screens of each kind of `other_screens`; nothing was tuned on odd seeds from 501."""
    for kind in other_screens.SPECTRA:
        for seed in range(first, N_OTHER * 2 + first, 2):
            screen = other_screens.other_screen(kind, seed)
            name = f"{kind}, baseline {screen.baseline}"
            yield name, f"{seed} {screen.layout}", screen.picture
    for kind in other_motions.MOTIONS:
        for seed in range(first, N_OTHER * 2 + first, 2):
            screen = other_screens.other_screen(kind, seed)
            yield kind, f"{seed} {screen.layout}", screen.picture


def tuning() -> Named:
    """The same of even seeds, on which limits were set."""
    return other(0)


def _rows() -> list[dict[str, str]]:
    with (SHARED / "data" / "INDEX.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def real() -> Named:
    """Every real image of the index."""
    for row in _rows():
        with Image.open(SHARED / "data" / row["path"]) as image:
            yield row["source"], row["path"], np.asarray(image.convert("L"))


def enlarged() -> Named:
    """Every fourth real image, twice as large, as on a screen."""
    for row in _rows()[1::4]:
        with Image.open(SHARED / "data" / row["path"]) as image:
            large = image.convert("L").resize((2 * image.width, 2 * image.height))
            yield row["source"], row["path"], np.asarray(large)


def dicom() -> Named:
    """The first frame of every real object, its declared regions forgotten."""
    for row in csv.DictReader((SHARED / "dicom" / "INDEX.csv").open(encoding="utf-8")):
        path = SHARED / "dicom" / row["path"]
        for picture in _first_frame(path):
            yield row["source"], row["path"], picture


def _first_frame(path: Path) -> list[Picture]:
    seen: list[Picture] = []

    def keep(_luma: Picture, picture: Picture) -> None:
        seen.append(picture)

    def forgetful(_dataset: object, layout: PixelLayout) -> scan.Scene:
        whole = Region(x=0, y=0, width=layout.columns, height=layout.rows)
        return scan.Scene(crop=whole, screen=(layout.rows, layout.columns))

    with (
        mock.patch.object(scan, "find_trace", keep),
        mock.patch.object(frames, "_scene", forgetful),
    ):
        try:
            frames.read_frames(open_object(path, MediaType.DICOM), 1)
        except GateError as error:
            if not seen:
                sys.stderr.write(f"{path.name}: {error}\n")
    return seen[:1]


def phantoms() -> Named:
    """Every view with every fault, three seeds, cut out and on its screen."""
    for view in VIEWS:
        for fault in Fault:
            for seed in (2, 3, 4):
                cut_out = make_scan(VIEWS[view], seed=seed, fault=fault)
                screen = make_screen(cut_out, patient="Doe^Jane", label=view, probe="P")
                yield "cut out", f"{view} {fault} {seed}", cut_out.picture
                yield "on a screen", f"{view} {fault} {seed}", screen.picture


def faults() -> Named:
    """Real images with every fault at levels 3 and 5; limits may be set on these."""
    return _faulted(N_FAULTED, 0.3)


def faults_anew() -> Named:
    """Other images with the same faults."""
    return _faulted(N_FAULTED_ANEW, 0.63)


def _faulted(number: int, offset: float) -> Named:
    rows = _rows()
    for source in sorted({row["source"] for row in rows}):
        of_source = [row for row in rows if row["source"] == source]
        for i in range(number):
            path = of_source[int((i + offset) * len(of_source) / number)]["path"]
            with Image.open(SHARED / "data" / path) as image:
                grey = np.asarray(image.convert("L"))
            mask, seed = scan_mask(grey), zlib.crc32(path.encode())
            unit = np.asarray(grey, np.float32) / np.float32(255)
            for operator in OPERATORS:
                for level in (3, 5):
                    changed = apply(operator, unit, mask, level, seed)
                    picture = (changed * 255).round().astype(np.uint8)
                    yield operator, f"{path} level {level}", picture


SETS: Mapping[str, Callable[[], Named]] = {
    made.__name__: made
    for made in (drawn, other, tuning, real, enlarged, dicom, phantoms, faults, faults_anew)
}


def count(name: str) -> None:
    """Print how many pictures of a set are called what, and each that is."""
    codes: dict[str, Counter[str]] = {}
    seconds = []
    for group, which, picture in SETS[name]():
        luma = luma_of(picture)
        began = time.perf_counter()
        trace = find_trace(luma, picture)
        seconds.append(time.perf_counter() - began)
        code = "none" if trace is None else trace.code if trace.sure else f"in doubt: {trace.code}"
        codes.setdefault(group, Counter())[code] += 1
        is_drawn = name in ("drawn", "other", "tuning")
        if is_drawn == (trace is None):
            sys.stdout.write(f"  {name}: {group}, {which}: {code}\n")
    for group, counted in codes.items():
        sys.stdout.write(f"{name:12} {group:30} {dict(counted)}\n")
    total = sum(codes.values(), Counter())
    median = 1000 * float(np.median(seconds))
    sys.stdout.write(f"{name:12} ALL {len(seconds)} {dict(total)}, {median:.1f} ms in the median\n")


if __name__ == "__main__":
    for chosen in sys.argv[1:] or SETS:
        count(chosen)
