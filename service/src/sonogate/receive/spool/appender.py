"""The thread that appends: what waits together is written together and synced once."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final

from sonogate.domain.identity import new_object_id
from sonogate.domain.instance import ReceivedInstance, Span
from sonogate.errors import ReceiveError, SpoolWriteError
from sonogate.receive.promptness import wake_promptly
from sonogate.receive.spool.files import Block, as_receive_error
from sonogate.receive.spool.records import Arrival, Content, name_in, opening
from sonogate.receive.spool.segment import SUFFIX, Segment
from sonogate.receive.spool.staging import Staging, padding_after

MAX_BATCH: Final = 256
"""Objects written and synced at once; more carts than this wait for the next turn."""


@dataclass(slots=True, eq=False)
class Deposition:
    """One object to be kept and, once it is, its row."""

    arrival: Arrival
    content: Content | None  #: None if the bytes are in a file of their own
    future: Any  #: the caller's, resolved in its event loop
    filed: ReceivedInstance | None = None  #: the row of such a file
    kept: ReceivedInstance | None = None
    segment: str = ""  #: where the record is
    error: ReceiveError | None = None
    blocks: list[Block] = field(default_factory=list)


Answered = Callable[[Sequence[Deposition]], None]


class Appender(threading.Thread):
    """Owns the segment that is being written.

    Args:
        folder: Where segments are.
        segment_bytes: A segment this long is closed and the next one begun.
        answered: Called in the thread with what is durable or refused.
        owner: Ends the name of each segment, so that it tells who writes it.
    """

    def __init__(
        self, folder: Path, segment_bytes: int, answered: Answered, owner: str = ""
    ) -> None:
        super().__init__(name="sonogate-spool", daemon=True)
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._answered = answered
        self._owner = owner
        self._staging = Staging()
        self._queue: SimpleQueue[Deposition | None] = SimpleQueue()
        self._segments: dict[str, Segment] = {}
        self._current: Segment | None = None

    def submit(self, deposition: Deposition) -> None:
        """Queue one object."""
        self._queue.put(deposition)

    def settle(self, segment: str) -> None:
        """One record of a segment is known to the database."""
        found = self._segments.get(segment)
        if found is None:
            return
        found.settle()
        if found.is_done:
            self._segments.pop(segment, None)

    def stop(self) -> None:
        """End after what is queued; then `join`."""
        self._queue.put(None)

    def run(self) -> None:
        """Keep batch after batch until stopped."""
        wake_promptly()
        is_running = True
        while is_running:
            batch, is_running = self._next_batch()
            if batch:
                self._keep(batch)
                self._answered(batch)
        self._close_current()

    def _next_batch(self) -> tuple[list[Deposition], bool]:
        first = self._queue.get()
        batch = [first] if first is not None else []
        while first is not None and len(batch) < MAX_BATCH:
            try:
                first = self._queue.get_nowait()
            except Empty:
                break
            if first is not None:
                batch.append(first)
        return batch, first is not None

    def _keep(self, batch: list[Deposition]) -> None:
        try:
            segment = self._segment()
            n_bytes = 0
            for deposition in batch:
                n_bytes += _prepare(deposition, segment.name, segment.size_bytes + n_bytes)
            blocks = [block for each in batch for block in each.blocks]
            segment.append(blocks, n_bytes, len(batch))
        except OSError as error:
            self._refuse(batch, as_receive_error(error))
        except Exception as error:  # noqa: BLE001 - boundary: the thread outlives every failure
            self._refuse(batch, SpoolWriteError(f"The spool failed: {type(error).__name__}."))

    def _segment(self) -> Segment:
        if self._current is not None and self._current.size_bytes >= self._segment_bytes:
            self._close_current()
        if self._current is None:
            name = f"{new_object_id()}{self._owner}{SUFFIX}"
            self._current = Segment(self._folder, name, self._staging)
            self._segments[self._current.name] = self._current
        return self._current

    def _refuse(self, batch: list[Deposition], error: ReceiveError) -> None:
        """Nothing of the batch counts; what the segment still holds of it is never read again."""
        for deposition in batch:
            deposition.error = error
        self._close_current()

    def _close_current(self) -> None:
        segment, self._current = self._current, None
        if segment is None:
            return
        segment.close()
        if segment.is_done:
            self._segments.pop(segment.name, None)


def _prepare(deposition: Deposition, segment: str, offset: int) -> int:
    """Make the record and the row of an object; return the length of the record's blocks."""
    deposition.segment = segment
    content = deposition.content
    if content is None:
        deposition.kept = deposition.filed
        record: list[Block] = [opening(deposition.filed, 0, 0)] if deposition.filed else []
    else:
        row = deposition.arrival.kept(new_object_id(), content.sha256, content.size_bytes)
        head = opening(row, len(content.meta), content.size_bytes - len(content.meta))
        span = Span(offset=offset + len(head), size_bytes=content.size_bytes)
        deposition.kept = replace(row, spool_name=name_in(segment, span))
        record = [head, content.meta, *content.chunks]
    n_bytes = sum(map(len, record))
    padding = padding_after(n_bytes)
    deposition.blocks = [*record, padding]
    return n_bytes + len(padding)
