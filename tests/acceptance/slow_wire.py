"""A slow wire between the gate and an archive: a kill nearly always finds something on its way."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

DELAY_SECONDS = 0.03
CHUNK_BYTES = 64 * 1024


class SlowWire:
    """Relays TCP, each chunk a little later; what a dead end had on the wire is lost with it."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._door.getsockname()[1])
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []

    def start(self) -> None:
        """Relay until stopped."""
        self._spawn(self._accept)

    def stop(self) -> None:
        """Cut every connection and wait."""
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        for each in self._sockets:
            _cut(each)
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()

    def _spawn(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _address = self._door.accept()
                self._sockets.append(near)
                with contextlib.suppress(OSError):
                    far = socket.create_connection(("127.0.0.1", self._to_port))
                    self._sockets.append(far)
                    self._spawn(self._relay, near, far)
                    self._spawn(self._relay, far, near)
                    continue
                _cut(near)

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


@contextlib.contextmanager
def slow_wire(to_port: int) -> Iterator[SlowWire]:
    """Lay a slow wire to a port for the time of the block."""
    wire = SlowWire(to_port)
    wire.start()
    try:
        yield wire
    finally:
        wire.stop()
