"""The section on networks that learned to enlarge pictures by L1, SSIM or uLPIPS."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sonoquality.results import rows as csvs
from sonoquality.results.full_reference import mean_over_groups, said, table

CSV = "restoration.csv"
PICTURE = "restoration.png"

COLUMNS = {
    "psnr_db": "PSNR (dB), higher is nearer",
    "ssim": "SSIM, higher is nearer",
    "ms_ssim": "MS-SSIM, higher is nearer",
    "lpips_style": "LPIPS-style, lower is nearer",
    "ulpips": "uLPIPS, lower is nearer",
    "gradient_kept": "gradient kept, 1 is all",
    "grid": "grid in grey levels, 0 is none",
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
    grid: float  #: spread of the mean greys by place in the blocks that one small pixel became
    dice: float  #: of the network that outlines the organ; NaN without an outline


def write_csv(path: Path, restored: Sequence[Restored]) -> None:
    """Keep the numbers."""
    csvs.write(path, restored)


def read_csv(folder: Path) -> list[Restored]:
    """Read what `write_csv` kept.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    return [Restored(**csvs.plain(Restored, row)) for row in csvs.read(folder / CSV)]


def section(folder: Path) -> str:
    """Compare the losses, in means over pictures with intervals over groups."""
    rows = read_csv(folder)
    methods = list(dict.fromkeys(row.method for row in rows))
    n_pictures, n_groups = (len({getattr(r, key) for r in rows}) for key in ("picture", "group"))
    lines = []
    for method in methods:
        own = [row for row in rows if row.method == method]
        groups = [row.group for row in own]
        means = [said(mean_over_groups([getattr(r, key) for r in own], groups)) for key in COLUMNS]
        lines.append([method, *means])
    return f"""## A network that learns by it

Small networks, alike but for their loss, enlarge pictures fourfold after {rows[0].n_steps} steps on
the same crops (`models/recipes/restoration.toml`). Measured on {n_pictures} whole scans of
{n_groups} groups that they never saw. A network is judged by its own loss in one of the columns:
SSIM's in SSIM, uLPIPS's, which has a share of L1, in uLPIPS. Dice: what the networks that outline
organs make of the restored picture, where there is an outline. Intervals: 95 %, bootstrap over
groups.

{table(["learned by", *COLUMNS.values()], lines)}

![Phantoms: enlarged, restored by each network, and the truth](../images/{PICTURE})

Seen in the picture: what learned by uLPIPS is the sharpest, and draws strokes across that the truth
doesn't have. The example is short: it shows that uLPIPS can be trained with, not which loss is
best, and what learned by another loss may be nearer even by uLPIPS. An earlier network, which made
its pixels out of channels, drew a checkerboard when it learned by uLPIPS; these enlarge first, and
the column on the grid says what is left of it: the spread of mean greys by place in the blocks of
pixels that one small pixel became.

Trained by `sonoquality train restoration`, measured by `sonoquality evaluate restoration`; every
number: `csv/{CSV}`."""
