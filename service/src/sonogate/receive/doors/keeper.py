"""Keeps the doors open: starts their processes, replaces those that end, stops them all."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

from sonogate.domain.instance import ReceivedInstance
from sonogate.errors import DoorKilledError, GateError
from sonogate.observe.health import Check
from sonogate.observe.logs import get_logger
from sonogate.observe.metrics import Metrics
from sonogate.receive.certificates import Certificates
from sonogate.receive.doors.desk import Desk, House
from sonogate.receive.doors.process import DoorProcess
from sonogate.receive.doors.sockets import close_all, listen_together
from sonogate.receive.doors.takeover import Takeover
from sonogate.receive.doors.watch import until_silent
from sonogate.receive.doors.wire import Begin, Reload, Stop
from sonogate.receive.listener import FAREWELL_SECONDS, STOP_SECONDS
from sonogate.receive.spool import Spool
from sonogate.settings import Settings

PAUSES_SECONDS: Final = (0.1, 0.2, 1.0, 5.0)
"""Pauses before a door is replaced, the more of them ended young, the longer."""
YOUNG_SECONDS: Final = 10.0
"""A door that lived so long is replaced as if it were the first."""
ROOM_SECONDS: Final = 0.25
"""How often doors are told that there is room again."""
END_SECONDS: Final = STOP_SECONDS + FAREWELL_SECONDS + 4.0
"""How long doors may take to stop before they are killed."""
GRACE_SECONDS: Final = 2.0
"""How long requests of doors that ended may take."""

log = get_logger()


@dataclass
class Door:
    """A door that answers."""

    owner: str
    process: DoorProcess
    desk: Desk
    began_at: float  #: seconds of the loop's clock


class Doors:
    """The DICOM port, answered by processes of their own; to the gate it is a `Listener`."""

    def __init__(
        self,
        settings: Settings,
        spool: Spool,
        house: House,
        metrics: Metrics,
        live: Callable[[], Awaitable[AbstractSet[str]]],
    ) -> None:
        """Read the certificates, if the port is locked.

        Raises:
            SettingFileError: One of them is not what it must be.
        """
        self.certificates = Certificates(settings.listener)
        self._settings = settings
        self._house = house
        self._metrics = metrics
        self._takeover = Takeover(spool, house.registrar, live)
        self._shares: list[list[socket.socket]] = []
        self._doors: dict[str, Door] = {}
        self._owed: dict[str, Desk] = {}
        self._minders: dict[str, asyncio.Task[None]] = {}
        self._beside: set[asyncio.Task[None]] = set()
        self._requests: set[asyncio.Task[None]] = set()
        self._is_stopping = False

    @property
    def port(self) -> int:
        """The port listened on; 0 while stopped."""
        return int(self._shares[0][0].getsockname()[1]) if self._shares else 0

    @property
    def n_associations(self) -> int:
        """Associations established now, at all doors."""
        return self._house.porter.n_open

    @property
    def is_locked(self) -> bool:
        """Whether the doors speak TLS only."""
        return self.certificates.context is not None

    @property
    def process_ids(self) -> list[int]:
        """Process ids of the doors that answer now."""
        return [door.process.id for door in self._doors.values()]

    def check(self) -> Check:
        """Say whether carts are answered: by one door at least."""
        n_open, n = len(self._doors), self._settings.listener.processes
        detail = f"port {self.port}, {n_open} of {n} processes answer"
        return Check(ok=self.port > 0 and n_open > 0, detail=detail)

    def reload(self) -> None:
        """Take the certificates anew, here and at every door."""
        self.certificates.reload()
        for door in self._doors.values():
            door.desk.link.say(Reload())

    def settled(self, instance: ReceivedInstance) -> None:
        """An object is in the database: tell the door that keeps it, if one does."""
        desk = self._owed.pop(instance.object_id, None)
        if desk is not None:
            desk.settled(instance.object_id)

    async def start(self) -> None:
        """Listen, and open every door.

        Raises:
            OSError: The address is taken or not ours.
            GateError: A door did not open.
        """
        listener = self._settings.listener
        self._shares = listen_together(listener.host, listener.port, listener.processes)
        opening = [self._open_first(number) for number in range(listener.processes)]
        opened = await asyncio.gather(*opening, return_exceptions=True)
        for number, door in enumerate(opened):
            if isinstance(door, Door):
                self._minders[door.owner] = asyncio.create_task(self._mind(number, door))
        for door in opened:
            if isinstance(door, BaseException):
                await self.stop()
                raise door
        self._spawn(self._tell_room())
        log.info("doors_opened", host=listener.host, port=self.port)

    async def stop(self) -> None:
        """Have every door answer what is under way and end; kill those that don't."""
        self._is_stopping = True
        close_all(self._shares)
        self._shares = []
        for owner, minder in self._minders.items():
            if owner in self._doors:
                self._doors[owner].desk.link.say(Stop())
            else:
                minder.cancel()
        await self._end(self._minders.values(), END_SECONDS)
        await self._end(self._requests, GRACE_SECONDS)
        await self._end(self._beside, 0)
        for door in tuple(self._doors.values()):
            door.process.kill()
            await self._clear_away(door)
        log.info("doors_closed")

    async def _end(self, tasks: Iterable[asyncio.Task[None]], seconds: float) -> None:
        """Wait so long for tasks, then cancel them."""
        tasks = set(tasks)
        if tasks:
            _done, left = await asyncio.wait(tasks, timeout=seconds)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _open(self, number: int) -> Door:
        """Start the process of one door, and wait until it answers."""
        settings, owner = self._settings, f"D{number + 1}"
        has_room = self._house.has_room()
        process = await DoorProcess.start(
            self._shares[number],
            Begin(
                listener=settings.listener,
                spool=settings.spool,
                log=settings.log,
                spool_dir=settings.spool_dir,
                owner=owner,
                has_steps=self._house.steps is not None,
                has_commitments=self._house.commitments is not None,
                has_room=has_room,
            ),
        )
        desk = Desk(self._house, process.link, self._owed, self._requests, self._tell_full)
        desk.said_room = has_room
        door = Door(owner, process, desk, asyncio.get_running_loop().time())
        self._doors[owner] = door
        return door

    async def _mind(self, number: int, door: Door) -> None:
        """Serve a door; whenever it ends, take over what it left and open another."""
        n_young = 0
        while True:
            await self._serve(door)
            await self._clear_away(door)
            if self._is_stopping:
                return
            lived = asyncio.get_running_loop().time() - door.began_at
            n_young = 0 if lived >= YOUNG_SECONDS else n_young + 1
            left = await self._takeover.look(door.owner)
            self._spawn(self._takeover.enter(left))
            self._metrics.door_restarts.inc()
            door = await self._replace(number, n_young)

    async def _serve(self, door: Door) -> None:
        """Do what a door asks for until its link ends; kill one that hangs, so that it does."""
        watching = asyncio.create_task(self._watch(door))
        try:
            await door.desk.serve()
        finally:
            watching.cancel()

    async def _watch(self, door: Door) -> None:
        seconds = self._settings.listener.door_silent_seconds
        await until_silent(door.desk, seconds)
        log.error("door_silent", worker=door.owner, seconds=seconds)
        self._metrics.door_silences.inc()
        door.process.kill()

    async def _open_first(self, number: int) -> Door:
        """Open a door at the start; one that is killed meanwhile is no reason to give up."""
        for attempt, pause_seconds in enumerate(PAUSES_SECONDS, start=1):
            try:
                return await self._open(number)
            except DoorKilledError as error:
                log.error("door_not_opened", reason=str(error), attempt=attempt)
                await asyncio.sleep(pause_seconds)
        return await self._open(number)

    async def _replace(self, number: int, n_young: int) -> Door:
        while True:
            await asyncio.sleep(PAUSES_SECONDS[min(n_young, len(PAUSES_SECONDS) - 1)])
            try:
                return await self._open(number)
            except GateError as error:
                n_young += 1
                log.error("door_not_opened", reason=str(error), attempt=n_young)

    async def _clear_away(self, door: Door) -> None:
        """See that a door's process is gone, and give back what it held."""
        exit_code = await door.process.end(is_asked=self._is_stopping)
        await door.desk.close()
        self._doors.pop(door.owner, None)
        if not self._is_stopping:
            log.warning("door_lost", worker=door.owner, exit_code=exit_code)

    async def _tell_room(self) -> None:
        while True:
            await asyncio.sleep(ROOM_SECONDS)
            self._tell_all(has_room=self._house.has_room())

    def _tell_full(self) -> None:
        self._tell_all(has_room=False)

    def _tell_all(self, *, has_room: bool) -> None:
        for door in self._doors.values():
            door.desk.tell_room(has_room=has_room)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)
