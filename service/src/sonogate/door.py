"""The child process that answers carts beside others on one port; it knows no database.

It is told everything by the gate over one inherited socket, and ends with it: without a gate nobody
may be answered.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sonogate.errors import GateError
from sonogate.observe import dumps, logs
from sonogate.observe.logs import get_logger
from sonogate.receive.doors.link import Link, LinkBrokenError
from sonogate.receive.doors.ports import (
    DoorLink,
    GateCommitments,
    GatePorter,
    GateRegistrar,
    GateSteps,
)
from sonogate.receive.doors.wire import (
    TO_DOOR,
    TO_GATE,
    Admitted,
    Begin,
    CommitmentTaken,
    Failed,
    Ping,
    Pong,
    Ready,
    Reload,
    Report,
    Room,
    Settled,
    StepTaken,
    Stop,
    Taken,
    ToDoor,
    answer_in,
)
from sonogate.receive.listener import Listener
from sonogate.receive.spool import Spool
from sonogate.score.confinement import end_with_parent
from sonogate.tuning import make_ready_for_carts

LOOK_SECONDS: Final = 5.0
"""How often a door looks at its certificates, and for files that its disk did not let go of."""
GATE_IS_GONE: Final = 3
NOT_OPENED: Final = 4
FAILED: Final = 5

log = get_logger()


@dataclass
class Door:
    """A listener whose ports lead to the gate."""

    link: DoorLink
    begin: Begin
    is_asked_to_stop: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        begin, link = self.begin, self.link
        self.spool = Spool(begin.spool_dir, begin.spool, begin.listener, begin.owner)
        self.registrar = GateRegistrar(link, has_room=begin.has_room)
        self.porter = GatePorter(link)
        self.commitments = GateCommitments(link)
        self.listener = Listener(
            begin.listener,
            self.spool,
            self.registrar,
            self.porter,
            GateSteps(link) if begin.has_steps else None,
            self.commitments if begin.has_commitments else None,
        )

    async def serve(self, sockets: Sequence[socket.socket]) -> None:
        """Answer carts until told to stop."""
        hearing = asyncio.create_task(self._hear())
        looking = asyncio.create_task(self._look_after())
        await self.spool.open()
        self.link.say(Ready())  # before the first cart, who may wait already, has its say
        await self.listener.start(sockets)
        await self.is_asked_to_stop.wait()
        looking.cancel()
        await self.listener.stop()
        await self.spool.close()
        self.porter.tell_counts()
        hearing.cancel()
        await self.link.close()

    async def _hear(self) -> None:
        try:
            while True:
                self._take(await self.link.hear())
        except LinkBrokenError:
            os._exit(GATE_IS_GONE)  # at once: what is under way must not be answered any more
        except Exception as error:  # noqa: BLE001 - boundary: a door that hears nothing must end
            log.error("door_failed", worker=self.begin.owner, exception_type=type(error).__name__)
            os._exit(FAILED)

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.listener.certificates.look()
            await asyncio.to_thread(self.spool.clear_leftovers)

    def _take(self, message: ToDoor) -> None:
        number = getattr(message, "number", 0)
        match message:
            case Taken() | Admitted() | StepTaken() | CommitmentTaken() | Failed():
                self.link.answered(number, answer_in(message))
            case Report(asked=asked, report=report):
                self._spawn(self.commitments.report(number, asked, report))
            case Settled(object_ids=object_ids):
                self._settle(object_ids)
            case Room(has_room=has_room):
                self.registrar.has_room = has_room
            case Ping():
                self.link.say(Pong())
            case Reload():
                self.listener.reload()
            case Stop():
                self.is_asked_to_stop.set()
            case _:
                raise LinkBrokenError("the gate begins again")

    def _settle(self, object_ids: Sequence[str]) -> None:
        for object_id in object_ids:
            self.spool.settle(object_id)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


async def run(link_number: int, numbers: Sequence[int]) -> None:
    """Be told what to do, and do it on inherited sockets."""
    link = await Link.over(socket.socket(fileno=link_number), TO_GATE, TO_DOOR)
    begin = await link.hear()
    if not isinstance(begin, Begin):
        raise LinkBrokenError("the gate does not begin")
    logs.configure(begin.log)
    try:
        await Door(link, begin).serve([socket.socket(fileno=number) for number in numbers])
    except (GateError, OSError) as error:
        log.error("door_not_opened", worker=begin.owner, reason=str(error))
        os._exit(NOT_OPENED)
    except Exception as error:  # noqa: BLE001 - boundary: its threads would keep it from ending
        log.error("door_failed", worker=begin.owner, exception_type=type(error).__name__)
        os._exit(FAILED)


def main() -> None:
    """Answer carts; the arguments are the numbers of the link and of the listening sockets."""
    end_with_parent()
    dumps.forbid_dumps()
    make_ready_for_carts()
    link_number, *numbers = map(int, sys.argv[1:])
    asyncio.run(run(link_number, numbers))
