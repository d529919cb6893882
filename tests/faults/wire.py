"""A wire to an archive that can crawl, fall silent or be torn."""

import contextlib
import select
import socket
import struct
import time
from typing import Final, Literal

from tests.wires import Wire

CHUNK_BYTES: Final = 16 * 1024
SLOW_SECONDS: Final = 0.02
TEAR_AFTER_BYTES: Final = 100_000
"""A torn wire lets so much of each connection through: an object is on its way then."""
NOW: Final = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time

Mood = Literal["well", "slow", "silent", "torn"]


class FaultyWire(Wire):
    """Relays as its mood is; silent, it keeps connections open and takes no byte."""

    def __init__(self, to_port: int) -> None:
        super().__init__(to_port)
        self.mood: Mood = "well"

    def serve(self, near: socket.socket) -> None:
        """Relay both ways until one end is gone, or the wire is torn."""
        with near, contextlib.suppress(OSError):
            while self.mood == "silent" and not self.is_over:
                time.sleep(0.02)
            with socket.create_connection(("127.0.0.1", self.to_port)) as far:
                self._relay(near, far)

    def _relay(self, near: socket.socket, far: socket.socket) -> None:
        to, n_bytes = {near: far, far: near}, 0
        while not self.is_over:
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
