"""Which calibrations are in force, and are they of the model that runs?"""

from collections.abc import Iterator

from sonogate.doctor.check import Check, fail, ok, warn
from sonogate.domain.calibration import Calibration, parse
from sonogate.errors import CalibrationError, GateError
from sonogate.score.identity import named_model
from sonogate.score.numbers import numbers_given
from sonogate.settings import Settings
from sonogate.store.calibrations import AppliedCalibration, in_force

NAME = "calibration"


def checks(settings: Settings) -> Iterator[Check]:
    """Name each calibration in force with its model and exams, or say that there is none."""
    try:
        held = in_force(settings.database_url)
    except GateError as error:
        yield warn(NAME, str(error), "see that the gate starts; it brings its database up to date")
        return
    if not held:
        yield ok(NAME, "none in force; bands are as shipped")
    for each in held:
        yield _judged(each, settings)


def _judged(applied: AppliedCalibration, settings: Settings) -> Check:
    name = applied.calibration
    try:
        made = parse(applied.content)
        made.check_model(named_model(settings.scoring))
    except CalibrationError as error:
        return warn(
            NAME,
            f"{name} is stale, the gate judges as shipped: {error}",
            f"or end it: sonogate calibrate revoke {name}",
        )
    except GateError as error:
        return fail(NAME, f"{name}: {error}", "see the line on the model")
    lacking = made.lacks(numbers_given(settings.scoring)) if made.head else ()
    if lacking:
        return warn(
            NAME,
            f"{name} weighs {', '.join(lacking)}, which this release does not measure",
            "fit it anew with the same grades: sonogate calibrate --head",
        )
    return ok(NAME, f"{name} of {made.model}, for {_exams(made)}, since {_day(applied)}")


def _exams(made: Calibration) -> str:
    return " ".join(filter(None, (made.scope.exam_type, made.scope.view))) or "all exams"


def _day(applied: AppliedCalibration) -> str:
    return f"{applied.applied_at:%Y-%m-%d} by {applied.applied_by}"
