"""Commands of the benchmark: ask entrants about a data set, and lay out what they said."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from sonoquality.cli.options import Bars
from sonoquality.evaluation import LEDGER, note
from sonoquality.mllm.chat import Chat
from sonoquality.mllm.endpoint import EndpointMultimodal
from sonoquality.qbench import entrants, ladders, prompts, readers, report, run
from sonoquality.qbench.drawing import N_PAIRS
from sonoquality.qbench.items import Bench
from sonoquality.results import pages

app = typer.Typer(no_args_is_help=True, help="Ultrasound-QBench: three tasks for any judge.")

PAGE = "qbench.md"


class Form(StrEnum):
    """How a data set lies on the disk."""

    AUTO = "auto"
    TABLE = "table"
    FOLDER = "folder"
    GRADED = "graded"
    LADDERS = "ladders"


@app.command("run")
def run_(
    context: typer.Context,
    data: Annotated[
        Path,
        typer.Option(
            help="CSV or JSON lines; a folder with high, medium and low or labels.csv; or a "
            "collection with INDEX.csv."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of answers; a run cut off goes on.")],
    *,
    entrant: Annotated[
        list[str] | None,
        typer.Option(
            help="joined, nrq, dct-manifold, medqm, a baseline, metrics (all of these), random, "
            "constant, or a folder of the zoo; may be repeated."
        ),
    ] = None,
    form: Annotated[
        Form,
        typer.Option(help="ladders: put known faults on a collection's validation images."),
    ] = Form.AUTO,
    organ: Annotated[str, typer.Option(help="What pictures show that don't say it.")] = "",
    pairs: Annotated[int, typer.Option(min=1, help="To draw; matched ones come on top.")] = N_PAIRS,
    per_source: Annotated[int, typer.Option(min=1, help="Of ladders: images of a source.")] = 3,
    prompt: Annotated[
        list[int] | None,
        typer.Option(min=1, max=3, help="Level of help in prompts; may be repeated; all three."),
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="OpenAI-compatible server, http://localhost:8000/v1.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Its model's name.")] = None,
    key_variable: Annotated[
        str, typer.Option(help="Environment variable that holds the server's key.")
    ] = "OPENAI_API_KEY",
    timeout_seconds: Annotated[float, typer.Option(min=1, help="For one answer.")] = 120.0,
    local: Annotated[
        list[Path] | None, typer.Option(help="Folder of a model's weights, run here; repeatable.")
    ] = None,
) -> None:
    """Ask entrants about a data set; each answer is kept as it comes."""
    taking_part = entrants.all_named(entrant or [])
    if endpoint is not None:
        if model is None:
            raise typer.BadParameter("--endpoint needs --model NAME.")
        chat = Chat(
            url=endpoint, model=model, key_variable=key_variable, timeout_seconds=timeout_seconds
        )
        context.call_on_close(chat.close)
        taking_part.append(entrants.Speaker(name=model, model=EndpointMultimodal(chat)))
    taking_part += [entrants.local(folder) for folder in local or []]
    if not taking_part:
        raise typer.BadParameter("Name an --entrant, or give --endpoint or --local.")
    bench = _bench(data, form, pairs, per_source, organ)
    with Progress() as progress:
        levels = sorted(set(prompt or prompts.LEVELS))
        folder = run.run(bench, taking_part, out, Bars(progress), levels)
    print(f"{len(bench.items)} pictures, {len(bench.pairs)} pairs: answers in {folder}")


def _bench(data: Path, form: Form, n_pairs: int, per_source: int, organ: str) -> Bench:
    if not data.exists():
        raise typer.BadParameter(f"There is no {data}.")
    if form is Form.LADDERS:
        return ladders.make(data, per_source, n_pairs)
    told = readers.form_of(data) if form is Form.AUTO else readers.Form(form.value)
    if told is readers.Form.TABLE:
        return readers.read_table(data, n_pairs, organ)
    if told is readers.Form.FOLDER:
        return readers.read_folder(data, n_pairs, organ)
    return readers.read_graded(data, n_pairs)


@app.command("report")
def report_(
    answers: Annotated[Path, typer.Option(help="Folder of `qbench run`.")],
    out: Annotated[
        Path,
        typer.Option(
            help="Folder of results: the page, CSVs in its folder csv, plots in images beside it."
        ),
    ],
) -> None:
    """Measure what was answered: leaderboard as Markdown and CSV, and plots."""
    with Progress() as progress:
        written = report.write(answers, out / pages.CSV_FOLDER, Bars(progress))
    for known in written.models:
        note(out / LEDGER, known)
    print(pages.write_page(out, PAGE))
    for reason in written.unfinished:
        print(f"left out: {reason}")
