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
    joined,
    joined_faults,
    joined_worth,
    matched_pairs,
    medqm,
    medqm_ceiling,
    medqm_choice,
    medqm_committees,
    medqm_plots,
    nrq_ablations,
    nrq_alarms,
    nrq_choice,
    nrq_graded,
    nrq_ladders,
    nrq_maps,
    nrq_organs,
    nrq_steady,
    paper_parity,
    qbench,
    qbench_plots,
    restoration,
    ulpips_choice,
    ulpips_encoder,
    ulpips_ladders,
)

CSV_FOLDER, IMAGES = "csv", "images"
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
            medqm_committees.section,
            medqm.harm_section,
            medqm.network_section,
            medqm_ceiling.section,
            medqm_choice.section,
            medqm.variant_section,
        ),
        pictures={
            medqm_plots.QUALITIES_PNG: medqm_plots.qualities,
            medqm_plots.LOSSES_PNG: medqm_plots.losses,
            medqm_plots.AGREEMENT_PNG: medqm_plots.agreement,
        },
    ),
    "joined.md": Page(
        head="""# The joined verdict: NRQ and MedQM-I as one

Every number below is read from a CSV in `csv/`, by

    sonoquality evaluate pages --out docs/results

`make joined` writes the entry and the CSVs.""",
        sections=(
            joined.rule_section,
            joined.band_section,
            joined_faults.finding_section,
            joined_faults.place_section,
            joined_worth.graded_section,
            joined_worth.speed_section,
        ),
    ),
    "calibration.md": Page(
        head="""# Calibration to a site's own grades: the worked example

What [`sonogate calibrate`](../how-to/calibrate.md) does, on hearts of CAMUS that cardiologists
graded poor, medium and good. Every number below is read from CSVs in `csv/`, by

    sonoquality try graded --faults --data DATA --by models/zoo/nrq/1.1.0 \\
        --out docs/results/csv/calibration-graded.csv
    sonoquality try graded --faults --data DATA --by models/zoo/joined/1.1.0 \\
        --out docs/results/csv/calibration-graded-joined.csv
    sonoquality evaluate calibration-choice --out docs/results
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
    "qbench.md": Page(
        head="""# Ultrasound-QBench: judges of quality on three tasks

Every number below is read from a CSV in `csv/`, by

    sonoquality qbench report --answers ANSWERS --out docs/results

The three tasks are those of the benchmark of that name (Miao 2025), of which only the abstract is
public: data, prompts, pairs and measures are this project's own, and no number compares with
theirs.""",
        sections=(
            qbench.sets_section,
            qbench.leaderboard_section,
            qbench.classification_section,
            qbench.scoring_section,
            qbench.comparison_section,
            qbench.entrants_section,
        ),
        pictures={
            qbench.CONFUSIONS_PNG: qbench_plots.confusions,
            qbench.SCATTER_PNG: qbench_plots.scatter,
            qbench.GAPS_PNG: qbench_plots.gaps,
        },
    ),
}


def write_pages(out: Path) -> tuple[Path, ...]:
    """Write every page into a folder of results, from its folder `csv`."""
    return tuple(write_page(out, name) for name in PAGES)


def write_page(out: Path, name: str) -> Path:
    """Write one page of `PAGES`, and its pictures into the folder `images` beside the results."""
    page = PAGES[name]
    parts = [page.head, *_written(page.sections, out / CSV_FOLDER)]
    (out / name).write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    for picture, draw in page.pictures.items():
        with suppress(FileNotFoundError):
            drawn = draw(out / CSV_FOLDER)
            (out.parent / IMAGES).mkdir(exist_ok=True)
            drawn.save(out.parent / IMAGES / picture, optimize=True)
    return out / name


def _written(sections: Sequence[Section], folder: Path) -> Iterable[str]:
    for section in sections:
        try:
            yield section(folder)
        except FileNotFoundError:
            continue
