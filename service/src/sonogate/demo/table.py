"""The live table: a row per object sent, filled from the gate's own REST interface.

Objects that share a UID have different bytes, so a verdict is asked for by UID and content hash.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import quote

import httpx
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sonogate.demo.objects import DicomFile
from sonogate.demo.sender import Sent
from sonogate.domain.verdict import Band, Status, Verdict

POLL_SECONDS = 0.2
MAX_ASKED_AT_ONCE = 16

STYLES = {
    Band.HIGH: "bold green",
    Band.MEDIUM: "bold yellow",
    Band.LOW: "bold red",
    Status.NOT_APPLICABLE: "cyan",
    Status.UNSCORABLE: "bold magenta",
    Status.PENDING: "dim",
}


@dataclass(slots=True, kw_only=True)
class Row:
    """One object: sent or about to be, judged or not yet."""

    name: str
    file: DicomFile
    content_sha256: str = ""
    sent: Sent | None = None
    verdict: Verdict | None = None

    @property
    def is_judged(self) -> bool:
        """Whether its verdict is there."""
        return self.verdict is not None and self.verdict.status is not Status.PENDING

    @property
    def is_waiting(self) -> bool:
        """Whether it was kept and still has no verdict."""
        return self.sent is not None and self.sent.is_kept and not self.is_judged


@dataclass(slots=True)
class Board:
    """All rows, in order of sending."""

    rows: list[Row] = field(default_factory=list)

    @property
    def missing(self) -> list[Row]:
        """Rows without a verdict."""
        return [row for row in self.rows if not row.is_judged]

    @property
    def n_judged(self) -> int:
        """How many rows have a verdict."""
        return len(self.rows) - len(self.missing)


async def fill(board: Board, client: httpx.AsyncClient) -> int:
    """Ask for verdicts that are due, a few at a time; return how many came."""
    due = [row for row in board.rows if row.is_waiting][:MAX_ASKED_AT_ONCE]
    await asyncio.gather(*(_ask(row, client) for row in due))
    return sum(row.is_judged for row in due)


async def refresh(board: Board, client: httpx.AsyncClient) -> None:
    """Ask for all verdicts once more: a later image may have replaced an earlier one."""
    for row in board.rows:
        if row.is_judged:
            await _ask(row, client)


async def _ask(row: Row, client: httpx.AsyncClient) -> None:
    """Ask for one verdict, twice if need be: a server may close a kept connection just then."""
    for _ in range(2):
        with suppress(httpx.TransportError):
            answer = await client.get(
                f"/v1/instances/{quote(row.file.sop_instance_uid, safe='')}",
                params={"content_sha256": row.content_sha256},
            )
            if answer.is_success:
                row.verdict = Verdict.model_validate_json(answer.content)
            return


def render(rows: Sequence[Row], *, limit: int | None = None) -> Table:
    """Draw the table; with a limit only its newest rows, for a live view that fits the screen."""
    shown = rows[-limit:] if limit else rows
    table = Table(expand=True, header_style="bold", show_lines=False, pad_edge=False)
    table.add_column("#", justify="right", style="dim")
    table.add_column("object", overflow="fold", ratio=3)
    table.add_column("verdict", no_wrap=True)
    table.add_column("why, and what to do", ratio=6)
    table.add_column("s", justify="right")
    first = len(rows) - len(shown) + 1
    for number, row in enumerate(shown, start=first):
        table.add_row(str(number), row.name, _word(row), _reason(row), _seconds(row))
    return table


def bar(board: Board) -> ProgressBar:
    """Draw how many objects have their verdict."""
    return ProgressBar(total=max(len(board.rows), 1), completed=board.n_judged)


def _word(row: Row) -> Text:
    if row.sent is not None and not row.sent.is_kept:
        return Text("not kept", style="bold red")
    verdict = row.verdict
    if verdict is None or verdict.status is Status.PENDING:
        return Text("…" if row.sent else "", style="dim")
    band = verdict.counts_as
    if isinstance(band, Status):
        return Text(band.replace("_", " "), style=STYLES[band])
    quality = "" if verdict.quality is None else f" {verdict.quality:3.0f}"
    doubt = "?" if verdict.uncertain and not verdict.override else ""
    return Text(f"● {band.value}{quality}{doubt}", style=STYLES[band])


def _reason(row: Row) -> Text:
    if row.sent is not None and not row.sent.is_kept:
        return Text(row.sent.detail)
    verdict = row.verdict
    if verdict is None:
        return Text("")
    text = Text(verdict.reason or "")
    if verdict.action:
        text.append(f". {verdict.action}" if verdict.reason else verdict.action, style="italic")
    if verdict.supersedes:
        text.append("replaces the earlier one", style="green")
    if verdict.superseded_by:
        text.append(" (taken again)", style="green")
    return text


def _seconds(row: Row) -> str:
    return f"{row.verdict.seconds.total:.2f}" if row.verdict and row.is_judged else ""
