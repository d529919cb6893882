"""A fit as a calibration file, and in words."""

from collections.abc import Sequence
from datetime import datetime

from sonogate import __version__
from sonogate.calibrating.grades import NAMES, Grades
from sonogate.calibrating.scoring import Scored
from sonogate.domain.calibration import CalibratedModel, Scope
from sonoquality.agreement import Interval
from sonoquality.calibration.crossval import N_FOLDS, N_REPEATS
from sonoquality.calibration.fit import Fitted


def to_toml(
    fitted: Fitted,
    grades: Grades,
    scored: Scored,
    *,
    model: CalibratedModel,
    scope: Scope,
    now: datetime,
) -> str:
    """Return the calibration file; it names no image and no patient."""
    expected = fitted.expected
    counts = [sum(image.grade == grade for image in scored.images) for grade in range(len(NAMES))]
    scoped = [
        f'{name} = "{value}"'
        for name, value in (("exam_type", scope.exam_type), ("view", scope.view))
        if value is not None
    ]
    lines = [
        "# A calibration of SonoGate: what bands mean to the people who graded these images.",
        "# sonogate calibrate apply FILE lets it hold, sonogate calibrate revoke ends that.",
        "",
        "[model]",
        f'name = "{model.name}"',
        f'version = "{model.version}"',
        f'sha256 = "{model.sha256}"',
        f'card_sha256 = "{model.card_sha256}"',
        "",
        *(["[scope]", *scoped, ""] if scoped else []),
        "[map]",
        f"knots = {_pairs(fitted.knots)}",
        "",
        "[bands]",
        f"high_from = {scored.bounds.high_from!r}",
        f"medium_from = {scored.bounds.medium_from!r}",
        "",
        *_head(fitted),
        "[provenance]",
        f"made_at = {now.isoformat(timespec='seconds')}",
        f'made_by = "sonogate {__version__}"',
        f'labels_sha256 = "{grades.sha256}"',
        f"images = {len(scored.images)}",
        f"patients = {len({image.patient for image in scored.images})}",
        *(f"{name} = {n}" for name, n in zip(NAMES, counts, strict=True)),
        f"left_out = {len(scored.left_out)}",
        "",
        f"# on patients that the fit has not seen: {N_FOLDS} folds of patients, dealt {N_REPEATS}"
        " times; 95 % intervals by patient",
        "[expected]",
        f"balanced_accuracy = {_figure(expected.after.balanced_accuracy)}",
        f"quadratic_kappa = {_figure(expected.after.quadratic_kappa)}",
        f"shipped_balanced_accuracy = {_figure(expected.before.balanced_accuracy)}",
        f"shipped_quadratic_kappa = {_figure(expected.before.quadratic_kappa)}",
        f"gain = {_figure(expected.gain)}",
    ]
    return "\n".join(lines) + "\n"


def _head(fitted: Fitted) -> list[str]:
    if fitted.head is None:
        return []
    head = fitted.head
    names = ", ".join(f'"{name}"' for name in head.names)
    return [
        "[head]",
        f"names = [{names}]",
        *(
            f"{key} = [{', '.join(repr(round(each, 6)) for each in values)}]"
            for key, values in (
                ("centre", head.centre),
                ("scale", head.scale),
                ("weight", head.weight),
            )
        ),
        "",
    ]


def _pairs(knots: Sequence[tuple[float, float]]) -> str:
    return f"[{', '.join(f'[{round(x, 4)!r}, {round(y, 4)!r}]' for x, y in knots)}]"


def _figure(found: Interval) -> str:
    return f"{{ value = {found.value:.4f}, low = {found.low:.4f}, high = {found.high:.4f} }}"


def in_words(fitted: Fitted, scored: Scored) -> list[str]:
    """Say what the fit is worth, in lines for a terminal."""
    expected = fitted.expected
    before, after, gain = expected.before, expected.after, expected.gain
    lines = [
        f"{len(scored.images)} images of {len({each.patient for each in scored.images})} patients",
        "",
        "On patients that the fit has not seen (95 % interval by patient):",
        "                      as shipped              calibrated",
        f"  balanced accuracy   {_range(before.balanced_accuracy)}       "
        f"{_range(after.balanced_accuracy)}",
        f"  quadratic kappa     {_range(before.quadratic_kappa)}       "
        f"{_range(after.quadratic_kappa)}",
        f"  gain in accuracy    {_range(gain)}",
        "",
        "Graded by people (rows), by the calibrated gate (columns: low, medium, high):",
        *(
            f"  {name:<8}" + "".join(f"{n:>7}" for n in row)
            for name, row in zip(NAMES, after.confusion, strict=True)
        ),
    ]
    if scored.left_out:
        lines.append(f"{len(scored.left_out)} images get no quality and were left out.")
    if gain.low <= 0:
        lines.append(
            "No gain is proven: the interval holds zero. More grades may show one; else keep the "
            "shipped bands."
        )
    return lines


def _range(found: Interval) -> str:
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"
