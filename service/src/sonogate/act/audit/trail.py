"""Notes who sent, read and was refused, in bounded numbers; what people decide is noted elsewhere.

Decisions are audited in their own transactions. What passes here is gathered for a second and then
written: a crash loses that second's reads and refusals. Who sent is counted in the database, from
what was judged since the last count, so that a crash loses none of it.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from sonogate import __version__
from sonogate.act.audit.effective import changed_keys, digests_of, new_salt
from sonogate.observe.logs import get_logger
from sonogate.settings import Settings
from sonogate.store.audit import Sending
from sonogate.store.database import Database
from sonogate.store.records import AuditEntry, Body
from sonogate.store.transaction import Transaction

BEAT_SECONDS: Final = 1.0
MAX_NOTES: Final = 10_000
"""Different readers, studies and peers in one window; what is beyond is counted only."""
UNSETTLED: Final = timedelta(seconds=30)
"""A verdict's commit may come so long after its time."""
PRUNED_AT_ONCE: Final = 500
OPERATOR: Final = "operator"
"""Whoever starts the gate; the operating system knows them."""

log = get_logger()


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be written; equal notes are one in a window."""

    action: str
    by: str
    address: str
    study_uid: str | None = None
    instance_uid: str | None = None
    object_id: str | None = None
    detail: tuple[tuple[str, str], ...] = ()

    def to_entry(self, at: datetime, n: int = 1) -> AuditEntry:
        """Make the entry, of `n` such."""
        body: dict[str, object] = {"address": self.address, **dict(self.detail)}
        return AuditEntry(
            at=at,
            by=self.by,
            action=self.action,
            study_uid=self.study_uid,
            object_id=self.object_id,
            body=body if n == 1 else {**body, "n": n},
        )


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Trail:
    """Takes notes on the event loop and writes them."""

    database: Database
    settings: Settings
    now: Callable[[], datetime] = _now
    _times: dict[Note, int] = field(default_factory=dict)  #: in this window
    _waiting: list[tuple[datetime, Note]] = field(default_factory=list)
    _written: set[Note] = field(default_factory=set)  #: reads of this window, by study
    _n_left_out: int = 0
    _counted_to: datetime | None = None

    def note(self, note: Note) -> None:
        """Take a note, once in a window."""
        if note in self._times:
            self._times[note] += 1
        elif len(self._times) >= MAX_NOTES:
            self._n_left_out += 1
        else:
            self._times[note] = 1
            self._waiting.append((self.now(), note))

    def refused(self, action: str, peer: str, address: str, rule: str) -> None:
        """Note a peer that was turned away: an association, a TLS handshake."""
        self.note(Note(action, peer or "unknown", address, detail=(("rule", rule),)))

    async def started(self) -> None:
        """Note the start, and the settings that differ from the last start's."""
        last = await self.database.read(lambda tx: tx.audit.latest("settings_changed"))
        known: Body = last.body if last else {}
        salt = str(known.get("salt") or new_salt())
        digests = await asyncio.to_thread(digests_of, self.settings, salt)
        before = dict(known.get("digests") or {})
        keys = changed_keys(before, digests) if last else []
        entries = [self._own("start", {"version": __version__})]
        if keys or last is None:
            body = {"keys": keys, "salt": salt, "digests": digests}
            entries.append(self._own("settings_changed", body))
        await self.database.write(lambda tx: _append(tx, entries))

    async def stopped(self) -> None:
        """Write what waits, count to the end, note the stop."""
        await self.write_waiting()
        await self.count_sent(timedelta(0))
        end = [*self._repeats(), self._own("stop", {})]
        await self.database.write(lambda tx: _append(tx, end))

    async def run(self) -> None:
        """Write and count until cancelled; a failing round is logged and tried again."""
        window_seconds = self.settings.audit.window_seconds
        turn = time.monotonic() + window_seconds
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                await self.write_waiting()
                if time.monotonic() >= turn:
                    await self.turn_window()
                    turn = time.monotonic() + window_seconds
            except Exception as error:  # noqa: BLE001 - boundary: the next round may succeed
                log.error("audit failed", exception_type=type(error).__name__)

    async def write_waiting(self) -> None:
        """Write the notes taken since; they wait until it succeeds."""
        some = self._waiting[:PRUNED_AT_ONCE]
        if not some:
            return
        located = await self.database.read(lambda tx: [_located(tx, note) for _, note in some])
        fresh = {
            note: at
            for (at, _), note in zip(some, located, strict=True)
            if note not in self._written
        }
        entries = [note.to_entry(at) for note, at in fresh.items()]
        await self.database.write(lambda tx: _append(tx, entries))
        self._written.update(fresh)
        del self._waiting[: len(some)]

    async def turn_window(self) -> None:
        """Begin a new window: count who sent, say how often refusals came, let old entries go."""
        await self.count_sent(UNSETTLED)
        repeats = self._repeats()
        if repeats:
            await self.database.write(lambda tx: _append(tx, repeats))
        waiting = {note for _, note in self._waiting}
        self._times = {note: 1 for note in self._times if note in waiting}
        self._written.clear()
        self._n_left_out = 0
        before = self.now() - timedelta(days=self.settings.audit.retention_days)
        while await self.database.write(lambda tx: tx.audit.prune(before, PRUNED_AT_ONCE)):
            pass

    async def count_sent(self, unsettled: timedelta) -> None:
        """Note what each sender sent of each study since the last count."""
        until = self.now() - unsettled
        after = self._counted_to or await self.database.read(_last_count)
        if after is None or after >= until:
            return
        sent = await self.database.read(lambda tx: tx.audit.sendings(after, until))
        entries = [_sent(each, self.now(), until) for each in sent]
        if entries:
            await self.database.write(lambda tx: _append(tx, entries))
        self._counted_to = until

    def _repeats(self) -> list[AuditEntry]:
        """Say how often refusals came after the first, and what was too much to note."""
        often = [
            note.to_entry(self.now(), n - 1)
            for note, n in self._times.items()
            if n > 1 and not note.action.startswith("read")
        ]
        if self._n_left_out:
            often.append(self._own("not_noted", {"n": self._n_left_out}))
        return often

    def _own(self, action: str, body: Body) -> AuditEntry:
        by = OPERATOR if action != "not_noted" else "sonogate"
        return AuditEntry(
            at=self.now(), by=by, action=action, study_uid=None, object_id=None, body=body
        )


def _append(tx: Transaction, entries: list[AuditEntry]) -> None:
    for entry in entries:
        tx.audit.append(entry)


def _located(tx: Transaction, note: Note) -> Note:
    """Say an instance's study instead, so that a study's reading is one note, else its object.

    A study that is not here is not named: the reader made it up, and may have typed a name.
    """
    object_id = note.object_id
    if note.study_uid and tx.studies.get(note.study_uid) is None:
        return replace(note, study_uid=None)
    if note.instance_uid:
        object_id = tx.audit.object_of_instance(note.instance_uid)
    if object_id is None:
        return note
    study_uid = tx.audit.study_of_object(object_id)
    named = None if study_uid else object_id
    return replace(note, study_uid=study_uid, instance_uid=None, object_id=named)


def _last_count(tx: Transaction) -> datetime | None:
    last = tx.audit.latest("receive")
    if last is not None:
        return datetime.fromisoformat(str(last.body["until"]))
    return tx.audit.first_at("start")


def _sent(each: Sending, at: datetime, until: datetime) -> AuditEntry:
    return AuditEntry(
        at=at,
        by=each.calling_ae,
        action="receive",
        study_uid=each.study_uid,
        object_id=None,
        body={
            "address": each.peer_address,
            "called_ae": each.called_ae,
            "transport": each.transport,
            "n_objects": sum(each.n_by_sop_class.values()),
            "sop_classes": each.n_by_sop_class,
            "until": until.isoformat(),
        },
    )
