"""A department's calibration: what quality and bands mean to the people who grade there.

Made by `sonogate calibrate`, kept as a TOML file; equal files have equal ids.
"""

import hashlib
import tomllib
from collections.abc import Collection, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sonogate.errors import CalibrationError

ID_LENGTH = 12
QUALITY = "quality"  #: what a head calls quality as shipped


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CalibratedModel(_Frozen):
    """The model that a calibration is of, and of no other."""

    name: str
    version: str
    sha256: str  #: of the model file
    card_sha256: str  #: of its card, which holds the scale of quality

    def __str__(self) -> str:
        """Name it as people do."""
        return f"{self.name}/{self.version}"


class Scope(_Frozen):
    """For which exams it holds; none: for all."""

    exam_type: str | None = None
    view: str | None = None


class Bands(_Frozen):
    """Where bands begin, on calibrated quality."""

    high_from: float
    medium_from: float

    @model_validator(mode="after")
    def _ordered(self) -> "Bands":
        if not 0 < self.medium_from < self.high_from <= 100:
            raise ValueError("medium_from must lie between 0 and high_from, that at most at 100")
        return self


class Weights(_Frozen):
    """A weighted sum of standardised numbers; one that is missing counts as average."""

    names: tuple[str, ...]  #: raw scores, severities, and `quality` as shipped
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    weight: tuple[float, ...]

    @model_validator(mode="after")
    def _even(self) -> "Weights":
        lengths = {len(self.names), len(self.centre), len(self.scale), len(self.weight)}
        if len(lengths) != 1 or not all(each > 0 for each in self.scale):
            raise ValueError("names, centre, scale and weight must be equally long, scale above 0")
        return self

    def value(self, numbers: Mapping[str, float]) -> float:
        """Return the sum for one image."""
        rows = zip(self.names, self.centre, self.scale, self.weight, strict=True)
        return sum(
            weight * (numbers.get(name, centre) - centre) / scale
            for name, centre, scale, weight in rows
        )


class Map(_Frozen):
    """A rising map to quality, linear between its corners."""

    knots: Annotated[tuple[tuple[float, float], ...], Field(min_length=2)]

    @model_validator(mode="after")
    def _rising(self) -> "Map":
        if not all(a[0] < b[0] and a[1] <= b[1] for a, b in pairwise(self.knots)):
            raise ValueError("knots must rise")
        if self.knots[0][1] < 0 or self.knots[-1][1] > 100:
            raise ValueError("knots must lie between 0 and 100")
        return self

    def quality(self, value: float) -> float:
        """Return the calibrated quality of a number, 0 to 100."""
        if value <= self.knots[0][0]:
            return self.knots[0][1]
        for (x0, y0), (x1, y1) in pairwise(self.knots):
            if value < x1:
                return y0 + (y1 - y0) * (value - x0) / (x1 - x0)
        return self.knots[-1][1]


class Provenance(_Frozen):
    """Of what it was made."""

    made_at: datetime
    made_by: str  #: the release, "sonogate 1.2.0"
    labels_sha256: str
    images: int
    patients: int
    high: int
    medium: int
    low: int
    left_out: int = 0  #: images that the gate gives no quality


class Figure(_Frozen):
    """A number with its 95 % interval by patient."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Write it as results pages do."""
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


class Expected(_Frozen):
    """What to expect on patients that the fit has not seen."""

    balanced_accuracy: Figure
    quadratic_kappa: Figure
    shipped_balanced_accuracy: Figure
    shipped_quadratic_kappa: Figure
    gain: Figure  #: of balanced accuracy over the shipped bands


class Calibration(_Frozen):
    """One calibration file."""

    model: CalibratedModel
    scope: Scope = Scope()
    map: Map
    bands: Bands
    head: Weights | None = None
    provenance: Provenance
    expected: Expected

    def quality(self, quality: float, numbers: Mapping[str, float]) -> float:
        """Return the calibrated quality of one frame.

        Args:
            quality: as shipped.
            numbers: raw scores and severities by name; only a head reads them.
        """
        if self.head is None:
            return self.map.quality(quality)
        return self.map.quality(self.head.value({**numbers, QUALITY: quality}))

    def lacks(self, numbers: Collection[str]) -> tuple[str, ...]:
        """Return which numbers its head weighs and are not there, by name."""
        if self.head is None:
            return ()
        return tuple(name for name in self.head.names if name not in {*numbers, QUALITY})

    def check_model(self, running: CalibratedModel) -> None:
        """Make sure that it is of the model that runs.

        Raises:
            CalibrationError: it is of another one.
        """
        if (self.model.sha256, self.model.card_sha256) == (running.sha256, running.card_sha256):
            return
        names = str(self.model), str(running)
        told = (
            f"of {names[0]}"
            if names[0] != names[1]
            else f"of another {names[0]} (its model or card has other bytes)"
        )
        raise CalibrationError(
            f"This calibration is {told}, and the gate runs {names[1]}: numbers of one model say "
            "nothing of another's. Fit it anew with the same grades (sonogate calibrate), or set "
            f'scoring.model = "{names[0]}".'
        )


def id_of(content: str) -> str:
    """Return a calibration's id: the first of its file's SHA-256."""
    return hashlib.sha256(content.encode()).hexdigest()[:ID_LENGTH]


def parse(content: str) -> Calibration:
    """Read a calibration file.

    Raises:
        CalibrationError: it is none.
    """
    try:
        return Calibration.model_validate(tomllib.loads(content))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        wrong = str(error) if isinstance(error, tomllib.TOMLDecodeError) else _first(error)
        raise CalibrationError(
            f"This is no calibration file ({wrong}); make one with sonogate calibrate."
        ) from error


def _first(error: ValidationError) -> str:
    details = error.errors()[0]
    return f"{'.'.join(map(str, details['loc']))}: {details['msg']}"
