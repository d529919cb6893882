"""What all associations of one listener share."""

import asyncio
from collections.abc import Container, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from sonogate.domain.commitment import Commitments
from sonogate.domain.ports import Announcing
from sonogate.domain.procedure import Steps
from sonogate.receive.porter import Porter
from sonogate.receive.spool import Spool
from sonogate.settings import KIB, ListenerSettings

RECEIVE_BUFFER_BYTES: Final = 256 * KIB
SPARE_CONNECTIONS: Final = 64
"""Connections beyond `max_associations`: room to be told that the limit is reached."""
LEAST_WAITING: Final = 8
"""Connections that may wait at one of many processes: a burst may all come to the same one."""


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
    registrar: Announcing
    porter: Porter  #: who may still enter, and what is counted
    contexts: Mapping[str, Container[str]]  #: transfer syntaxes by abstract syntax
    steps: Steps | None = None  #: keeps performed procedure steps; None: MPPS is not served
    commitments: Commitments | None = None  #: likewise, Storage Commitment
    buffer: memoryview = field(default_factory=lambda: memoryview(bytearray(RECEIVE_BUFFER_BYTES)))
    connections: set[Stoppable] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)  #: answers under way
    changed: asyncio.Event = field(default_factory=asyncio.Event)  #: something ended

    @property
    def is_crowded(self) -> bool:
        """Whether no more connections may be open, associated or not.

        The porter keeps the associations' places for the whole gate; for connections that have not
        asked for one yet, each of its processes has a share of the whole gate's.
        """
        most, n_open = self.settings.max_associations + SPARE_CONNECTIONS, len(self.connections)
        share = max(-(-most // self.settings.processes), LEAST_WAITING)
        return n_open >= most or n_open - self.porter.n_open >= share

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run an answer as a task that is waited for when the listener stops."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self.changed.set()
