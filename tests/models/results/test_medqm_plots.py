"""The plots of MedQM's page show what the CSVs hold."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor

from sonoquality.results import medqm_plots, rows
from sonoquality.results.medqm_rows import AGREEMENT, HARM, LOSSES, AgreementRow, HarmRow, LossRow
from sonoquality.results.panels import COLOURS, corner_of, point_at


def has_colour(picture: Image.Image, at: tuple[float, float], colour: str) -> bool:
    """Whether the pixel there has a colour."""
    return picture.getpixel((round(at[0]), round(at[1]))) == ImageColor.getrgb(colour)


def test_a_ladder_runs_through_its_labels(tmp_path: Path) -> None:
    """From the clean label at level 0 to the last; the worst ladder comes first."""
    made = [HarmRow(organ="liver", operator="clean", level=0, n_images=1, label=0.9)]
    for operator, fall in (("DEF", 0.02), ("SPK", 0.1)):
        made += [
            HarmRow(organ="liver", operator=operator, level=k, n_images=1, label=0.9 - fall * k)
            for k in range(1, 6)
        ]
    rows.write(tmp_path / HARM, made)

    picture = medqm_plots.qualities(tmp_path)

    for place, fall in enumerate((0.1, 0.02)):
        for level in range(6):
            at = point_at(corner_of(place), level / 5, 1 - (0.9 - fall * level))
            assert has_colour(picture, at, COLOURS[0])


def test_what_costs_most_reaches_the_top(tmp_path: Path) -> None:
    """Losses begin at 0, and the scale ends with the largest."""
    rows.write(
        tmp_path / LOSSES,
        [
            LossRow(kind="organ", operator="SHA", level=k, n_copies=1, excess=0.5 * k)
            for k in range(1, 6)
        ],
    )
    picture = medqm_plots.losses(tmp_path)

    assert has_colour(picture, point_at(corner_of(0), 0, 1), COLOURS[0])
    assert has_colour(picture, point_at(corner_of(0), 1, 0), COLOURS[0])


def test_agreement_is_drawn_on_the_side_of_its_split(tmp_path: Path) -> None:
    """Training images above the diagonal, validation below; darker is more."""

    def row(split: str, tau: float) -> AgreementRow:
        return AgreementRow(
            first="disease-liver",
            second="organ",
            split=split,
            n_images=1,
            n_copies=1,
            tau=tau,
            tau_truth=0.0,
            tau_own=0.0,
        )

    rows.write(tmp_path / AGREEMENT, [row("train", 0.2), row("val", 0.8)])
    pixels = np.asarray(medqm_plots.agreement(tmp_path))
    start, side = medqm_plots.NAMES_WIDTH, medqm_plots.SIDE
    above = pixels[start + 4, start + side + 4]
    below = pixels[start + side + 4, start + 4]

    assert above[0] == pytest.approx(255 * 0.8, abs=1)
    assert below[0] == pytest.approx(255 * 0.2, abs=1)
