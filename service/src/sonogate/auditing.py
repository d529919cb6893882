"""`sonogate audit`: the trail, for people and for an audit record repository."""

import socket
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from sonogate.errors import GateError
from sonogate.settings import Settings, load

app = typer.Typer(no_args_is_help=True, help="Who sent, read, decided, and changed settings.")


class Form(StrEnum):
    """How an entry is written."""

    DICOM = "dicom"
    JSON = "json"


@app.callback()
def audit() -> None:
    """Who sent, read, decided, and changed settings."""


@app.command()
def export(
    *,
    since: Annotated[
        str | None, typer.Option(help="From this time on, as 2026-11-22 or 2026-11-22T08:00+01:00.")
    ] = None,
    form: Annotated[
        Form, typer.Option("--format", help="dicom: RFC 5424 lines with DICOM audit messages.")
    ] = Form.DICOM,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", envvar="SONOGATE_CONFIG", help="TOML settings file."),
    ] = None,
) -> None:
    """Print the audit trail, one entry a line, oldest first; the gate may run meanwhile."""
    from sonogate.store.audit import trail_of

    settings = load(config)
    write = _writer(form, settings)
    for noted in trail_of(settings.database_url, _time(since)):
        typer.echo(write(noted))


def _writer(form: Form, settings: Settings) -> Callable[..., str]:
    from sonogate.act.audit.message import to_json
    from sonogate.act.audit.syslog import to_line

    host = socket.gethostname()
    source = f"{settings.listener.ae_title}@{host}"
    if form is Form.JSON:
        return partial(to_json, source=source)
    return partial(to_line, source=source, host=host)


def _time(text: str | None) -> datetime | None:
    """Read a time; one without a zone is of this machine's."""
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise GateError(f"--since {text}: give a time like 2026-11-22T08:00+01:00") from error
