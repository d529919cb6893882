"""The model card: what a model is, how to read its score, and where it may be trusted.

ModelCardError
├── BadCardError        the card is missing, incomplete or contradicts itself
├── HashMismatchError   the model file is not the one the card describes
├── NoProviderError     no rung of the provider ladder loads the model
└── OtherManifoldError  the manifold was fitted on another encoder, or for another graph
"""

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special

from sonoquality.utility import FaultScale, UtilityScale
from sonoquality.zoo import CARD_FILE, MODEL_FILE

#: The anchors' clean quantiles (.5, .85, .97) as deviations of a normal distribution.
CLEAN_DEVIATIONS = (0.0, 1.0364, 1.8808)


class ModelCardError(Exception):
    """The model can't be used."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.__doc__)


class BadCardError(ModelCardError):
    """The model card is missing, incomplete or contradicts itself."""


class HashMismatchError(ModelCardError):
    """The model file is not the one its card describes; install the release again."""


class NoProviderError(ModelCardError):
    """No rung of the provider ladder loads the model."""


class OtherManifoldError(ModelCardError):
    """The manifold was fitted on another encoder, or for another graph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchors:
    """Four points that turn badness into quality, for images of up to so many windows."""

    max_windows: int
    badness: tuple[float, ...]  #: rising
    quality: tuple[float, ...]  #: falling

    def to_quality(self, badness: float) -> float:
        """Map linearly between the anchors and beyond them, then clip to [0, 100]."""
        x, y = np.asarray(self.badness), np.asarray(self.quality)
        i = int(np.clip(np.searchsorted(x, badness) - 1, 0, len(x) - 2))
        slope = (y[i + 1] - y[i]) / (x[i + 1] - x[i])
        return float(np.clip(y[i] + slope * (badness - x[i]), 0.0, 100.0))

    def clean_share(self, badness: float) -> float:
        """Return the share of clean images that are at least as bad, by their three anchors.

        Between and beyond the anchors badness is taken for normal.
        """
        x, z = np.asarray(self.badness[: len(CLEAN_DEVIATIONS)]), np.asarray(CLEAN_DEVIATIONS)
        i = int(np.clip(np.searchsorted(x, badness) - 1, 0, len(x) - 2))
        slope = (z[i + 1] - z[i]) / (x[i + 1] - x[i])
        return float(special.ndtr(-(z[i] + slope * (badness - x[i]))))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreScale:
    """How to read a model's raw score."""

    name: str  #: of the raw score
    higher_is_better: bool
    anchors: tuple[Anchors, ...]  #: by rising max_windows; the last serves all larger images

    def to_quality(self, score: float, n_windows: int) -> float:
        """Map a raw score to quality in [0, 100], where 100 is best."""
        return self._fitting(n_windows).to_quality(score)

    def clean_share(self, score: float, n_windows: int) -> float:
        """Return the share of clean images of that size that score no better, in [0, 1]."""
        return self._fitting(n_windows).clean_share(score)

    def _fitting(self, n_windows: int) -> Anchors:
        fitting = (a for a in self.anchors if n_windows <= a.max_windows)
        return next(fitting, self.anchors[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifoldFile:
    """The fitted numbers that the graph takes beside its windows."""

    file: str  #: in the entry
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """The part of `model.toml` that scoring needs; the rest is for people."""

    name: str
    version: str
    sha256: str
    scale: ScoreScale
    high_from: float
    medium_from: float
    window: int  #: px
    tail_share: float  #: share of the area that counts as the worst region
    tail_weight: float  #: weight of the worst region beside the mean of all
    heat_full: float  #: block badness shown as fully bad
    least_blocks: int  #: fewer blocks in the scan make a score uncertain
    manifold: ManifoldFile | None = None  #: none: the numbers are in the graph
    utility: UtilityScale | None = None  #: none: the graph holds no MedQM-I

    @classmethod
    def read(cls, entry: Path) -> "ModelCard":
        """Read the card of a zoo entry.

        Raises:
            BadCardError: no card is there, or a field is missing or impossible.
        """
        path = entry / CARD_FILE
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
            card = _card_of(table)
        except FileNotFoundError as error:
            raise BadCardError(f"{path} is missing; name an entry of the zoo.") from error
        except (KeyError, TypeError, ValueError) as error:
            raise BadCardError(f"{path}: {error!r}; install the release again.") from error
        _check(card, path)
        return card

    def check_hash(self, entry: Path) -> Path:
        """Return the model file of an entry if it is the one this card describes.

        Raises:
            HashMismatchError: it differs.
            BadCardError: it is missing.
        """
        return checked_file(entry / MODEL_FILE, self.sha256)


def checked_graph(entry: Path) -> Path:
    """Return the model file of an entry of any kind if it is the one its card describes.

    Raises:
        HashMismatchError: it differs.
        BadCardError: card or model is missing, or the card doesn't tell the model's hash.
    """
    path = entry / CARD_FILE
    try:
        sha256 = str(tomllib.loads(path.read_text(encoding="utf-8"))["model"]["sha256"])
    except FileNotFoundError as error:
        raise BadCardError(f"{path} is missing; name an entry of the zoo.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise BadCardError(f"{path}: {error!r}; install the release again.") from error
    return checked_file(entry / MODEL_FILE, sha256)


def checked_manifold(entry: Path, manifold: ManifoldFile) -> Path:
    """Return the manifold of an entry if it is the one its card describes.

    Raises:
        HashMismatchError: it differs.
        BadCardError: it is missing.
    """
    return checked_file(entry / manifold.file, manifold.sha256)


def checked_file(path: Path, sha256: str) -> Path:
    """Return a file if its SHA-256 is the one its card says.

    Raises:
        HashMismatchError: it differs.
        BadCardError: it is missing.
    """
    if not path.is_file():
        raise BadCardError(f"{path} is missing; install the release again.")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise HashMismatchError(
            f"{path} has SHA-256 {found[:16]}…, its card says {sha256[:16]}…; "
            "install the release again."
        )
    return path


def _card_of(table: dict[str, Any]) -> ModelCard:
    model, scale, bands = table["model"], table["scale"], table["thresholds"]
    anchors = tuple(
        Anchors(
            max_windows=int(row["max_windows"]),
            badness=tuple(map(float, row["badness"])),
            quality=tuple(map(float, row["quality"])),
        )
        for row in scale["anchors"]
    )
    return ModelCard(
        name=str(model["name"]),
        version=str(model["version"]),
        sha256=str(model["sha256"]),
        scale=ScoreScale(
            name=str(scale["name"]),
            higher_is_better=bool(scale["higher_is_better"]),
            anchors=anchors,
        ),
        high_from=float(bands["high_from"]),
        medium_from=float(bands["medium_from"]),
        window=int(table["preprocessing"]["window"]),
        tail_share=float(table["pooling"]["tail_share"]),
        tail_weight=float(table["pooling"]["tail_weight"]),
        heat_full=float(table["heat"]["full_at"]),
        least_blocks=int(table["domain"]["least_blocks"]),
        manifold=_manifold_of(table["manifold"]) if "manifold" in table else None,
        utility=_utility_of(table["utility"]) if "utility" in table else None,
    )


def _manifold_of(table: dict[str, Any]) -> ManifoldFile:
    name = str(table["file"])
    if Path(name).name != name:
        raise ValueError(f"the manifold must lie in the entry, not at {name!r}")
    return ManifoldFile(file=name, sha256=str(table["sha256"]))


def _utility_of(table: dict[str, Any]) -> UtilityScale:
    attributes = tuple(map(str, table["attributes"]))
    faults = tuple(
        FaultScale(
            attribute=attributes[attributes.index(str(row["attribute"]))],
            code=str(row["code"]),
            named_at=float(row["named_at"]),
            full=float(row["full"]),
            located=bool(row["located"]),
        )
        for row in table["faults"]
    )
    return UtilityScale(
        weight=float(table["weight"]),
        from_logit=float(table["from_logit"]),
        sure_below=float(table["sure_below"]),
        unsure_from=float(table["unsure_from"]),
        finding_at=float(table["finding_at"]),
        attributes=attributes,
        faults=faults,
    )


def _check(card: ModelCard, path: Path) -> None:
    if not 0.0 < card.medium_from < card.high_from < 100.0:
        raise BadCardError(f"{path}: thresholds must rise from medium_from to high_from.")
    for anchors in card.scale.anchors:
        rises = bool(np.all(np.diff(anchors.badness) > 0))
        sign = 1.0 if card.scale.higher_is_better else -1.0
        follows = bool(np.all(sign * np.diff(anchors.quality) > 0))
        if not rises or not follows or len(anchors.badness) != len(anchors.quality):
            raise BadCardError(f"{path}: anchors contradict the direction of the scale.")
    if card.utility is not None:
        _check_utility(card.utility, path)


def _check_utility(utility: UtilityScale, path: Path) -> None:
    if utility.weight < 0 or not 0 <= utility.sure_below < utility.unsure_from:
        raise BadCardError(f"{path}: utility must weigh 0 or more and be sure before it is unsure.")
    if any(not 0 < fault.named_at < fault.full for fault in utility.faults):
        raise BadCardError(f"{path}: a fault must be named above 0 and before it is full.")
