"""Commands of MedQM: labels from diagnostic loss, and the network that learns them."""

import json
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from sonoquality.cli.encoders import room
from sonoquality.cli.options import Bars, Data, Entry
from sonoquality.images import KINDS, read_luma
from sonoquality.preprocess import scan_mask
from sonoquality.results import pages
from sonoquality.zoo import SHIPPED, default_zoo

app = typer.Typer(no_args_is_help=True, help="MedQM: labels from what faults cost a diagnosis.")

Run = Annotated[Path, typer.Option(help="Folder of the run; what is there already stays.")]
Config = Annotated[Path, typer.Option(help="TOML file; see models/recipes.")]
Table = Annotated[Path, typer.Option(help="Embedded sentences, of `sonoquality medqm priors`.")]
Weights = Annotated[
    Path | None, typer.Option(help="Entry of `sonoquality medqm export`; that of the zoo.")
]
Most = Annotated[int, typer.Option(min=8, help="Training images of a source.")]


@app.command()
def copies(data: Data, run: Run, most: Most = 120) -> None:
    """Spoil images: ladders, mixtures, harmless changes, and speckle alone."""
    with Progress() as progress:
        _study(data, run, most).spoil(Bars(progress))


@app.command()
def diagnosticians(config: Config, data: Data, run: Run) -> None:
    """Train the small diagnosticians, each without one fold; goes on after an interruption."""
    recipe = room("sonoquality.labelling.config").read_config(config)
    with Progress() as progress:
        _study(data, run).teach(recipe, Bars(progress))


@app.command()
def diagnose(
    data: Data,
    run: Run,
    *,
    language: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of `sonoquality train mllm`; adds a kind. Several: their mean."),
    ] = None,
    most: Most = 120,
) -> None:
    """Let the small diagnosticians work on every copy."""
    study = _study(data, run, most)
    who = list(study.small())
    if language:
        committee = room("sonoquality.labelling.diagnosing").Committee
        asked = room("sonoquality.labelling.language").LanguageDiagnostician
        who.append(committee([asked(each) for each in language]))
    with Progress() as progress:
        study.diagnose(who, Bars(progress))


@app.command()
def labels(config: Config, table: Table, data: Data, run: Run, most: Most = 120) -> None:
    """Join what was found to labels; writes labels.csv and labels.json into the run."""
    with Progress() as progress:
        study = _medqm(config, table, _study(data, run, most), None, Bars(progress))
        print(study.write_labels(study.about()))


@app.command()
def train(
    config: Config,
    table: Table,
    data: Data,
    run: Run,
    *,
    entry: Entry = None,
    most: Most = 120,
    variants: Annotated[bool, typer.Option(help="Also those without a part or a kind.")] = False,
) -> None:
    """Extract features and train MedQM-I; goes on after an interruption."""
    with Progress() as progress:
        study = _medqm(config, table, _study(data, run, most), entry, Bars(progress))
        study.extract()
        print(study.learn_whole())
        if variants:
            for folder in study.learn_variants():
                print(folder)


@app.command()
def measure(
    config: Config,
    table: Table,
    data: Data,
    run: Run,
    out: Annotated[Path, typer.Option(help="Folder of the results, with its folder csv.")],
    *,
    most: Most = 120,
) -> None:
    """Hold labels and network against what was asked for; writes CSVs and pages."""
    with Progress() as progress:
        study = _medqm(config, table, _study(data, run, most), None, Bars(progress))
        study.measure(out / pages.CSV_FOLDER)
    pages.write_pages(out)


@app.command()
def export(
    config: Config,
    table: Table,
    data: Data,
    run: Run,
    out: Annotated[Path, typer.Option(help="The zoo to write to.")],
    *,
    most: Most = 120,
) -> None:
    """Write the trained network as an entry of the zoo."""
    with Progress() as progress:
        study = _medqm(config, table, _study(data, run, most), None, Bars(progress))
        print(study.export(out))


@app.command()
def join(
    config: Config,
    data: Data,
    run: Run,
    out: Annotated[Path, typer.Option(help="The zoo to write to.")],
    *,
    weights: Weights = None,
    entry: Entry = None,
    per_source: Annotated[int, typer.Option(min=1, help="Images of a source to measure on.")] = 20,
    most: Most = 120,
) -> None:
    """Join NRQ and the network in one graph; measures how to read it on images new to it."""
    joint = room("sonoquality.training.medqm.joint")
    with Progress() as progress:
        print(
            joint.join(
                joint.Parts(nrq=entry or default_zoo() / SHIPPED, medqm=_weights(weights)),
                joint.read_recipe(config),
                _study(data, run, most),
                out,
                per_source=per_source,
                tell=Bars(progress),
            )
        )


@app.command("try-joined")
def try_joined(
    entry: Annotated[Path, typer.Option(help="Joined entry of the zoo.")],
    run: Run,
    out: Annotated[Path, typer.Option(help="Folder of the results, with its folder csv.")],
) -> None:
    """Judge the copies of `medqm measure` by a joined entry; writes its CSV and pages."""
    trial = room("sonoquality.training.medqm.joint_trial")
    with Progress() as progress:
        trial.run(entry, run / "pictures", out / pages.CSV_FOLDER, Bars(progress))
    pages.write_pages(out)


@app.command()
def judge(
    images: Annotated[list[Path], typer.Argument(help=f"{KINDS}.")],
    *,
    weights: Weights = None,
    table: Annotated[
        Path, typer.Option(help="Embedded sentences, of `sonoquality medqm priors`.")
    ] = Path("models/recipes/priors.npz"),
    entry: Entry = None,
) -> None:
    """Say how well pictures will serve, and which faults they have; one JSON line each."""
    entries, priors = (room(f"sonoquality.training.medqm.{name}") for name in ("entry", "priors"))
    sentences = room("torch").from_numpy(priors.read(table))
    judging = entries.Judge(_weights(weights), entry or default_zoo() / SHIPPED, sentences)
    for path in images:
        luma = read_luma(path)
        said = judging.judge(luma, scan_mask(luma))
        severities = {name: round(value, 2) for name, value in said.severities.items()}
        numbers = {"utility": round(said.utility, 1), "off_by": round(said.off_by, 1)}
        print(json.dumps({"path": str(path), **numbers, "severities": severities}))


@app.command()
def priors(out: Annotated[Path, typer.Option(help="File to write (.npz).")]) -> None:
    """Embed the sentences of the textual priors."""
    room("sonoquality.training.medqm.priors").write(out)
    print(out)


def _weights(given: Path | None) -> Path:
    entries = room("sonoquality.training.medqm.entry")
    return given or default_zoo() / entries.NAME / entries.VERSION


def _study(data: Path, run: Path, most: int = 120) -> Any:
    return room("sonoquality.labelling.study").Study(data=data, run=run, most=most)


def _medqm(config: Path, table: Path, study: Any, entry: Path | None, bars: Bars) -> Any:
    recipe = import_module("sonoquality.training.medqm.config").read_config(config)
    whole = entry or default_zoo() / SHIPPED
    kind = room("sonoquality.training.medqm.study").MedqmStudy
    return kind(study, whole, table, recipe, bars)
