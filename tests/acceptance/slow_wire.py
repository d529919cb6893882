"""A slow wire between the gate and an archive: a kill nearly always finds something on its way."""

import contextlib
import socket
import time

from tests.wires import Wire

DELAY_SECONDS = 0.03
CHUNK_BYTES = 64 * 1024


class SlowWire(Wire):
    """Relays each chunk a little later; what a dead end had on the wire is lost with it."""

    def __init__(self, to_port: int) -> None:
        super().__init__(to_port)
        self._sockets: list[socket.socket] = []

    def serve(self, near: socket.socket) -> None:
        """Relay both ways until one end is gone."""
        self._sockets.append(near)
        with contextlib.suppress(OSError):
            far = socket.create_connection(("127.0.0.1", self.to_port))
            self._sockets.append(far)
            if self.is_over:
                self.cut()
            self.spawn(self._relay, near, far)
            self._relay(far, near)
        _cut(near)

    def cut(self) -> None:
        """Shut every connection down."""
        for each in tuple(self._sockets):
            _cut(each)

    def stop(self) -> None:
        """Cut every connection and wait."""
        super().stop()
        for each in self._sockets:
            each.close()

    def _relay(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(CHUNK_BYTES):
                time.sleep(DELAY_SECONDS)
                if _has_ended(source):
                    break
                target.sendall(chunk)
        _cut(source)
        _cut(target)


def _has_ended(peer: socket.socket) -> bool:
    """Look whether the other end is gone, without waiting."""
    try:
        return not peer.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
