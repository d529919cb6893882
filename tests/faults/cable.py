"""A cable that can be pulled: a pair of virtual network cards, one of them in another namespace.

Where the system allows no network namespaces there is none, and a wire that falls silent stands in.
"""

import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.network import changing

NEAR: Final = "198.18.77.1"
FAR: Final = "198.18.77.2"
"""Addresses for benchmarks (RFC 2544): no network of anybody's."""
_NETWORK: Final = 0x40000000  # CLONE_NEWNET, sched.h


@dataclass(frozen=True)
class Cable:
    """Two cards and what hangs at the far one."""

    namespace: str
    card: str

    @property
    def at_the_far_end(self) -> list[str]:
        """What a command is preceded by to run at the far end."""
        return ["ip", "netns", "exec", self.namespace]

    def connect(self, port: int) -> socket.socket:
        """Call the near end from the far one; a thread of its own goes there to do so."""

        def call() -> socket.socket:
            with Path(f"/run/netns/{self.namespace}").open() as there:
                if ctypes.CDLL(None, use_errno=True).setns(there.fileno(), _NETWORK) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            return socket.create_connection((NEAR, port), timeout=20)

        with ThreadPoolExecutor(1) as going:
            return going.submit(call).result()

    def pull(self) -> None:
        """Nothing comes through, and nobody is told."""
        run("ip", "-n", self.namespace, "link", "set", "far", "down")

    def plug(self) -> None:
        """It is as before."""
        run("ip", "-n", self.namespace, "link", "set", "far", "up")


def run(*command: str) -> None:
    """Run a command of the system."""
    subprocess.run(command, check=True, capture_output=True)


def commands(cable: Cable) -> Sequence[str]:
    """Return what lays the cable."""
    name, card = cable.namespace, cable.card
    return (
        f"ip netns add {name}",
        f"ip link add {card} type veth peer name far netns {name}",
        f"ip addr add {NEAR}/30 dev {card}",
        f"ip link set {card} up",
        f"ip -n {name} addr add {FAR}/30 dev far",
        f"ip -n {name} link set far up",
        f"ip -n {name} link set lo up",
    )


@contextmanager
def laid() -> Iterator[Cable | None]:
    """Lay a cable for the time of the block; None where the system does not allow it."""
    cable = Cable(f"sonogate-{os.getpid()}", f"sg{os.getpid()}")
    if shutil.which("ip") is None:
        yield None
        return
    with changing(), contextlib.ExitStack() as stack:
        stack.callback(remove, cable)
        try:
            for command in commands(cable):
                run(*command.split())
        except (subprocess.CalledProcessError, OSError):
            yield None
            return
        yield cable


def remove(cable: Cable) -> None:
    """Take up what was laid; the far card goes with the near one."""
    for command in (f"ip link del {cable.card}", f"ip netns del {cable.namespace}"):
        with contextlib.suppress(subprocess.CalledProcessError, OSError):
            run(*command.split())
