"""The section on networks that learned to enlarge pictures by L1, SSIM or uLPIPS."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from sonoquality.agreement import bootstrap

CSV = "restoration.csv"
PICTURE = "restoration.png"
LEAST_GROUPS = 10
"""Below so many groups no interval is given."""

COLUMNS = {
    "psnr_db": "PSNR (dB), higher is nearer",
    "ssim": "SSIM, higher is nearer",
    "ms_ssim": "MS-SSIM, higher is nearer",
    "lpips_style": "LPIPS-style, lower is nearer",
    "ulpips": "uLPIPS, lower is nearer",
    "gradient_kept": "gradient kept, 1 is all",
    "dice": "Dice of the outline",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """One restored picture beside the true one."""

    picture: str  #: source and first digits of the file's SHA-256, or a phantom's name
    group: str
    organ: str  #: empty without an outline
    method: str
    n_steps: int  #: that the networks learned for
    psnr_db: float
    ssim: float
    ms_ssim: float
    lpips_style: float
    ulpips: float
    gradient_kept: float  #: mean gradient at 2 px, as a share of the true picture's
    dice: float  #: of the network that outlines the organ; NaN without an outline


def write_csv(path: Path, rows: Sequence[Restored]) -> None:
    """Keep the numbers, each with all its digits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, [field.name for field in fields(Restored)])
        table.writeheader()
        table.writerows(asdict(row) for row in rows)


def read_csv(folder: Path) -> list[Restored]:
    """Read what `write_csv` kept.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    with (folder / CSV).open(encoding="utf-8", newline="") as file:
        return [
            Restored(
                picture=row["picture"],
                group=row["group"],
                organ=row["organ"],
                method=row["method"],
                n_steps=int(row["n_steps"]),
                **{key: float(row[key]) for key in COLUMNS},
            )
            for row in csv.DictReader(file)
        ]


def section(folder: Path) -> str:
    """Compare the losses, in means over pictures with intervals over groups."""
    rows = read_csv(folder)
    methods = list(dict.fromkeys(row.method for row in rows))
    n_pictures, n_groups = (len({getattr(r, key) for r in rows}) for key in ("picture", "group"))
    lines = [
        "| " + " | ".join(["learned by", *COLUMNS.values()]) + " |",
        "| " + " | ".join(["---"] * (len(COLUMNS) + 1)) + " |",
    ]
    for method in methods:
        own = [row for row in rows if row.method == method]
        lines.append("| " + " | ".join([method, *(_mean(own, key) for key in COLUMNS)]) + " |")
    return f"""## A network that learns by it

Small networks, alike but for their loss, enlarge pictures fourfold after {rows[0].n_steps} steps on
the same crops (`models/recipes/restoration.toml`). Measured on {n_pictures} whole scans of
{n_groups} groups that they never saw. A network is judged by its own loss in one of the columns:
SSIM's in SSIM, uLPIPS's in uLPIPS. Dice: what the networks that outline organs make of the restored
picture, where there is an outline. Intervals: 95 %, bootstrap over groups.

{chr(10).join(lines)}

![Phantoms: enlarged, restored by each network, and the truth](../images/{PICTURE})

Trained by `sonoquality train restoration`, measured by `sonoquality evaluate restoration`; every
number: `csv/{CSV}`."""


def _mean(rows: Sequence[Restored], key: str) -> str:
    known = [row for row in rows if np.isfinite(getattr(row, key))]
    if not known:
        return "–"
    values = np.array([getattr(row, key) for row in known])
    groups = [row.group for row in known]
    found = bootstrap(lambda chosen: float(values[chosen].mean()), groups)
    if len(set(groups)) < LEAST_GROUPS:
        return f"{found.value:.3f}"
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"
