"""The commands of `sonogate calibrate`."""

import getpass
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from sonogate.domain.calibration import Calibration, Scope, id_of, parse
from sonogate.errors import CalibrationError, GateError
from sonogate.progress import Progress
from sonogate.settings import Settings, load

app = typer.Typer(
    invoke_without_command=True,
    help="Fit bands to your own grades, see what would change, let them hold, go back.",
)

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="SONOGATE_CONFIG", help="TOML settings file."),
]
FileArgument = Annotated[Path, typer.Argument(help="Calibration file.", exists=True)]
ByOption = Annotated[
    str | None, typer.Option("--by", help="Who does it, for the audit trail; default: your login.")
]


@app.callback()
def calibrate(
    context: typer.Context,
    *,
    labels: Annotated[
        Path | None, typer.Option(help="CSV with image, grade (high, medium, low), patient.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder that the column image is relative to.")
    ] = None,
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("calibration.toml"),
    exam_type: Annotated[
        str | None, typer.Option(help="For exams of this type only, as DICOM sends it.")
    ] = None,
    view: Annotated[str | None, typer.Option(help="For this view only.")] = None,
    head: Annotated[
        bool, typer.Option("--head", help="Weigh raw scores and faults too, not quality alone.")
    ] = False,
    own_patients: Annotated[
        bool, typer.Option("--own-patients", help="Every image is of another patient.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Fit a calibration to grades and say what it is worth; nothing changes until it is applied."""
    if context.invoked_subcommand is not None:
        return
    if labels is None or images is None:
        raise typer.BadParameter(
            "--labels and --images are both needed; or say apply, preview, list, show or revoke"
        )
    if out.exists():
        raise CalibrationError(f"{out} is there already; name another with --out.")
    fit_to_file(
        load(config),
        labels,
        images,
        out,
        Scope(exam_type=exam_type, view=view),
        with_head=head,
        own_patients=own_patients,
    )


def fit_to_file(
    settings: Settings,
    labels: Path,
    images: Path,
    out: Path,
    scope: Scope,
    *,
    with_head: bool,
    own_patients: bool,
) -> None:
    """Do the work of the plain command."""
    from sonogate.calibrating.grades import check_enough, read_grades, warnings_of
    from sonogate.calibrating.report import in_words, to_toml
    from sonogate.calibrating.scoring import score_images
    from sonogate.score.identity import named_model
    from sonoquality.calibration.fit import fit

    grades = read_grades(labels, images, own_patients=own_patients)
    model = named_model(settings.scoring)
    with Progress("Scoring graded images", len(grades.rows)) as progress:
        scored = score_images(grades.rows, settings.scoring, progress.advance)
    kept = [image.grade for image in scored.images], [image.patient for image in scored.images]
    check_enough(*kept)
    fitted = fit(scored.images, scored.bounds, with_head=with_head)
    if not with_head and fitted.order.value <= 0:
        raise CalibrationError(
            "Your grades do not rise with the model's quality (rank correlation "
            f"{fitted.order.value:.2f} [{fitted.order.low:.2f}, {fitted.order.high:.2f}]): no "
            "bounds can make them agree. Look at images on which both differ most; --head weighs "
            "its other numbers, and another model may fit these exams."
        )
    content = to_toml(fitted, grades, scored, model=model, scope=scope, now=datetime.now(UTC))
    calibration = parse(content)
    out.write_text(content, encoding="utf-8")
    for path, reason in scored.left_out.items():
        typer.echo(f"left out {path.name}: {reason}", err=True)
    _say(["", *in_words(fitted, scored), ""])
    if not with_head and fitted.order.low <= 0:
        typer.echo(
            f"warning: grades hardly rise with quality (rank correlation {fitted.order.value:.2f}, "
            f"interval from {fitted.order.low:.2f}): bounds on it may be bounds on chance",
            err=True,
        )
    for warning in warnings_of(*kept):
        typer.echo(f"warning: {warning}", err=True)
    _say([*_preview(settings, content, calibration), "", f"Written: {out} ({id_of(content)})"])
    _say([f"Let it hold: sonogate calibrate apply {out}"])


@app.command("preview")
def show_preview(file: FileArgument, config: ConfigOption = None) -> None:
    """Count what a calibration would change on stored verdicts."""
    settings = load(config)
    content, calibration = _read(file, settings)
    _say(_preview(settings, content, calibration))


@app.command("apply")
def apply_file(file: FileArgument, by: ByOption = None, config: ConfigOption = None) -> None:
    """Let a calibration hold: a running gate follows within seconds, and loses nothing."""
    from sonogate.calibrating import book

    settings = load(config)
    content, calibration = _read(file, settings)
    _check_given(calibration, settings)
    _say(_preview(settings, content, calibration))
    replaced = book.write(settings, book.apply(content, calibration, _who(by)))
    name = id_of(content)
    instead = f" instead of {replaced}" if replaced else ""
    _say([f"In force: {name}{instead}. Verdicts from now on name it; earlier ones stay."])
    if settings.judge.thresholds:
        _say(["[[judge.thresholds]] of the settings still go before it, on calibrated quality."])
    _say([f"Go back: sonogate calibrate revoke {name}"])


@app.command("revoke")
def revoke_id(
    calibration: Annotated[str, typer.Argument(help="Its id, or the first digits.")],
    by: ByOption = None,
    config: ConfigOption = None,
) -> None:
    """Let a calibration hold no more: bands are as shipped again."""
    from sonogate.calibrating import book

    name = book.write(load(config), book.revoke(calibration, _who(by)))
    _say([f"Revoked: {name}. Its file stays in the database: sonogate calibrate show {name}"])


@app.command("list")
def list_all(config: ConfigOption = None) -> None:
    """List every calibration that was ever applied."""
    from sonogate.calibrating import book
    from sonogate.score.identity import named_model

    settings = load(config)
    running = named_model(settings.scoring)
    history = book.read(settings, lambda tx: tx.calibrations.all())
    for each in history:
        made = parse(each.content)
        state = f"ended {each.ended_at:%Y-%m-%d %H:%M} by {each.ended_by}" if each.ended_at else ""
        try:
            made.check_model(running)
        except CalibrationError:
            state = state or f"refused: the gate runs {running}, or another card of it"
        scope = " ".join(filter(None, (each.exam_type, each.view))) or "all exams"
        accuracy = made.expected.balanced_accuracy
        _say(
            [
                f"{each.calibration}  {made.model}  {scope}  balanced accuracy {accuracy}  "
                f"applied {each.applied_at:%Y-%m-%d %H:%M} by {each.applied_by}  "
                f"{state or 'in force'}"
            ]
        )
    if not history:
        _say(["No calibration was ever applied: bands are as shipped."])


@app.command("show")
def show(
    calibration: Annotated[str, typer.Argument(help="Its id.")], config: ConfigOption = None
) -> None:
    """Print the file of a calibration that was applied once."""
    from sonogate.calibrating import book

    history = book.read(load(config), lambda tx: tx.calibrations.all())
    for each in history:
        if each.calibration.startswith(calibration):
            typer.echo(each.content, nl=False)
            return
    raise CalibrationError(f"{calibration!r} was never applied; see sonogate calibrate list.")


def _read(file: Path, settings: Settings) -> tuple[str, Calibration]:
    from sonogate.score.identity import named_model

    try:
        content = file.read_text(encoding="utf-8")
        calibration = parse(content)
    except (OSError, UnicodeDecodeError) as error:
        raise GateError(f"{file} can't be read: {error}") from error
    calibration.check_model(named_model(settings.scoring))
    return content, calibration


def _check_given(calibration: Calibration, settings: Settings) -> None:
    from sonogate.score.numbers import numbers_given

    lacking = calibration.lacks(numbers_given(settings.scoring)) if calibration.head else ()
    if lacking:
        raise CalibrationError(
            f"This calibration weighs {', '.join(lacking)}, which this release does not measure. "
            "Fit it anew with the same grades: sonogate calibrate --head."
        )


def _preview(settings: Settings, content: str, calibration: Calibration) -> list[str]:
    from sonogate.calibrating import book
    from sonogate.store.dialects import database_file

    path = database_file(settings.database_url)
    if path is not None and not path.exists():
        return ["No stored verdict to compare with."]
    return book.read(settings, book.look_ahead(settings, content, calibration)).in_words()


def _who(by: str | None) -> str:
    return by or getpass.getuser()


def _say(lines: Sequence[str]) -> None:
    for line in lines:
        typer.echo(line)
