"""Commands that measure how honest a model is."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, track

from sonoquality.cli.encoders import load_encode, load_weights, room
from sonoquality.cli.options import Bars, Data, Entry, Out, Weights
from sonoquality.exported import read_record
from sonoquality.results import (
    calibration_choice,
    encoder_speed,
    nrq_ablations,
    pages,
    paper_parity,
    ulpips_choice,
)
from sonoquality.results import restoration as restorations
from sonoquality.results.calibration_rows import read_lines
from sonoquality.zoo import HUMBLE, SHIPPED, default_zoo

app = typer.Typer(no_args_is_help=True, help="Measure models; each writes a page of docs/results.")

Reference = Annotated[Path, typer.Option(help="Folder of the released program's numbers.")]
Results = Annotated[Path, typer.Option(help="Folder of the results, with its folder csv.")]


@app.command()
def model(
    data: Data,
    out: Out,
    entry: Entry = None,
) -> None:
    """Evaluate a zoo entry on validation ladders and on the graded evaluation set."""
    evaluation = import_module("sonoquality.evaluation")
    with Progress() as progress:
        evaluation.evaluate(data, out, entry or default_zoo() / HUMBLE, Bars(progress))


@app.command("paper-parity")
def parity(
    data: Reference,
    out: Results,
) -> None:
    """Compare `paper` mode with what the authors' program printed; writes a CSV and the pages."""
    encode = load_encode(data / paper_parity.WEIGHTS)
    rows = list(track(paper_parity.measure(data, encode), "Numbers compared"))
    paper_parity.write_csv(out / pages.CSV_FOLDER / paper_parity.CSV, rows)
    pages.write_pages(out)
    worst = max(row.error for row in rows)
    print(f"{len(rows)} numbers, largest relative error {worst:.1e}")
    raise typer.Exit(code=int(worst > paper_parity.ASKED))


@app.command()
def ulpips(
    data: Data,
    run: Annotated[Path, typer.Option(help="Folder that holds `segmentation`; keeps numbers.")],
    out: Results,
    *,
    weights: Weights = None,
    ladders: Annotated[int, typer.Option(min=1, help="Pictures of an organ on ladders.")] = 12,
    operators: Annotated[int, typer.Option(min=1, max=20, help="Of each picture.")] = 20,
    pairs: Annotated[int, typer.Option(min=1, help="Pictures of an organ in pairs.")] = 12,
) -> None:
    """Hold uLPIPS and its rivals against ladders and Dice; writes CSVs and the pages.

    What was measured before is not measured again; larger numbers add to it.
    """
    study = room("sonoquality.training.segmentation.study")
    encoder = load_weights(weights)
    with Progress() as progress:
        size = study.Size(ladders=ladders, operators=operators, pairs=pairs)
        study.measure(encoder, data, run, size, Bars(progress))
    words = (
        f"sonoquality evaluate ulpips --ladders {ladders} --operators {operators} --pairs {pairs}"
    )
    study.write(encoder, data, run, out / pages.CSV_FOLDER, words)
    pages.write_pages(out)


@app.command("ulpips-weights")
def ulpips_weights(
    data: Data,
    run: Annotated[Path, typer.Option(help="Folder that holds `segmentation`; keeps numbers.")],
    out: Results,
    *,
    weights: Weights = None,
    ladders: Annotated[int, typer.Option(min=1, help="Pictures of an organ.")] = 8,
    operators: Annotated[int, typer.Option(min=1, max=20, help="Of each picture.")] = 20,
) -> None:
    """Try what uLPIPS looks at, pools and weighs, on calibration groups; writes CSV and pages."""
    choice = room("sonoquality.training.segmentation.choice")
    with Progress() as progress:
        size = (ladders, operators)
        tried = choice.measure(load_weights(weights), data, run, size, Bars(progress))
    ulpips_choice.write_csv(out / pages.CSV_FOLDER, tried)
    pages.write_pages(out)


@app.command()
def restoration(
    run: Annotated[Path, typer.Option(help="Folder of `sonoquality train restoration`.")],
    out: Results,
    *,
    weights: Weights = None,
    data: Annotated[Path | None, typer.Option(help="INDEX.csv's folder; else phantoms.")] = None,
    segmentation: Annotated[
        Path | None, typer.Option(help="Folder of `sonoquality train segmentation`; adds Dice.")
    ] = None,
    pictures: Annotated[int, typer.Option(min=1, help="Of each organ.")] = 12,
) -> None:
    """Compare the losses of the restoration example; writes a CSV, a picture and the pages."""
    compare = room("sonoquality.training.restoration.compare")
    rows = compare.measure(run, load_weights(weights), data, segmentation, pictures)
    restorations.write_csv(out / pages.CSV_FOLDER / restorations.CSV, rows)
    images = out.parent / "images"
    images.mkdir(exist_ok=True)
    compare.sheet(run).save(images / restorations.PICTURE, optimize=True)
    pages.write_pages(out)


@app.command("encoder-speed")
def speed(
    encoder: Annotated[Path, typer.Option(help="Folder of `sonoquality export encoder`.")],
    out: Results,
    *,
    entry: Entry = None,
    repeats: Annotated[int, typer.Option(min=3, help="Rounds over all graphs.")] = 15,
    threads: Annotated[list[int], typer.Option(help="May be repeated.")] = [1, 2],  # noqa: B006 - typer copies it
) -> None:
    """Time and weigh an exported encoder and NRQ beside the bare TinyUSFM; writes the pages."""
    near = encoder_speed.near_of(read_record(encoder))
    measuring = room("sonoquality.export.speed")
    with measuring.graphs(encoder, entry or default_zoo() / SHIPPED) as paths:
        held = list(track(measuring.weigh(paths, threads), "Memory"))
        timed = [
            row for n in threads for row in track(measuring.measure(paths, repeats, n), "Timings")
        ]
    encoder_speed.write_csvs(out / pages.CSV_FOLDER, timed, held, near)
    pages.write_pages(out)


@app.command()
def ablations(
    config: Annotated[Path, typer.Option(help="TOML of `sonoquality train ablations`.")],
    data: Data,
    runs: Annotated[Path, typer.Option(help="Folder of `sonoquality train ablations`.")],
    out: Results,
    encoder: Annotated[Path | None, typer.Option(help="Of a whole run, to stand beside.")] = None,
) -> None:
    """Judge validation ladders by every short encoder; writes a CSV and the pages."""
    trained = room("sonoquality.training.encoder.ablations")
    configs = room("sonoquality.training.encoder.config")
    with Progress() as progress:
        table = out / pages.CSV_FOLDER / nrq_ablations.CSV
        recipe, bars = configs.read_config(config), Bars(progress)
        trained.measure(recipe, runs, data, table, bars, shipped=encoder)
    pages.write_pages(out)


@app.command("calibration-choice")
def calibration_choice_(out: Results) -> None:
    """Choose in nested folds which numbers by hand heads may weigh; writes a CSV and the pages."""
    folder = out / pages.CSV_FOLDER
    with Progress() as progress:
        calibration_choice.measure(folder, read_lines(folder), Bars(progress))
    pages.write_pages(out)


@app.command("pages")
def write(out: Results) -> None:
    """Write docs/results anew from the CSVs that are kept there."""
    for path in pages.write_pages(out):
        print(path)
