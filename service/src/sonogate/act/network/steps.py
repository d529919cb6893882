"""Pass what carts say of their exams (MPPS) on to the site's own servers: in order, at least once.

Each server has a lane of its own. Within it a step's messages go one after another; other steps
need not wait for one that is refused. Before a message goes out its row says so: a repetition that
the server answers with "there is one already" then counts as taken.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import partial
from io import BytesIO
from typing import Final

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pynetdicom.association import Association

from sonogate.act.backoff import Backoff
from sonogate.act.network.calling import CallError, Peer, associated, status_of
from sonogate.act.network.hanging_up import aside
from sonogate.act.rhythm import every
from sonogate.observe.logs import get_logger
from sonogate.observe.metrics import Metrics
from sonogate.settings import MppsServerSettings
from sonogate.store.database import Database, Transaction
from sonogate.store.step_messages import OwedMessage

PROCEDURE_STEP: Final = "1.2.840.10008.3.1.2.3.3"
POLL_SECONDS: Final = 1.0
BATCH: Final = 20
"""Messages sent in one association."""
MAX_ATTEMPTS: Final = 20
"""Tries of a message that the server itself answers with a processing failure."""
KEEP_FOR_THE_GONE: Final = timedelta(hours=24)
"""What is owed to a server that left the settings is kept so long: time to mend a slip."""
SWEEP_SECONDS: Final = 600.0
"""How often what is owed to the gone is looked at."""
UNREADABLE: Final = "steps_unreadable"

_IMPLICIT, _BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
MAY_NO_LONGER_BE_UPDATED: Final = 0xA710
"""Error ID of an N-SET to a final step (PS3.4 Table F.7.2-2)."""
_WARNINGS: Final = frozenset({0x0001, 0x0107, 0x0116})
_PROCESSING_FAILURE, _DUPLICATE, _RESOURCES = 0x0110, 0x0111, 0x0213
_TRANSIENT: Final = frozenset({_PROCESSING_FAILURE, _RESOURCES})

log = get_logger()


class Fate(Enum):
    """What is to become of a message after its answer; the label in metrics."""

    DELIVERED = "delivered"
    FAILED = "failed"  #: try again
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class _Lane:
    server: MppsServerSettings
    tls: ssl.SSLContext | None


def fate_of(status: int, error_id: int | None, message: OwedMessage) -> Fate:
    """Sort an answer (PS3.4 F.7.2): a repetition may meet what its first try has done."""
    if status == 0 or status in _WARNINGS or status & 0xF000 == 0xB000:
        return Fate.DELIVERED
    is_there = status == _DUPLICATE if message.is_create else error_id == MAY_NO_LONGER_BE_UPDATED
    if is_there:
        return Fate.DELIVERED if message.attempts > 0 else Fate.REFUSED
    return _again(message) if status in _TRANSIENT else Fate.REFUSED


def _again(message: OwedMessage) -> Fate:
    return Fate.FAILED if message.attempts < MAX_ATTEMPTS else Fate.REFUSED


class StepForwarder:
    """Carries messages to the servers of the settings.

    Args:
        database: holds what is owed.
        servers: the servers, and how to reach them.
        own_ae: our AE title.
        metrics: counts attempts and shows the backlog.
        make_tls: makes the TLS context of a server.
    """

    def __init__(
        self,
        database: Database,
        servers: Sequence[MppsServerSettings],
        own_ae: str,
        metrics: Metrics,
        make_tls: Callable[[MppsServerSettings], ssl.SSLContext | None] = lambda _server: None,
    ) -> None:
        self._database = database
        self._own_ae = own_ae.strip()
        self._metrics = metrics.network
        self._lanes = [_Lane(server, make_tls(server)) for server in servers]
        for server in servers:
            self._metrics.show_server(server.name)

    @property
    def names(self) -> list[str]:
        """The servers' names."""
        return [lane.server.name for lane in self._lanes]

    async def run(self) -> None:
        """Deliver until cancelled; what is under way then is sent again after the next start."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(every(SWEEP_SECONDS, self._drop_owed_to_the_gone, UNREADABLE))
            for lane in self._lanes:
                tasks.create_task(self._serve(lane))

    async def _serve(self, lane: _Lane) -> None:
        n_failed = 0
        backoff = Backoff(first_seconds=1.0, max_seconds=lane.server.retry_max_seconds)
        while True:
            seconds = POLL_SECONDS
            try:
                is_well = await self._round(lane, backoff)
                n_failed = 0 if is_well else n_failed + 1
                seconds = max(seconds, backoff.seconds(n_failed)) if n_failed else seconds
                await self._show_backlog(lane.server.name)
            except Exception as error:  # noqa: BLE001 - boundary: one round must not end the lane
                log.error("steps_not_forwarded", exception_type=type(error).__name__)
            await asyncio.sleep(seconds)

    async def _round(self, lane: _Lane, backoff: Backoff) -> bool:
        """Send what is due; return whether the server could be spoken to."""
        now, name = datetime.now(UTC), lane.server.name
        due = await self._database.read(lambda tx: tx.step_messages.due(name, now, BATCH))
        for calling_ae, messages in self._by_caller(lane, due).items():
            try:
                await self._send_all(lane, calling_ae, messages, backoff)
            except CallError as error:
                self._metrics.step_forwards.labels(name, Fate.FAILED.value).inc()
                log.warning("mpps_server_failed", reason=str(error), called_ae=lane.server.ae_title)
                return False
        return True

    def _by_caller(
        self, lane: _Lane, due: Sequence[OwedMessage]
    ) -> Mapping[str, list[OwedMessage]]:
        callers: dict[str, list[OwedMessage]] = {}
        for message in due:
            is_original = lane.server.calling_ae == "original"
            calling_ae = message.calling_ae if is_original else self._own_ae
            callers.setdefault(calling_ae, []).append(message)
        return callers

    async def _send_all(
        self, lane: _Lane, calling_ae: str, messages: Sequence[OwedMessage], backoff: Backoff
    ) -> None:
        server = lane.server
        peer = Peer(
            host=server.host,
            port=server.port,
            called_ae=server.ae_title.strip(),
            calling_ae=calling_ae,
            answer_seconds=server.answer_seconds,
            tls=lane.tls,
        )
        opened = associated(peer, PROCEDURE_STEP)
        leave = partial(opened.__exit__, None, None, None)
        association = await aside(opened.__enter__)
        try:
            for message in messages:
                await self._database.write(partial(_begin, message_id=message.id))
                status, error_id = await aside(partial(_send, association, message))
                fate = fate_of(status, error_id, message)
                await self._settle(lane, message, fate, backoff)
                if fate is not Fate.DELIVERED:
                    _note(server, message, fate, status)
        except Exception:  # a gate that ends is cancelled, and waits for no farewell
            await aside(leave)
            raise
        await aside(leave)

    async def _settle(
        self, lane: _Lane, message: OwedMessage, fate: Fate, backoff: Backoff
    ) -> None:
        self._metrics.step_forwards.labels(lane.server.name, fate.value).inc()
        if fate is Fate.FAILED:
            wait = timedelta(seconds=backoff.seconds(message.attempts + 1))
            later = datetime.now(UTC) + wait
            await self._database.write(lambda tx: tx.step_messages.put_off(message.id, later))
        else:
            await self._database.write(lambda tx: tx.step_messages.settle(message.id))

    async def _show_backlog(self, name: str) -> None:
        n_owed, oldest = await self._database.read(lambda tx: tx.step_messages.n_owed(name))
        age = (datetime.now(UTC) - oldest).total_seconds() if oldest else 0.0
        self._metrics.step_forwards_pending.labels(name).set(n_owed)
        self._metrics.step_forwards_oldest_seconds.labels(name).set(max(0.0, age))

    async def _drop_owed_to_the_gone(self) -> None:
        before = datetime.now(UTC) - KEEP_FOR_THE_GONE
        names = self.names
        n_dropped = await self._database.write(
            lambda tx: tx.step_messages.drop_owed_to_others(names, before)
        )
        if n_dropped:
            log.warning("steps_dropped", reason="server_not_configured", n_objects=n_dropped)


def _begin(tx: Transaction, message_id: int) -> None:
    tx.step_messages.begin(message_id)


def _note(server: MppsServerSettings, message: OwedMessage, fate: Fate, status: int) -> None:
    log.warning(
        "mpps_message_not_taken",
        called_ae=server.ae_title,
        status=f"0x{status:04X}",
        result=fate.value,
        attempt=message.attempts + 1,
    )


def _send(association: Association, message: OwedMessage) -> tuple[int, int | None]:
    """Send one message; return the status and the Error ID that it was answered with."""
    data_set = _read(message)
    send = association.send_n_create if message.is_create else association.send_n_set
    try:
        answer, _attributes = send(data_set, PROCEDURE_STEP, message.step_uid)
    except (RuntimeError, ValueError) as error:
        raise CallError("lost") from error
    return status_of(answer), answer.get("ErrorID")


def _read(message: OwedMessage) -> Dataset:
    return read_dataset(
        BytesIO(message.data_set),
        is_implicit_VR=message.transfer_syntax_uid == _IMPLICIT,
        is_little_endian=message.transfer_syntax_uid != _BIG,
    )
