"""The command line: `sonogate serve | demo | phantom | send | score | calibrate | …`.

Exit codes: 0 done, 1 it failed (the message says what to do), 2 wrong usage.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Coroutine, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from sonogate import __version__, auditing
from sonogate.calibrating import commands as calibrating
from sonogate.errors import GateError
from sonogate.progress import Progress
from sonogate.settings import LogSettings, Settings, load, loading, reference
from sonogate.settings.sources import all_knobs

FAILED, STOPPED = 1, 130

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="SonoGate, the ultrasound quality gate.",
    pretty_exceptions_enable=False,
)
settings_app = typer.Typer(no_args_is_help=True, help="Show, check and explain the settings.")
app.add_typer(settings_app, name="settings")
app.add_typer(auditing.app, name="audit")
app.add_typer(calibrating.app, name="calibrate")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="SONOGATE_CONFIG", help="TOML settings file."),
]
PathsArgument = Annotated[list[Path], typer.Argument(help="Files, or folders to walk.")]


@app.command()
def serve(config: ConfigOption = None) -> None:
    """Run the gate until it is told to stop (Ctrl-C or SIGTERM)."""
    from sonogate.observe import dumps, logs
    from sonogate.receive.tls import check_files

    settings = loading.load_checked(config, check_files)
    logs.configure(settings.log)
    dumps.forbid_dumps()
    typer.echo(_plan(settings), err=True)
    _until_stopped(_serve(settings))


def _plan(settings: Settings) -> str:
    """Say what is about to start, before the seconds in which it loads."""
    listener, http = settings.listener, settings.http
    return (
        f"sonogate {__version__} starts: DICOM {listener.ae_title}@{listener.host}:{listener.port},"
        f" HTTP {http.host}:{http.port}, data in {settings.data_dir}"
    )


async def _serve(settings: Settings) -> None:
    from sonogate.app import running_gate
    from sonogate.observe.ending import end_in_time

    listener, scoring = settings.listener, settings.scoring
    typer.echo(f"loading {scoring.model} into {scoring.workers} worker processes", err=True)
    async with running_gate(settings) as gate:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, gate.reload_certificates)
        typer.echo(
            f"ready: DICOM {listener.ae_title}@{listener.host}:{gate.dicom_port}   page {gate.url}",
            err=True,
        )
        try:
            await asyncio.Event().wait()
        finally:
            end_in_time()


def _until_stopped(work: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end; Ctrl-C and SIGTERM cancel it, so that everything is put away."""

    async def guarded() -> Any:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        await asyncio.wait([task])
        return None if task.cancelled() else task.result()

    return asyncio.run(guarded())


@app.command()
def demo(
    *,
    source: Annotated[
        Path | None,
        typer.Option("--from", exists=True, help="Send the DICOM objects under this folder."),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Exit after the table; 1 if a verdict is missing.")
    ] = False,
    data_dir: Annotated[
        Path | None, typer.Option(help="Keep the demo's data here; else it goes with the demo.")
    ] = None,
    dicom_port: Annotated[int | None, typer.Option(min=0, max=65535)] = None,
    http_port: Annotated[int | None, typer.Option(min=0, max=65535)] = None,
    config: ConfigOption = None,
) -> None:
    """Start a gate, send it an exam over DICOM, show the verdicts, and keep serving."""
    from sonogate.demo.run import Wishes, run_demo
    from sonogate.observe import logs

    logs.configure(LogSettings(level="error", form="console"))
    wishes = Wishes(
        source=source, once=once, data_dir=data_dir, dicom_port=dicom_port, http_port=http_port
    )
    complete = _until_stopped(run_demo(load(config), wishes, Console()))
    if not complete:
        raise typer.Exit(STOPPED if complete is None else FAILED)


@app.command()
def phantom(folder: Annotated[Path, typer.Argument(help="Folder to write to.")]) -> None:
    """Write the demo's phantom exam as DICOM files, to send by any other means."""
    from sonogate.demo.exam import names_of, write_exam

    with Progress("Drawing a phantom exam (no patient)", len(names_of())) as progress:
        for path in write_exam(folder, datetime.now().astimezone()):
            progress.advance()
            progress.beside(partial(typer.echo, path))


@app.command()
def send(
    paths: PathsArgument,
    to: Annotated[str, typer.Option(help="HOST:PORT of the receiver.")],
    called_ae: Annotated[str, typer.Option(help="AE title of the receiver.")],
    calling_ae: Annotated[str, typer.Option(help="Our AE title.")] = "SONOGATE",
    *,
    tls: Annotated[bool, typer.Option("--tls", help="Speak DICOM over TLS; needs --ca.")] = False,
    ca: Annotated[Path | None, typer.Option(help="PEM: who vouches for the receiver.")] = None,
    cert: Annotated[Path | None, typer.Option(help="PEM: the certificate we show.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM: its key.")] = None,
) -> None:
    """Send DICOM objects by C-STORE, each in the transfer syntax it has.

    With --tls the receiver must show a certificate of --ca for the HOST it is addressed by.
    """
    from sonogate.demo.objects import find_objects
    from sonogate.demo.sender import Peer, Sent, send_study
    from sonogate.demo.tls import client_context

    host, _, port = to.rpartition(":")
    if not host or not port.isdigit():
        raise typer.BadParameter(
            f"{to!r} is not HOST:PORT, like 127.0.0.1:11112", param_hint="--to"
        )
    peer = Peer(
        host=host.strip("[]"),
        port=int(port),
        called_ae=called_ae,
        calling_ae=calling_ae,
        tls=client_context(ca, cert, key) if tls or ca or cert or key else None,
    )
    found = find_objects(paths)
    for path, reason in found.skipped.items():
        typer.echo(f"skipped {path}: {reason}", err=True)
    if not found.files:
        raise GateError("No DICOM object to send; give Part 10 files or folders that hold some.")
    results: list[Sent] = []
    with Progress(f"Sending to {peer}", len(found.files)) as progress:

        def note(sent: Sent) -> None:
            results.append(sent)
            progress.advance()

        for files in found.by_study().values():
            send_study(files, peer, note)
    for sent in results:
        typer.echo(f"{sent.file.path}: {sent.detail} ({sent.seconds:.3f} s)")
    refused = [sent for sent in results if not sent.is_kept]
    if refused:
        raise GateError(f"{len(refused)} of {len(results)} objects were not kept by {peer}.")


@app.command()
def score(
    *,
    paths: PathsArgument,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line: path and verdict.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Judge DICOM objects and PNG, JPEG or WebP images here, without a server."""
    from sonogate.demo.objects import files_under
    from sonogate.offline import judge_files

    settings, files, n_judged = load(config), list(files_under(paths)), 0
    with Progress("Judging", len(files)) as progress:
        for judged in judge_files(files, settings):
            progress.advance()
            if judged.verdict is None:
                skipped = f"skipped {judged.path}: {judged.skipped}"
                progress.beside(partial(typer.echo, skipped, err=True))
                continue
            n_judged += 1
            said = json.dumps(judged.to_json()) if as_json else judged.to_text()
            progress.beside(partial(typer.echo, said))
    if not n_judged:
        raise GateError("Nothing to judge: give DICOM objects, PNG, JPEG or WebP images.")


@app.command()
def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    config: ConfigOption = None,
) -> None:
    """Look at this machine and these settings, and say in plain words what is wrong."""
    from sonogate.doctor import Level, examine
    from sonogate.observe import logs

    logs.configure(LogSettings(level="error", form="console"))
    worst = Level.OK
    for finding in examine(load(config)):
        typer.echo(json.dumps(finding.to_json()) if as_json else finding.to_line())
        worst = max(worst, finding.level)
    if worst is Level.FAIL:
        raise typer.Exit(FAILED)


@settings_app.command("show")
def settings_show(config: ConfigOption = None) -> None:
    """Print every value in force and where it came from; secrets stay hidden."""
    loaded = loading.load_with_origins(config)
    width = max(len(knob.key) for knob in all_knobs())
    for knob in all_knobs():
        value = reference.shown(knob, loaded.settings)
        typer.echo(f"{knob.key:<{width}}  {value}  ({loaded.origins[knob.key]})")


@settings_app.command("check")
def settings_check(config: ConfigOption = None) -> None:
    """Check the settings file and the environment; start nothing."""
    from sonogate.receive.tls import check_files

    loading.load_checked(config, check_files)
    typer.echo("The settings are right.")


@settings_app.command("docs")
def settings_docs() -> None:
    """Print the reference page (docs/reference/settings.md)."""
    typer.echo(reference.markdown(), nl=False)


@settings_app.command("example")
def settings_example() -> None:
    """Print a commented settings file with every key (deploy/sonogate.example.toml)."""
    typer.echo(reference.example_toml(), nl=False)


@app.callback(invoke_without_command=True)
def version(
    *,
    show: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """SonoGate, the ultrasound quality gate."""
    if show:
        typer.echo(__version__)
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; what can go wrong on purpose is one message, never a traceback."""
    try:
        app(args=arguments)
    except GateError as error:
        typer.echo(f"sonogate: {error}", err=True)
        sys.exit(FAILED)
