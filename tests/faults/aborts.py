"""Associations that end anywhere and anyhow: A-ABORT, FIN, RST, half a PDU."""

import random
import socket
import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from pydicom.dataset import Dataset
from pynetdicom.dsutils import encode

from tests.service.receive.door import associate_rq, message, store_rq

A_ABORT: Final = struct.pack(">BxL4x", 7, 4)
HALF_A_PDU: Final = struct.pack(">BxL", 4, 60_000) + bytes(700)
ENDS: Final = ("abort", "fin", "rst", "half a PDU, then fin", "half a PDU, then rst")
NOW: Final = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time


@dataclass
class Breaker:
    """A peer that begins to send one object and breaks off.

    Args:
        port: of the gate.
        instance: what it begins to send.
        seed: of its whims.
    """

    port: int
    instance: Dataset
    seed: int
    ends: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        content = encode(self.instance, False, True)  # noqa: FBT003 - pynetdicom's own order
        assert content is not None
        uid = str(self.instance.SOPInstanceUID)
        self._said = message(store_rq(uid), content)
        self._rng = random.Random(self.seed)

    def break_off(self, number: int) -> None:
        """Open one association, say part of what there is to say, and leave."""
        asked = associate_rq(calling_ae=f"BREAKER{number % 50}")
        how = self._rng.choice(ENDS)
        self.ends[how] += 1
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as peer:
            if self._rng.random() < 0.2:  # within the request for the association
                peer.sendall(asked[: self._rng.randrange(len(asked))])
            else:
                peer.sendall(asked)
                peer.recv(6)
                # Never all of it: the last byte would make it an object to be kept.
                peer.sendall(self._said[: self._rng.randrange(len(self._said) - 1)])
            self._leave(peer, how)

    def _leave(self, peer: socket.socket, how: str) -> None:
        if how.startswith("half"):
            peer.sendall(HALF_A_PDU)
        elif how == "abort":
            peer.sendall(A_ABORT)
        if how.endswith("rst"):
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOW)
