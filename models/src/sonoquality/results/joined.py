"""The page of the joined verdict: which rule, what it gains and costs, and what stays missed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonoquality import agreement
from sonoquality.arrays import Floats
from sonoquality.results import rows
from sonoquality.results.joined_rows import COPIES
from sonoquality.results.tables import Images, markdown

LEVELS = range(1, 6)
NOT_JUDGED = ("ANN",)
GROSS = ("CON", "ATT", "DEF", "MOT", "HAZ", "RES", "SPK")
"""Operators whose fifth level ruins an image (nrq.md)."""
MEDIUM_FROM, HIGH_FROM = 45.0, 75.0
WEIGHTS = (1.0, 2.5, 5.0, 10.0)
FROM_UTILITY, WEIGHT = 0.75, 5.0
"""As `models/recipes/joined.toml` has them."""
EARLIER = 0.8
"""Was tried first."""
LEAST = 1e-4
N_RESAMPLES = 200
"""Of patients."""
SURE, UNSURE = 0.1, 0.3
CLEAN_SHARE = 0.15


@dataclass(frozen=True)
class Copies:
    """The CSV of copies, column by column."""

    lines: Sequence[rows.Row]

    @classmethod
    def read(cls, folder: Path) -> "Copies":
        """Read the CSV.

        Raises:
            FileNotFoundError: it was not measured yet.
        """
        return cls(rows.read(folder / COPIES))

    def column(self, name: str) -> Floats:
        """Return a column of numbers; NaN where there is none."""
        return np.array([float(line[name] or "nan") for line in self.lines])

    def text(self, name: str) -> NDArray[np.str_]:
        """Return a column of words."""
        return np.array([line[name] for line in self.lines])

    @cached_property
    def clean(self) -> NDArray[np.bool_]:
        """Which are images as they are."""
        return np.asarray(self.text("kind") == "clean")

    @cached_property
    def spoiled(self) -> NDArray[np.bool_]:
        """Which belong to ladders that count."""
        counts = ~np.isin(self.text("operator"), NOT_JUDGED)
        return np.asarray((self.text("kind") == "ladder") & counts)

    @cached_property
    def level(self) -> NDArray[np.intp]:
        """The level of each."""
        return np.asarray(self.column("level"), np.intp)

    @cached_property
    def fall(self) -> Floats:
        """How far each utility's logit lies below that of `FROM_UTILITY`, on either side."""
        held = np.clip(self.column("utility") / 100, LEAST, 1 - LEAST)
        return np.asarray(_logit(FROM_UTILITY) - np.log(held / (1 - held)))

    @cached_property
    def trust(self) -> Floats:
        """How much each utility counts."""
        off = self.column("utility_off_by") / 100
        return np.clip((UNSURE - off) / (UNSURE - SURE), 0, 1)


def rules(copies: Copies) -> Mapping[str, Floats]:
    """Return the badness of every copy by each rule that was tried; higher is worse."""
    nrq = copies.column("badness_nrq")
    below = np.maximum(copies.fall, 0)
    ours = {
        f"NRQ + {weight:g} x trusted fall": nrq + weight * copies.trust * below
        for weight in WEIGHTS
    }
    clean = copies.clean
    sooner = np.maximum(copies.fall + _logit(EARLIER) - _logit(FROM_UTILITY), 0)
    early = np.maximum(copies.fall - np.quantile(copies.fall[clean], 1 - CLEAN_SHARE), 0)

    def deviation(values: Floats) -> Floats:
        middle, edge = np.quantile(values[clean], (0.5, 1 - CLEAN_SHARE))
        return np.asarray((values - middle) / (edge - middle))

    return {
        "NRQ alone": nrq,
        **ours,
        f"NRQ + {WEIGHT:g} x fall, doubt or not": nrq + WEIGHT * below,
        "NRQ + 1.5 x trusted fall or rise": nrq + 1.5 * copies.trust * copies.fall,
        "NRQ + 1.5 x trusted fall below 85 % of clean images": nrq + 1.5 * copies.trust * early,
        f"NRQ + {WEIGHT:g} x trusted fall below {EARLIER:g}": nrq + WEIGHT * copies.trust * sooner,
        "the worse of both, by deviations": np.maximum(deviation(nrq), deviation(copies.fall)),
        "MedQM-I alone": copies.fall,
    }


def rule_section(folder: Path) -> str:
    """Say what each rule makes of the validation copies.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    copies = Copies.read(folder)
    groups = [str(group) for group in copies.text("group")]
    every = rules(copies)
    nrq = every["NRQ alone"]
    table = []
    for name, badness in every.items():
        detected = [f"{_detected(badness, copies, k, _all(badness)):.3f}" for k in LEVELS]
        costs = partial(_gap, partial(_mean_detected, copies=copies), badness, nrq)
        gains = partial(_gap, partial(_serves, copies=copies), badness, nrq)
        is_nrq = name == "NRQ alone"
        table.append(
            [
                name,
                f"{_in_order(badness, copies):.3f}",
                *detected,
                f"{_serves(badness, _all(badness), copies):.3f}",
                "" if is_nrq else _signed(costs, groups),
                "" if is_nrq else _signed(gains, groups),
            ]
        )
    header = [
        "rule",
        "steps in order",
        *(f"AUROC {k}" for k in LEVELS),
        "SRCC with labels",
        "AUROC 1 to 3, ahead of NRQ",
        "labels, ahead of NRQ",
    ]
    n_images = len(set(copies.text("image")))
    return f"""## Which rule

NRQ sees every pixel and knows nothing of a diagnosis; MedQM-I learned what faults cost one, on
128 px. Below, rules that make one badness of both, on {len(copies.lines)} copies of {n_images}
validation images of {len(set(groups))} patients: how surely ladders fall and faults are told from
clean images (as on nrq.md, of fewer images and {len(_operators(copies))} operators), and how far
the order follows MedQM-D's labels. Differences from NRQ by paired bootstrap over patients.

{markdown(header, table)}

The fall is how far the logit of the utility lies below that of {FROM_UTILITY:g}, where hardly any
clean image lies, of no organ: on organs without labels MedQM-I says a little less of clean images.
It is trusted in full where it is likely off by less than {SURE:g} (of 1), and not at all from
{UNSURE:g}. The entry that ships raises NRQ's badness by {WEIGHT:g} times the trusted fall. "The
lower of two scores" (the worse of both) costs more of what NRQ sees and gains less. The choice was
made on these images, so its gain is that of a rule chosen here; no heart was looked at.

That bound was {EARLIER:g} first. Then one of 58 nerve images of a device outside the collection,
which a person can read and NRQ calls medium, came out low, as did a picture of another maker; so
the bound was set lower, after that look, and hearts were scored once more."""


def band_section(folder: Path) -> str:
    """Say what becomes of the bands.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    copies = Copies.read(folder)
    both, doubtful = copies.column("quality"), copies.text("uncertain") == "True"
    kind, operator, level = copies.text("kind"), copies.text("operator"), copies.level
    gross = np.isin(operator, GROSS)
    some: Mapping[str, NDArray[np.bool_]] = {
        "clean": copies.clean,
        "gain changed by up to 3 dB": kind == "jitter",
        "level 5 of " + ", ".join(GROSS): copies.spoiled & (level == max(LEVELS)) & gross,
        "level 5 of the others": copies.spoiled & (level == max(LEVELS)) & ~gross,
        "several faults": kind == "mixture",
        "speckle alone": kind == "blank",
    }
    nrq = np.array([_quality_alone(line) for line in copies.lines])
    table = [
        [
            name,
            str(int(own.sum())),
            *(_shares(values[own]) for values in (nrq, both)),
            f"{100 * doubtful[own].mean():.1f}",
        ]
        for name, own in some.items()
    ]
    header = ["copies", "n", "NRQ: high, medium, low in %", "joined", "not sure in %"]
    return f"""## What becomes of the bands

{markdown(header, table)}

"Not sure" is said where the utility would make the band worse if it were surer of itself: the band
is then NRQ's, and the page says "look yourself". {_doubt(copies)}"""


def _logit(share: float) -> float:
    return float(np.log(share / (1 - share)))


def _all(values: Floats) -> Images:
    return np.arange(len(values), dtype=np.intp)


def _operators(copies: Copies) -> set[str]:
    return set(copies.text("operator")[copies.spoiled])


def _in_order(badness: Floats, copies: Copies) -> float:
    """Share of adjacent steps of the ladders that get worse."""
    image, operator = copies.text("image"), copies.text("operator")
    begin = {image[i]: badness[i] for i in np.flatnonzero(copies.clean)}
    ladders: dict[tuple[str, str], dict[int, float]] = {}
    for i in np.flatnonzero(copies.spoiled):
        own = ladders.setdefault((str(image[i]), str(operator[i])), {0: begin[image[i]]})
        own[int(copies.level[i])] = badness[i]
    steps = [np.diff([own[k] for k in sorted(own)]) > 0 for own in ladders.values()]
    return float(np.concatenate(steps).mean())


def _detected(badness: Floats, copies: Copies, level: int, some: Images) -> float:
    own = badness[some]
    spoiled = (copies.spoiled & (copies.level == level))[some]
    return agreement.auroc(-own[spoiled], -own[copies.clean[some]])


def _mean_detected(badness: Floats, some: Images, copies: Copies) -> float:
    return float(np.mean([_detected(badness, copies, k, some) for k in (1, 2, 3)]))


def _serves(badness: Floats, some: Images, copies: Copies) -> float:
    """Return the rank correlation with the labels of what is no speckle alone."""
    label = copies.column("label")[some]
    kept = np.isfinite(label) & (copies.text("kind")[some] != "blank")
    return agreement.srcc(-badness[some][kept], label[kept])


def _gap(
    measure: Callable[[Floats, Images], float], ours: Floats, theirs: Floats, some: Images
) -> float:
    return measure(ours, some) - measure(theirs, some)


def _signed(number: Callable[[Images], float], groups: Sequence[str]) -> str:
    found = agreement.bootstrap(number, groups, n_resamples=N_RESAMPLES)
    return f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def _shares(quality: Floats) -> str:
    high, low = quality >= HIGH_FROM, quality < MEDIUM_FROM
    return ", ".join(f"{100 * each.mean():.1f}" for each in (high, ~high & ~low, low))


def _quality_alone(line: rows.Row) -> float:
    return float(line["nrq"])


def _doubt(copies: Copies) -> str:
    off = copies.column("utility_off_by") / 100
    miss = np.abs(copies.column("utility") / 100 - copies.column("label"))
    known = np.isfinite(miss)
    sure = known & (off < SURE)
    return (
        f"The doubt is worth something: of copies with a label the utility misses it by "
        f"{miss[sure].mean():.3f} where it claims less than {SURE:g}, by "
        f"{miss[known & ~sure].mean():.3f} where it claims more (rank correlation of claim "
        f"and miss {agreement.srcc(off[known], miss[known]):.2f})."
    )
