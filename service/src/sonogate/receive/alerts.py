"""Tell a peer by TLS alert why its handshake failed; asyncio would close without a word.

Each connection's TLS object learns its wire while `start_tls` makes it, which is in the task that
called it: a context variable carries the wire there.
"""

import ssl
from contextvars import ContextVar
from typing import Any, Protocol


class AlertWire(Protocol):
    """Where the alert goes."""

    def write(self, data: bytes) -> None:
        """Send bytes."""


wire_of_task: ContextVar[AlertWire | None] = ContextVar("wire_of_task", default=None)


class AlertingObject(ssl.SSLObject):
    """Sends what OpenSSL wrote before a failed handshake ends the connection."""

    outgoing: ssl.MemoryBIO
    wire: AlertWire | None = None

    def do_handshake(self) -> None:
        """Go on with the handshake."""
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError:
            if self.wire is not None:
                self.wire.write(self.outgoing.read())
            raise
        self.wire = None


class AlertingContext(ssl.SSLContext):
    """Makes objects that know their wire."""

    sslobject_class = AlertingObject

    def wrap_bio(
        self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *how: Any, **named: Any
    ) -> ssl.SSLObject:
        """Join two buffers to a TLS object."""
        tls = super().wrap_bio(incoming, outgoing, *how, **named)
        if isinstance(tls, AlertingObject):
            tls.outgoing, tls.wire = outgoing, wire_of_task.get()
        return tls
