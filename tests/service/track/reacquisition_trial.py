"""How often a good image would clear the wrong low: measured on real images beside the project.

`reacquisition_page` writes down what is measured here.

The newer image is as published. The earlier, low one is another (or, for what should be found,
the same) image with a gross fault of the degradation ladder, moved by a few per cent, turned and
scaled as a probe held again would be. Fingerprints are made by the very code that the gate runs.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from sonogate.domain.frames import FrameStack, Region
from sonogate.domain.instance import Header
from sonogate.read.pixels.pictures import fingerprint
from sonogate.track.similarity import is_twin, similarities
from sonoquality.degrade.ladder import apply
from sonoquality.preprocess import scan_mask

Grey = NDArray[np.uint8]  #: (height, width)
FAULTS = ("G-", "G+", "ATT", "SHA", "CON", "DEF", "SPK", "MOT")
SINGLE_GROUP = "busi_breast"  # no patient ids were published: each image counts as a group
FRAMES_OF_ONE_VIEW = ("lung_pocus", "timtrack_muscle")  # many frames of one subject and view


@dataclass
class Picture:
    """One real image and its fingerprints."""

    source: str
    group: str
    path: Path
    newer: bytes
    lows: dict[str, bytes] = field(default_factory=dict)  #: by fault

    @property
    def grey(self) -> Grey:
        """The pixels."""
        return load(self.path)


@dataclass
class Trial:
    """Similarities of pairs, by what they are."""

    strangers: list[tuple[str, float]] = field(default_factory=list)  #: (source, similarity)
    same_image: list[tuple[str, float]] = field(default_factory=list)  #: (fault, similarity)
    same_view: list[tuple[str, float]] = field(default_factory=list)  #: (source, similarity)
    other_view: list[tuple[str, float]] = field(default_factory=list)  #: (fault, similarity)
    twins: list[bool] = field(default_factory=list)  #: an image and itself with calipers
    false_twins: list[bool] = field(default_factory=list)  #: two frames of one view


def load(path: Path) -> Grey:
    """Read an image as grey."""
    with Image.open(path) as image:
        return np.asarray(image.convert("L"))


def fingerprint_of(grey: Grey) -> bytes | None:
    """Return what the gate's reader makes of an image without known overlays."""
    mask = scan_mask(grey)
    if not mask.any():
        return None
    stack = FrameStack(
        frames=grey[None],
        scan_mask=mask,
        overlay_mask=np.zeros_like(mask),
        ink_mask=np.zeros_like(mask),
        hidden_mask=np.zeros_like(mask),
        frame_numbers=(1,),
        n_total=1,
        region=Region(x=0, y=0, width=grey.shape[1], height=grey.shape[0]),
        screen_side=max(grey.shape),
        has_calipers=False,
        header=Header(),
    )
    return fingerprint(stack, 0)


def moved(grey: Grey, rng: np.random.Generator) -> Grey:
    """Hold the probe again: up to 4 % aside, 3 degrees, 3 % nearer; the sector stays in place."""
    height, width = grey.shape
    angle, zoom = np.deg2rad(rng.uniform(-3, 3)), rng.uniform(0.97, 1.03)
    cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
    x, y = width / 2, height / 2
    aside, deeper = rng.uniform(-0.04, 0.04, 2) * (width, height)
    way = (cos, sin, x - cos * x - sin * y + aside, -sin, cos, y + sin * x - cos * y + deeper)
    turned = Image.fromarray(grey).transform(
        (width, height), Image.Transform.AFFINE, way, Image.Resampling.BILINEAR
    )
    return np.where(scan_mask(grey), np.asarray(turned), grey).astype(np.uint8)


def with_fault(grey: Grey, fault: str, level: int, seed: int) -> Grey:
    """Put one fault of the ladder on an image."""
    unit = (grey / 255).astype(np.float32)
    return np.rint(255 * apply(fault, unit, scan_mask(grey), level, seed)).astype(np.uint8)


def with_calipers(grey: Grey, rng: np.random.Generator) -> Grey:
    """Draw two crosses, a dotted line between them and a result, as a measurement does."""
    image = Image.fromarray(grey.copy())
    draw = ImageDraw.Draw(image)
    height, width = grey.shape
    ends = rng.uniform(0.3, 0.7, (2, 2)) * (width, height)
    for x, y in ends:
        draw.line((x - 6, y, x + 6, y), fill=255, width=2)
        draw.line((x, y - 6, x, y + 6), fill=255, width=2)
    for share in np.linspace(0, 1, 20):
        x, y = ends[0] + share * (ends[1] - ends[0])
        draw.point((x, y), fill=255)
    draw.text((width * 0.7, height * 0.9), "1 D 42.7 mm", fill=255)
    return np.asarray(image)


def pictures(data: Path, n_newer: int, n_low: int) -> Iterator[list[Picture]]:
    """Yield the pictures of each source: at most `n_newer`, of which `n_low` also as lows."""
    with (data / "INDEX.csv").open(newline="") as index:
        rows = [row for row in csv.DictReader(index) if row["path"].startswith("train/")]
    for source, of_source in groupby(sorted(rows, key=_by_source), key=_by_source):
        rng = np.random.default_rng(len(source))
        chosen = _choose(source, list(of_source), rng)[:n_newer]
        made = []
        for n, row in enumerate(chosen):
            picture = _picture(data / row["path"], source, row["group"])
            if picture is None:
                continue
            if n < n_low:
                picture.lows = dict(_lows(picture.grey, n, rng))
            made.append(picture)
        yield made


def _by_source(row: dict[str, str]) -> str:
    return row["source"]


def _choose(
    source: str, rows: list[dict[str, str]], rng: np.random.Generator
) -> list[dict[str, str]]:
    """One image per group, or all frames where the frames of a group show one view."""
    if source == SINGLE_GROUP:
        rows = [row | {"group": row["path"]} for row in rows]
    if source not in FRAMES_OF_ONE_VIEW:
        rows = list({row["group"]: row for row in rows}.values())
    order = rng.permutation(len(rows))
    return [rows[i] for i in order]


def _picture(path: Path, source: str, group: str) -> Picture | None:
    newer = fingerprint_of(load(path))
    return Picture(source, group, path, newer) if newer else None


def _lows(grey: Grey, seed: int, rng: np.random.Generator) -> Iterable[tuple[str, bytes]]:
    for n, fault in enumerate(FAULTS):
        made = fingerprint_of(moved(with_fault(grey, fault, 4 + (seed + n) % 2, seed), rng))
        if made:
            yield fault, made


def measure(data: Path, n_newer: int, n_low: int) -> Trial:
    """Compare every image with every low of its source."""
    trial = Trial()
    for of_source in pictures(data, n_newer, n_low):
        for picture in of_source:
            for fault, low in picture.lows.items():
                _compare(trial, of_source, picture, fault, low)
        _try_twins(trial, of_source[: 2 * n_low])
    _compare_other_views(trial, data, n_patients=3 * n_low)
    return trial


def _compare_other_views(trial: Trial, data: Path, n_patients: int) -> None:
    """Compare two heart views of one patient, the hardest pairs; nothing is tuned on them."""
    rng = np.random.default_rng(3)
    folder = data / "eval_noncommercial" / "camus_heart"
    for n, path in enumerate(sorted(folder.glob("*_2CH_ED.png"))[:n_patients]):
        newer = fingerprint_of(load(path.with_name(path.name.replace("2CH", "4CH"))))
        for fault, low in _lows(load(path), n, rng):
            trial.other_view.append((fault, similarities(low, [newer])[0] or 0.0))


def _compare(trial: Trial, newer: list[Picture], older: Picture, fault: str, low: bytes) -> None:
    for picture, alike in zip(newer, similarities(low, [p.newer for p in newer]), strict=True):
        value = alike or 0.0
        if picture is older:
            trial.same_image.append((fault, value))
        elif picture.group == older.group:
            trial.same_view.append((older.source, value))
        else:
            trial.strangers.append((older.source, value))


def _try_twins(trial: Trial, of_source: list[Picture]) -> None:
    rng = np.random.default_rng(1)
    for picture in of_source:
        marked = fingerprint_of(with_calipers(picture.grey, rng))
        trial.twins.append(is_twin(marked, picture.newer))
        trial.false_twins += [
            is_twin(marked, other.newer)
            for other in of_source
            if other is not picture and other.group == picture.group
        ]


def share(pairs: Iterable[tuple[str, float]], threshold: float) -> float:
    """Return the share of pairs at or above a threshold."""
    return float(np.mean([value >= threshold for _, value in pairs]))
