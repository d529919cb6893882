"""Relays of TCP between the gate and a peer, for tests that hurt what is on its way."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self


class Wire:
    """Takes connections on a port of its own; what becomes of one is `serve`'s, in a thread."""

    def __init__(self, to_port: int) -> None:
        self.to_port = to_port
        self.is_over = False
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._door.getsockname()[1])
        self._threads: list[threading.Thread] = []

    def serve(self, near: socket.socket) -> None:
        """Relay one connection until it ends, or the wire does; closes it."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        """Relay for the time of the block."""
        self.spawn(self._accept)
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop."""
        self.stop()

    def stop(self) -> None:
        """Take no more connections, and wait for the end of those that are there."""
        self.is_over = True
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self.cut()
        for thread in self._threads:
            thread.join()

    def cut(self) -> None:
        """End what is being relayed; `serve` looks at `is_over` where this is not enough."""

    def spawn(self, work: Callable[..., None], *arguments: socket.socket) -> None:
        """Run something that is waited for when the wire stops."""
        thread = threading.Thread(target=work, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _address = self._door.accept()
                self.spawn(self.serve, near)
