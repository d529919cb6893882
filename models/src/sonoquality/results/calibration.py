"""The page on site calibration: hearts of CAMUS as the worked example, never shipped."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sonoquality.agreement import Interval
from sonoquality.calibration.crossval import N_FOLDS, N_REPEATS
from sonoquality.calibration.cuts import Cuts
from sonoquality.calibration.fit import Fitted, GradedImage, fit
from sonoquality.evaluation import GRADES
from sonoquality.results.nrq_alarms import HIGH_FROM, MEDIUM_FROM
from sonoquality.results.nrq_graded import BASELINES_CSV, BEST_KNOWN
from sonoquality.results.tables import markdown
from sonoquality.trials.judges import QUALITY
from sonoquality.trials.table import KEYS, read

CSV = "calibration-graded.csv"
TARGET = 0.70
"""Of balanced accuracy and of quadratic kappa."""
BY_HAND = (0.63, 0.64)
"""The same two of fourteen hand-made features with logistic regression (SCIENCE 8)."""
HEAD = "raw scores and faults (`--head`)"


@dataclass(frozen=True, slots=True)
class _Tried:
    name: str
    fitted: Fitted


def section(folder: Path) -> str:
    """Fit what the gate can fit, and what it could with one more number, and say what comes out."""
    lines = read(folder / CSV)
    others = {line["image"]: line for line in read(folder / BASELINES_CSV)}
    gradient = [{BEST_KNOWN: float(others[line["image"]][BEST_KNOWN])} for line in lines]
    heard = [_numbers(line) for line in lines]
    nothing: list[dict[str, float]] = [{} for _ in lines]
    tried = [
        _Tried("quality alone", _fit(lines, nothing, with_head=False)),
        _Tried(HEAD, _fit(lines, heard, with_head=True)),
        _Tried(f"quality and {BEST_KNOWN} *", _fit(lines, gradient, with_head=True)),
        _Tried(
            f"raw scores, faults and {BEST_KNOWN} *",
            _fit(
                lines,
                [{**a, **b} for a, b in zip(heard, gradient, strict=True)],
                with_head=True,
            ),
        ),
    ]
    before = tried[0].fitted.expected.before
    rows = [["shipped bands", before.balanced_accuracy, before.quadratic_kappa, ""]]
    rows += [[each.name, *_after(each), each.fitted.expected.gain] for each in tried]
    counts = ", ".join(
        f"{sum(line['operator'] == name for line in lines)} {name.lower()}" for name in GRADES
    )
    order = tried[0].fitted.order
    header = ["", "balanced accuracy", "quadratic kappa", "gain in accuracy"]
    return f"""{len(lines)} frames of {len({line["group"] for line in lines})} patients: {counts}.
{N_FOLDS} folds of patients, dealt {N_REPEATS} times; everything is fitted anew in every fold.
Intervals by patient. Nothing fitted here is shipped: the images are for evaluation only.

{markdown(header, [[str(cell) for cell in row] for row in rows])}

\\* not a number that the gate measures: what a calibration could do with it.

{_said(tried)}

{_of_order(order)}

## Grades by people and by the gate

{HEAD}, on patients that no fit has seen; rows: people, columns: the gate.

{_confusion(tried[1].fitted)}

Four fits were tried, all of them in the table, with the same weight on their coefficients, which
was set before any was run."""


def _numbers(line: dict[str, str]) -> dict[str, float]:
    return {name: float(value) for name, value in line.items() if name not in (*KEYS, QUALITY)}


def _fit(
    lines: Sequence[dict[str, str]], numbers: Sequence[dict[str, float]], *, with_head: bool
) -> Fitted:
    images = [
        GradedImage(
            patient=line["group"],
            grade=GRADES[line["operator"]],
            quality=float(line[QUALITY]),
            numbers=own,
        )
        for line, own in zip(lines, numbers, strict=True)
    ]
    return fit(images, Cuts(MEDIUM_FROM, HIGH_FROM), with_head=with_head)


def _after(tried: _Tried) -> tuple[Interval, Interval]:
    after = tried.fitted.expected.after
    return after.balanced_accuracy, after.quadratic_kappa


def _said(tried: Sequence[_Tried]) -> str:
    """Say plainly whether the target was met, by what the gate has and by what it could have."""
    own = tried[:2]
    best = max(own, key=lambda each: _after(each)[0].value)
    accuracy, kappa = _after(best)
    if min(accuracy.value, kappa.value) >= TARGET:
        return f"**{best.name} meets the target ({TARGET:.2f} and {TARGET:.2f}).**"
    could = max(tried[2:], key=lambda each: _after(each)[0].value)
    more = _after(could)
    return f"""**The target, {TARGET:.2f} and {TARGET:.2f}, is missed.** The best of what a gate can
do today is {best.name}: {accuracy.value:.3f} and {kappa.value:.3f}. With one more number
({could.name.rstrip(" *")}) it would be {more[0].value:.3f} and {more[1].value:.3f};
fourteen hand-made features reach {BY_HAND[0]:.2f} and {BY_HAND[1]:.2f}. Chance is 0.33 and 0."""


def _of_order(order: Interval) -> str:
    told = f"NRQ's quality and these grades have a rank correlation of {order}"
    if order.low > 0:
        return f"{told}: there is an order to place bounds on."
    return (
        f"{told}: no order to place bounds on, as [the page on NRQ](nrq.md) says of hearts. "
        "`sonogate calibrate` warns where the interval holds zero, and refuses without `--head` "
        "where the number itself is not above it: bounds on such a quality would be bounds on "
        "chance."
    )


def _confusion(fitted: Fitted) -> str:
    names = [name.lower() for name in GRADES]
    rows = [
        [name, *map(str, row)]
        for name, row in zip(names, fitted.expected.after.confusion, strict=True)
    ]
    return markdown(["", "low", "medium", "high"], rows)
