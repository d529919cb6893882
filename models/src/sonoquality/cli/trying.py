"""Commands that run a trial and keep its table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from sonoquality.cli.encoders import room
from sonoquality.cli.options import Bars, Data, Entry
from sonoquality.evaluation import LEDGER, note
from sonoquality.images import KINDS, read_luma
from sonoquality.model import QualityModel
from sonoquality.preprocess import scan_mask
from sonoquality.training.data import read_index
from sonoquality.training.experts import read_recipe
from sonoquality.training.rankings import Rankings
from sonoquality.trials import boxes, judges, known_organ, laps, maps, pictures, table
from sonoquality.zoo import SHIPPED, default_zoo

app = typer.Typer(no_args_is_help=True, help="Let judges score spoiled pictures; keeps a table.")

Table = Annotated[Path, typer.Option("--out", help="CSV to write; a trial cut off goes on.")]
By = Annotated[str, typer.Option(help="baselines, or a folder of the zoo.")]
PerSource = Annotated[int, typer.Option(min=1, help="Images of each source.")]
Split = Annotated[str, typer.Option(help="Of INDEX.csv: train, val or eval.")]


@app.command()
def ladders(data: Data, out: Table, by: By, per_source: PerSource = 14) -> None:
    """Judge validation images under every fault at every level."""
    rows = [row for row in read_index(data) if row.split == "val"]
    _run(out, [pictures.Spoiled(row=row) for row in pictures.spread(rows, per_source)], by)


@app.command()
def clean(data: Data, out: Table, by: By, split: Split = "val") -> None:
    """Judge all images of a split as they are."""
    rows = [row for row in read_index(data) if row.split == split]
    _run(out, [pictures.AsItIs(row=row) for row in rows], by)


@app.command()
def graded(
    data: Data,
    out: Table,
    by: By,
    *,
    faults: Annotated[
        bool, typer.Option("--faults", help="Every raw score and severity, for calibration.md.")
    ] = False,
) -> None:
    """Judge the images that people graded; for evaluation only, and every model is noted."""
    rows = [row for row in read_index(data) if row.split == "eval" and row.quality_label]
    shown = [pictures.AsItIs(row=row, called=row.quality_label) for row in rows]
    if faults:
        with Progress() as progress:
            table.run(out, shown, judges.with_faults(Path(by)), Bars(progress))
    else:
        _run(out, shown, by)
    if by != "baselines":
        note(out.parent.parent / LEDGER, QualityModel.load(Path(by), ("cpu",)))


@app.command()
def external(
    folder: Annotated[Path, typer.Option(help="Set made by models/external/make_set.py.")],
    out: Table,
    by: By,
) -> None:
    """Judge a set of faults that another package made."""
    _run(out, pictures.external(folder), by)


@app.command()
def variations(data: Data, out: Table, by: By, per_source: PerSource = 14) -> None:
    """Judge validation images beside copies that are no worse."""
    rows = [row for row in read_index(data) if row.split == "val"]
    _run(out, [pictures.Varied(row=row) for row in pictures.spread(rows, per_source)], by)


@app.command("boxes")
def boxes_(
    data: Data,
    out: Table,
    entry: Annotated[Path, typer.Option(help="Folder of the zoo.")],
    *,
    per_source: PerSource = 14,
    of_faults: Annotated[
        bool, typer.Option("--of-faults", help="Ask where a joined entry places the fault itself.")
    ] = False,
) -> None:
    """Ask for the worst box of images spoiled in one place."""
    rows = [row for row in read_index(data) if row.split == "val"]
    with Progress() as progress:
        model = QualityModel.load(entry, ("cpu",))
        chosen = pictures.spread(rows, per_source)
        boxes.run(out, chosen, model, Bars(progress), of_faults=of_faults)


@app.command("laps")
def laps_(
    out: Annotated[Path, typer.Option(help="CSV to write.")],
    *,
    entry: Annotated[Path, typer.Option(help="Folder of the zoo.")],
    rounds: Annotated[int, typer.Option(min=3, help="How often.")] = 40,
) -> None:
    """Time the verdict on a still of 448 by 336 pixels beside the encoder alone, in turns."""
    with Progress() as progress:
        laps.run(out, QualityModel.load(entry, ("cpu",)), rounds, Bars(progress))


@app.command("maps")
def maps_(
    images: Annotated[list[Path] | None, typer.Argument(help=f"{KINDS}.")] = None,
    *,
    out: Annotated[Path, typer.Option(help="PNG to write.")],
    entry: Entry = None,
    data: Annotated[
        Path | None, typer.Option(help="INDEX.csv's folder: validation images instead.")
    ] = None,
    per_source: PerSource = 1,
    seed: Annotated[int, typer.Option(help="Places and noise of the faults.")] = 0,
) -> None:
    """Draw heat maps of spoiled pictures beside what is spoilt, for people to judge."""
    subjects = [
        maps.Subject.of(path.stem, luma := read_luma(path, None), scan_mask(luma), seed)
        for path in images or []
    ]
    if data is not None:
        rows = [row for row in read_index(data) if row.split == "val"]
        chosen = pictures.spread(rows, per_source)
        subjects += [maps.Subject.of(row.organ, *row.read(), row.seed) for row in chosen]
    if not subjects:
        raise typer.BadParameter("Name images, or give --data.")
    with Progress() as progress:
        model = QualityModel.load(entry or default_zoo() / SHIPPED, ("cpu",))
        drawn = maps.sheet(subjects, model, Bars(progress))
    out.parent.mkdir(parents=True, exist_ok=True)
    drawn.save(out, optimize=True)


@app.command()
def organs(
    data: Data,
    out: Table,
    entry: Annotated[Path, typer.Option(help="Folder of the zoo.")],
    *,
    per_source: PerSource = 4,
    as_they_are: Annotated[
        bool, typer.Option("--as-they-are", help="All images without faults, not ladders of some.")
    ] = False,
) -> None:
    """Judge validation images with the organ known, told by the picture, and neither."""
    rows = [row for row in read_index(data) if row.split == "val"]
    with Progress() as progress:
        model, bars = QualityModel.load(entry, ("cpu",)), Bars(progress)
        if as_they_are:
            known_organ.run(out, rows, pictures.AsItIs, model, bars)
        else:
            chosen = pictures.spread(rows, per_source)
            known_organ.run(out, chosen, pictures.Spoiled, model, bars)


@app.command("refits")
def refits_(
    data: Data,
    out: Table,
    *,
    encoder: Annotated[Path, typer.Option(help="Folder of `sonoquality export encoder`.")],
    ranker: Annotated[Path, typer.Option(help="Folder of `sonoquality train ranker`.")],
    recipe: Annotated[Path, typer.Option(help="TOML of the experts; see models/recipes.")],
    per_source: PerSource = 8,
) -> None:
    """Judge every source's ladders by a fit that has seen it and by one that has not."""
    refits = room("sonoquality.trials.refits")
    fitting = room("sonoquality.training.fit_experts")
    rows = read_index(data)
    with Progress() as progress:
        bars = Bars(progress)
        parts = refits.Refits.gather(
            fitting.exported_encoder(encoder),
            read_recipe(recipe),
            Rankings.load(ranker),
            rows,
            bars,
        )
        refits.run(out, parts, rows, per_source, bars)


def _run(out: Path, shown: Sequence[pictures.Shown], by: str) -> None:
    judge = judges.baselines() if by == "baselines" else judges.entry(Path(by))
    with Progress() as progress:
        table.run(out, shown, judge, Bars(progress))


@app.command()
def language(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder of the tables.")],
    *,
    run: Annotated[Path, typer.Option(help="Folder of all folds of `sonoquality train mllm`.")],
    folds: Annotated[int, typer.Option(min=2, help="How many folds there are.")] = 4,
    per_source: Annotated[int, typer.Option(min=0, help="Pictures with ladders.")] = 4,
    operators: Annotated[str, typer.Option(help="Of the ladders.")] = "SPK,DEF,SHA,CON,ATT,G-",
) -> None:
    """Ask the trained language models about pictures that they never learned from."""
    trial = room("sonoquality.labelling.language_trial")
    who = room("sonoquality.labelling.language").LanguageDiagnostician(run, folds)
    with Progress() as progress:
        bars = Bars(progress)
        if per_source:
            trial.ladders(data, who, out, (per_source, operators.split(",")), bars)
        trial.answers(data, who, out, bars)
