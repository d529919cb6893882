"""Write the pages of results anew from the CSVs kept beside them.

A study measures, writes its CSV into `csv/` and offers sections: functions from that folder to
Markdown. A section whose CSV is not there yet is left out.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from sonoquality.results import (
    calibration,
    dice_link,
    encoder_speed,
    matched_pairs,
    medqm,
    nrq_ablations,
    nrq_alarms,
    nrq_choice,
    nrq_graded,
    nrq_ladders,
    nrq_maps,
    nrq_organs,
    nrq_steady,
    paper_parity,
    restoration,
    ulpips_choice,
    ulpips_encoder,
    ulpips_ladders,
)

CSV_FOLDER = "csv"
Section = Callable[[Path], str]
"""From the folder of CSVs to Markdown; raises FileNotFoundError where its CSV is missing."""


Draw = Callable[[Path], Image.Image]
"""From the folder of CSVs to a picture; raises as a section does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page: what stands above, and its sections in order."""

    head: str
    sections: tuple[Section, ...]
    pictures: Mapping[str, Draw] = field(default_factory=dict)  #: by file name, beside the page


PAGES: Mapping[str, Page] = {
    "nrq.md": Page(
        head="""# NRQ: how far a picture lies from clean ones

Every number below is read from a CSV in `csv/`, by

    sonoquality evaluate pages --out docs/results""",
        sections=(
            paper_parity.nrq_section,
            nrq_ladders.ladder_section,
            nrq_ladders.held_out_section,
            nrq_ladders.external_section,
            nrq_choice.choice_section,
            nrq_ladders.refit_section,
            nrq_graded.graded_section,
            nrq_alarms.alarm_section,
            nrq_alarms.missed_section,
            nrq_alarms.int8_section,
            nrq_steady.steady_section,
            nrq_steady.box_section,
            nrq_maps.map_section,
            nrq_organs.organ_section,
            nrq_ablations.section,
            encoder_speed.section,
        ),
        pictures={nrq_steady.PICTURE: nrq_steady.plot},
    ),
    "medqm.md": Page(
        head="""# MedQM: how well an image will serve

Every number below is read from a CSV in `csv/`, by

    sonoquality evaluate pages --out docs/results""",
        sections=(
            medqm.label_section,
            medqm.harm_section,
            medqm.network_section,
            medqm.variant_section,
        ),
    ),
    "calibration.md": Page(
        head="""# Calibration to a site's own grades: the worked example

What [`sonogate calibrate`](../how-to/calibrate.md) does, on hearts of CAMUS that cardiologists
graded poor, medium and good. Every number below is read from CSVs in `csv/`, by

    sonoquality try graded --faults --data DATA --by models/zoo/nrq/1.1.0 \\
        --out docs/results/csv/calibration-graded.csv
    sonoquality evaluate pages --out docs/results""",
        sections=(calibration.section,),
    ),
    "ulpips.md": Page(
        head="""# uLPIPS: how far two pictures lie apart

Every number below is read from a CSV in `csv/`, by

    sonoquality evaluate pages --out docs/results""",
        sections=(
            paper_parity.ulpips_section,
            ulpips_encoder.section,
            ulpips_choice.section,
            ulpips_ladders.section,
            dice_link.section,
            matched_pairs.section,
            restoration.section,
        ),
    ),
}


def write_pages(out: Path) -> tuple[Path, ...]:
    """Write every page into a folder of results, from its folder `csv`."""
    paths = tuple(out / name for name in PAGES)
    for path in paths:
        page = PAGES[path.name]
        parts = [page.head, *_written(page.sections, out / CSV_FOLDER)]
        path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
        for name, draw in page.pictures.items():
            with suppress(FileNotFoundError):
                draw(out / CSV_FOLDER).save(out.parent / "images" / name, optimize=True)
    return paths


def _written(sections: Sequence[Section], folder: Path) -> Iterable[str]:
    for section in sections:
        try:
            yield section(folder)
        except FileNotFoundError:
            continue
