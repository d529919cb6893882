"""A wire to an archive that can crawl, fall silent or be torn."""

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

CHUNK_BYTES: Final = 16 * 1024
SLOW_SECONDS: Final = 0.02
TEAR_AFTER_BYTES: Final = 100_000
"""A torn wire lets so much of each connection through: an object is on its way then."""
NOW: Final = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time

Mood = Literal["well", "slow", "silent", "torn"]


class FaultyWire:
    """Relays TCP as its mood is; silent, it keeps connections open and takes no byte."""

    def __init__(self, to_port: int) -> None:
        self.mood: Mood = "well"
        self._to_port = to_port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._door.getsockname()[1])
        self._is_over = False
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Relay until stopped."""
        self._spawn(self._accept)

    def stop(self) -> None:
        """Cut every connection and wait."""
        self._is_over = True
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        for thread in self._threads:
            thread.join()

    def _spawn(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _address = self._door.accept()
                self._spawn(self._serve, near)

    def _serve(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            while self.mood == "silent" and not self._is_over:
                time.sleep(0.02)
            with socket.create_connection(("127.0.0.1", self._to_port)) as far:
                self._relay(near, far)

    def _relay(self, near: socket.socket, far: socket.socket) -> None:
        to, n_bytes = {near: far, far: near}, 0
        while not self._is_over:
            if self.mood == "silent":
                time.sleep(0.02)
                continue
            for source in select.select(list(to), [], [], 0.05)[0]:
                chunk = source.recv(CHUNK_BYTES)
                if not chunk:
                    return
                n_bytes += len(chunk)
                if self.mood == "torn" and n_bytes > TEAR_AFTER_BYTES:
                    for each in to:
                        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOW)
                    return
                time.sleep(SLOW_SECONDS if self.mood == "slow" else 0)
                to[source].sendall(chunk)


@contextmanager
def faulty_wire(to_port: int) -> Iterator[FaultyWire]:
    """Lay a wire to a port for the time of the block."""
    wire = FaultyWire(to_port)
    wire.start()
    try:
        yield wire
    finally:
        wire.stop()
