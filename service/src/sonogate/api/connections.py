"""HTTP connections: no more than the gate can spare, and none that never asks for anything."""

import asyncio
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.auto import AutoHTTPProtocol

MAX_CONNECTIONS = 256
"""Pages, event streams and uploads at once; the process's files are the DICOM door's too."""
HEAD_SECONDS = 10.0
"""A request's head has to be whole by then; uvicorn itself waits for ever."""

_Base: Any = asyncio.Protocol if TYPE_CHECKING else AutoHTTPProtocol


class BoundedProtocol(_Base):  # type: ignore[misc]  # uvicorn chooses its base when it is installed
    """uvicorn's own, bounded in number and in the time to the end of a request's head."""

    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Serve it, or close it at once where there are too many."""
        super().connection_made(transport)
        self._wait_for_head()
        if len(self.connections) > MAX_CONNECTIONS:
            cast(asyncio.Transport, transport).abort()

    def data_received(self, data: bytes) -> None:
        """Take bytes; those of a further head have their time too."""
        if self._head is None and self._is_between_requests:
            self._wait_for_head()
        super().data_received(data)
        if not self._is_between_requests:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    @property
    def _is_between_requests(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait_for_head(self) -> None:
        self._head = asyncio.get_running_loop().call_later(HEAD_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        """The head is whole, and a client that asks again and again is not cut off for it."""
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _give_up(self) -> None:
        self._head = None
        if self._is_between_requests:
            self.transport.close()
