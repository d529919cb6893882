"""One door's process, seen from the gate: how it is started, and how it is seen to be gone."""

import asyncio
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sonogate.errors import DoorKilledError, GateError
from sonogate.receive.doors.desk import GateLink
from sonogate.receive.doors.link import Link, LinkBrokenError
from sonogate.receive.doors.wire import TO_DOOR, TO_GATE, Begin, Ready

START: Final = (
    "import signal; [signal.signal(each, signal.SIG_IGN) for each in (1, 2, 15)]; "
    "from sonogate.door import main; main()"
)
"""A door ends when the gate says so, or with it: what a terminal or a service manager sends to all
processes at once is the gate's to act on (SIGHUP, SIGINT, SIGTERM)."""
START_SECONDS: Final = 60.0
NOT_OPENED: Final = "a door process did not start; look at the log, or set listener.processes = 1"
PASSED_ON: Final = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "HOME")
GONE_SECONDS: Final = 5.0
"""How long a door that closed its link may take to end by itself."""


def door_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what a door may know: no secrets."""
    kept = {name: environ[name] for name in PASSED_ON if name in environ}
    return kept | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONUTF8": "1"}


@dataclass(eq=False)
class DoorProcess:
    """A process that answers."""

    process: Process
    link: GateLink

    @classmethod
    async def start(cls, sockets: Sequence[socket.socket], begin: Begin) -> "DoorProcess":
        """Start a process on its sockets and wait until it answers.

        Raises:
            DoorKilledError: A signal ended it before.
            GateError: It did not.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = await _spawn((theirs, *sockets))
            except OSError as error:
                ours.close()
                raise GateError(f"{NOT_OPENED} ({error.strerror})") from error
        started = cls(process, await Link.over(ours, TO_DOOR, TO_GATE))
        try:
            async with asyncio.timeout(START_SECONDS):
                started.link.say(begin)
                if not isinstance(await started.link.hear(), Ready):
                    raise LinkBrokenError("it does not say that it is ready")
        except (LinkBrokenError, TimeoutError) as error:
            exit_code = await started.gone() if isinstance(error, LinkBrokenError) else None
            await started.end()
            await started.link.close()
            if exit_code is not None and exit_code < 0:
                raise DoorKilledError from error
            raise GateError(NOT_OPENED) from error
        except BaseException:
            await started.end()
            raise
        return started

    @property
    def id(self) -> int:
        """Its process id."""
        return self.process.pid

    def kill(self) -> None:
        """End it now."""
        if self.process.returncode is None:
            self.process.kill()

    async def end(self, *, is_asked: bool = False) -> int:
        """Return its exit code once it is gone; it is killed unless it was asked to end."""
        exit_code = await self.gone() if is_asked else None
        if exit_code is None:
            self.kill()
            exit_code = await self.process.wait()
        return exit_code

    async def gone(self) -> int | None:
        """Return its exit code if it ends by itself soon; negative: the signal that ended it."""
        try:
            async with asyncio.timeout(GONE_SECONDS):
                return await self.process.wait()
        except TimeoutError:
            return None


async def _spawn(handed_on: Sequence[socket.socket]) -> Process:
    numbers = [each.fileno() for each in handed_on]
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-c",
        START,
        *map(str, numbers),
        stdin=DEVNULL,
        stdout=DEVNULL,
        pass_fds=numbers,
        env=door_environment(os.environ),
    )
