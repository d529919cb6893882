"""What the routes may ask for: one frozen record of ports, put on the app once.

The protocols are the edges of this room. `sonogate.track.studies.Studies` and
`sonogate.track.events.EventFeed` fit them; so does any fake of the same shape.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, cast

from fastapi import Depends, Request

from sonogate.act.advice.ledger import Asker
from sonogate.act.audit.trail import Note
from sonogate.domain.advice import Advice, AdviceKind
from sonogate.domain.forwarding import DestinationReport, StudyForwards
from sonogate.domain.instance import MediaType
from sonogate.domain.rejection import Rejection
from sonogate.domain.study import Study, StudyStatus, StudySummary
from sonogate.domain.verdict import Ruling, Verdict
from sonogate.errors import UnknownDestinationError, UnknownInstanceError
from sonogate.messages import LANGUAGE, Language
from sonogate.observe.health import Readiness
from sonogate.observe.metrics import Metrics
from sonogate.settings import HttpSettings
from sonogate.settings.results import RejectBy
from sonogate.store.records import Event, SenderReport
from sonogate.store.results import ResultRow

PictureKind = Literal["thumbnail", "heatmap"]


class StudyBook(Protocol):
    """All that was received and judged; raises the leaves of `LookupFailure`."""

    async def instance(self, uid: str, content_sha256: str | None = None) -> Verdict:
        """Return the current verdict of a SOP instance UID, or the one of a given content."""
        ...

    async def versions(self, uid: str) -> list[tuple[str, Verdict]]:
        """Return every content hash received under a SOP instance UID, with its verdict."""
        ...

    async def picture(self, uid: str, kind: PictureKind) -> bytes:
        """Return a PNG of the current content of a SOP instance UID."""
        ...

    async def picture_of_object(self, object_id: str, kind: PictureKind) -> bytes:
        """Return a PNG of one received object."""
        ...

    async def verdict_of_object(self, object_id: str) -> Verdict:
        """Return the verdict of one received object; pending if there is none yet."""
        ...

    async def list(self, status: StudyStatus | None = None, limit: int = 100) -> list[StudySummary]:
        """Return studies, the latest received first."""
        ...

    async def get(self, study_uid: str) -> Study:
        """Return one study with its instances."""
        ...

    async def close(self, study_uid: str, by: str) -> Study:
        """Close a study."""
        ...

    async def override(self, uid: str, band: Ruling, reason: str, by: str) -> Verdict:
        """Put a person's word over the machine's."""
        ...

    async def revoke_override(self, uid: str, by: str) -> Verdict:
        """Take a person's word back."""
        ...

    async def reject(self, uid: str, reason: str, by: str) -> Verdict:
        """Note a person's word that an instance is not to be used."""
        ...

    async def revoke_rejection(self, uid: str, by: str) -> Verdict:
        """Take that back."""
        ...

    async def rejection(self, uid: str) -> Rejection | None:
        """Return the rejection that holds for an instance."""
        ...

    async def answer(
        self, study_uid: str, newer: int, older: int, *, replaces: bool, by: str
    ) -> Study:
        """Answer the question whether one instance replaces another."""
        ...

    async def senders(self) -> Sequence[SenderReport]:
        """Return what is known of each sender."""
        ...


class ResultBook(Protocol):
    """DICOM objects that the gate made; raises UnknownInstanceError."""

    rejections_by: RejectBy | None  #: who rejects; None: a rejection leads to nothing

    async def of_study(self, study_uid: str) -> list[ResultRow]:
        """Return every result of a study."""
        ...

    async def latest(self, limit: int, offset: int) -> list[ResultRow]:
        """Return results, the newest first."""
        ...

    async def find(self, study_uid: str, series_uid: str, uid: str) -> ResultRow:
        """Return one result by all its names."""
        ...

    async def content(self, row: ResultRow) -> bytes:
        """Return a result's Part 10 file."""
        ...

    async def metadata(self, row: ResultRow) -> dict[str, Any]:
        """Return a result as DICOM JSON."""
        ...


class EventLog(Protocol):
    """The durable log of events, and a way to wait for its growth."""

    async def after(self, event_id: int, limit: int = 500) -> Sequence[Event]:
        """Return the next events after an id, oldest first."""
        ...

    async def wait(self, event_id: int, timeout_seconds: float) -> None:
        """Return when there may be events after an id, or after the time-out."""
        ...

    async def last_id(self) -> int:
        """Return the id of the latest event; 0 if there is none."""
        ...

    async def pruned_to(self) -> int:
        """Return the newest id that is gone; nobody can resume after an earlier one."""
        ...

    def notify(self) -> None:
        """Wake those who wait."""
        ...


class ForwardLog(Protocol):
    """How passing on stands; raises UnknownDestinationError."""

    async def destinations(self) -> Sequence[DestinationReport]:
        """Return how each destination does."""
        ...

    async def of_study(self, study_uid: str) -> Sequence[StudyForwards]:
        """Return how far a study is, by destination."""
        ...

    async def retry(self, name: str, by: str) -> DestinationReport:
        """Try again what a destination refused."""
        ...


class AdviserPort(Protocol):
    """Who asks a model about an image; raises UnknownInstanceError."""

    def wait_seconds(self) -> float:
        """Take a permission to ask; 0, or how long until there is one."""
        ...

    async def ask(self, uid: str, kind: AdviceKind, asked: str, asker: Asker) -> Advice:
        """Ask now."""
        ...

    async def read(self, uid: str) -> Advice:
        """Return what is known of an image's remark."""
        ...


Submit = Callable[[bytes | Path, MediaType, str], Awaitable[tuple[str, Verdict]]]
"""Keep an object as if a cart had sent it; answer its object id and its verdict.

The verdict is still pending after the time-out. Arguments: the bytes, or a file which the caller
removes afterwards; their media type; the peer's address.
"""


Keep = Callable[[bytes | Path, MediaType, str], Awaitable[None]]
"""Keep an object as if a cart had sent it, without waiting for its verdict; arguments likewise.

Raises a ReceiveError if it could not be kept.
"""


NoteTaker = Callable[[Note], None]
"""Writes to the audit trail, soon."""


def _nothing() -> None:
    """Do nothing."""


def _unnoted(_note: Note) -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiPorts:
    """Everything the HTTP door needs of the gate."""

    studies: StudyBook
    events: EventLog
    submit: Submit
    keep: Keep
    metrics: Metrics
    readiness: Callable[[], Awaitable[Readiness]]
    started_at: datetime  #: aware, UTC
    upload_dir: Path | None = (
        None  #: where bodies over 1 MiB rest; None: the system's temporary folder
    )
    on_change: Callable[[], None] = (
        _nothing  #: called after a person changed a study: wakes delivery
    )
    forwarding: ForwardLog | None = None  #: None: nothing is ever passed on
    adviser: AdviserPort | None = None  #: None: it is off
    results: ResultBook | None = None  #: what was made of verdicts; None: nothing is
    note: NoteTaker = _unnoted
    language: Language = LANGUAGE  #: the site's; a client may ask for another
    closing: asyncio.Event = field(
        default_factory=asyncio.Event
    )  #: set it to end all event streams

    def need_forwarding(self) -> ForwardLog:
        """Return the destinations.

        Raises:
            UnknownDestinationError: there are none.
        """
        if self.forwarding is None:
            raise UnknownDestinationError
        return self.forwarding


def get_ports(request: Request) -> ApiPorts:
    """Return the ports of the app that serves this request."""
    return cast(ApiPorts, request.app.state.ports)


def get_settings(request: Request) -> HttpSettings:
    """Return the HTTP settings of the app that serves this request."""
    return cast(HttpSettings, request.app.state.settings)


def get_studies(request: Request) -> StudyBook:
    """Return the studies."""
    return get_ports(request).studies


def get_results(request: Request) -> ResultBook:
    """Return the results.

    Raises:
        UnknownInstanceError: this gate has none.
    """
    results = get_ports(request).results
    if results is None:
        raise UnknownInstanceError("This gate makes no results.")
    return results


PortsDep = Annotated[ApiPorts, Depends(get_ports)]
SettingsDep = Annotated[HttpSettings, Depends(get_settings)]
ResultsDep = Annotated[ResultBook, Depends(get_results)]
StudiesDep = Annotated[StudyBook, Depends(get_studies)]
