"""The gate's side of one door: does what the door asks for, and remembers what it owes it."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from sonogate.domain.commitment import CommitmentReport, Commitments
from sonogate.domain.instance import ReceivedInstance
from sonogate.domain.ports import Announcing
from sonogate.domain.procedure import Steps
from sonogate.errors import SpoolFullError
from sonogate.observe.logs import get_logger
from sonogate.receive.admission import Rule
from sonogate.receive.doors.link import Link, LinkBrokenError
from sonogate.receive.doors.wire import (
    Admitted,
    Announce,
    CommitmentAsked,
    CommitmentTaken,
    Counts,
    Failed,
    Knock,
    Leave,
    Ping,
    Pong,
    Refused,
    Report,
    Reported,
    Room,
    Settled,
    StepSaid,
    StepTaken,
    Taken,
    ToDoor,
    ToGate,
)
from sonogate.receive.porter import Porter
from sonogate.receive.quota import SenderKey

log = get_logger()

GateLink = Link[ToDoor, ToGate]


class Book(Announcing, Protocol):
    """The registrar, as far as the keeper of doors needs it."""

    async def caught_up(self) -> None:
        """Return once everything announced so far is in the database."""
        ...

    async def recover(self, instances: list[ReceivedInstance]) -> None:
        """Enter what the database may not know."""
        ...


@dataclass(frozen=True, kw_only=True)
class House:
    """What is behind every door."""

    registrar: Book
    porter: Porter
    steps: Steps | None
    commitments: Commitments | None

    def has_room(self) -> bool:
        """Whether more objects are taken."""
        try:
            self.registrar.require_room()
        except SpoolFullError:
            return False
        return True


class Desk:
    """Serves one door until its link ends.

    Args:
        house: what it serves from.
        link: to the door.
        owed: objects that some door announced and the database has not taken, with whom to tell.
        tasks: requests under way, of all doors; they go on when their door ends.
        on_full: called when an object was the last for which there was room.
    """

    def __init__(
        self,
        house: House,
        link: GateLink,
        owed: dict[str, "Desk"],
        tasks: set[asyncio.Task[None]],
        on_full: Callable[[], None],
    ) -> None:
        self.link = link
        self.said_room = True
        self.n_pongs = 0
        self.is_busy = False
        self._house = house
        self._owed = owed
        self._places: Counter[SenderKey] = Counter()
        self._settled: list[str] = []
        self._tasks = tasks
        self._on_full = on_full

    async def serve(self) -> None:
        """Do what the door asks for until it is gone."""
        try:
            while True:
                message = await self.link.hear()
                self.is_busy = True
                await self._take(message)
                self.is_busy = False
        except LinkBrokenError as error:
            log.info("door_ended", reason=str(error))
        except Exception as error:  # noqa: BLE001 - boundary: the gate outlives what a door says
            log.error("door_ended", exception_type=type(error).__name__)

    def ping(self) -> None:
        """Ask the door whether it lives; the answer counts in `n_pongs`."""
        self.link.say(Ping())

    async def close(self) -> None:
        """Give back what the door held; tell those who wait for it that nothing comes."""
        for object_id in [each for each, desk in self._owed.items() if desk is self]:
            del self._owed[object_id]
        for sender in self._places.elements():
            self._house.porter.see_off(sender)
        self._places.clear()
        await self.link.close()

    def settled(self, object_id: str) -> None:
        """Tell the door that an object of its own is in the database; many at once."""
        if not self._settled:
            asyncio.get_running_loop().call_soon(self._tell_settled)
        self._settled.append(object_id)

    def tell_room(self, *, has_room: bool) -> None:
        """Tell the door whether more objects are taken, if it believes otherwise."""
        if has_room != self.said_room:
            self.said_room = has_room
            self.link.say(Room(has_room))

    def _tell_settled(self) -> None:
        self.link.say(Settled(tuple(self._settled)))
        self._settled.clear()

    async def _take(self, message: ToGate) -> None:
        match message:
            case Announce():
                await self._announce(message)
            case Knock(number=number, calling_ae=calling_ae, peer_address=address):
                self._admit(number, (calling_ae, address))
            case Leave(calling_ae=calling_ae, peer_address=address):
                self._see_off((calling_ae, address))
            case Reported(number=number, status=status):
                self.link.answered(number, status)
            case StepSaid(number=number):
                self._spawn(number, self._take_step(message))
            case CommitmentAsked(number=number):
                self._spawn(number, self._take_commitment(message))
            case _:
                self._note(message)

    def _note(self, message: ToGate) -> None:
        match message:
            case Pong():
                self.n_pongs += 1
            case Counts(counts=counts):
                for each in counts:
                    self._house.porter.count(*each)
            case Refused(action=action, peer=peer, peer_address=address, rule=rule):
                self._house.porter.refused(action, peer, address, rule)
            case _:
                raise LinkBrokenError("a door that is ready says so again")

    async def _announce(self, message: Announce) -> None:
        object_id = message.instance.object_id
        self._owed[object_id] = self
        await self._house.registrar.announce(message.instance)
        self.said_room = self._house.has_room()
        self.link.say(Taken(message.number, self.said_room))
        if not self.said_room:
            self._on_full()

    def _admit(self, number: int, sender: SenderKey) -> None:
        def tell(rule: Rule | None) -> None:
            self._places[sender] += rule is None
            self.link.say(Admitted(number, rule))

        self._house.porter.admit(sender, tell)

    def _see_off(self, sender: SenderKey) -> None:
        if not self._places[sender]:
            raise LinkBrokenError("a place is given back that was not taken")
        self._places[sender] -= 1
        self._house.porter.see_off(sender)

    def _spawn(self, number: int, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._carry_out(number, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, number: int, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - boundary: the cart is told, the door goes on
            log.warning("request_failed", exception_type=type(error).__name__)
            self.link.say(Failed(number))

    async def _take_step(self, said: StepSaid) -> None:
        if self._house.steps is None:
            raise LinkBrokenError("MPPS is not served")
        self.link.say(StepTaken(said.number, await self._house.steps.take(said.message)))

    async def _take_commitment(self, asked: CommitmentAsked) -> None:
        if self._house.commitments is None:
            raise LinkBrokenError("Storage Commitment is not served")
        reply = partial(self._report, asked.number)
        outcome = await self._house.commitments.take(asked.request, reply)
        self.link.say(CommitmentTaken(asked.number, outcome))

    async def _report(self, asked: int, report: CommitmentReport) -> int | None:
        number, reported = self.link.question()
        self.link.say(Report(number, asked, report))
        try:
            status: int | None = await reported
        except LinkBrokenError:
            return None
        return status
