"""What all associations of one listener share."""

import asyncio
import time
from collections.abc import Callable, Container, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from sonogate.domain.commitment import Commitments
from sonogate.domain.ports import Registrar
from sonogate.domain.procedure import Steps
from sonogate.observe.metrics import Metrics
from sonogate.receive.quota import Quota
from sonogate.receive.spool import Spool
from sonogate.settings import KIB, ListenerSettings

RECEIVE_BUFFER_BYTES: Final = 256 * KIB
SPARE_CONNECTIONS: Final = 64
"""Connections beyond `max_associations`: room to be told that the limit is reached."""


Refused = Callable[[str, str, str, str], None]
"""Takes what was refused (an action of the audit trail), the peer's AE title, its address, why."""


def _unnoted(_action: str, _peer: str, _address: str, _rule: str) -> None:
    """Do nothing."""


class Stoppable(Protocol):
    """A connection, as the listener sees it."""

    def stop(self) -> None:
        """End at once if idle, else after the object under way."""

    def abort(self) -> None:
        """Close now."""


@dataclass(kw_only=True)
class Acceptor:
    """The listener's side of every association: settings, ports and counts.

    One receive buffer serves all connections: the loop fills it and the connection empties it in
    one step, so an idle association holds no buffer.
    """

    settings: ListenerSettings
    spool: Spool
    registrar: Registrar
    metrics: Metrics
    contexts: Mapping[str, Container[str]]  #: transfer syntaxes by abstract syntax
    steps: Steps | None = None  #: keeps performed procedure steps; None: MPPS is not served
    commitments: Commitments | None = None  #: likewise, Storage Commitment
    on_refused: Refused = _unnoted
    buffer: memoryview = field(default_factory=lambda: memoryview(bytearray(RECEIVE_BUFFER_BYTES)))
    quota: Quota = field(init=False)  #: associations established now, and lately
    connections: set[Stoppable] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)  #: answers under way
    changed: asyncio.Event = field(default_factory=asyncio.Event)  #: something ended

    def __post_init__(self) -> None:
        self.quota = Quota(self.settings, time.monotonic)

    @property
    def is_crowded(self) -> bool:
        """Whether no more connections may be open, associated or not."""
        return len(self.connections) >= self.settings.max_associations + SPARE_CONNECTIONS

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run an answer as a task that is waited for when the listener stops."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self.changed.set()
