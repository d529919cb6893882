"""What stands behind a door, in its own process: everything is asked of the gate."""

import asyncio
from typing import Final

from sonogate.domain.commitment import (
    CommitmentOutcome,
    CommitmentReport,
    CommitmentRequest,
    SendReport,
)
from sonogate.domain.instance import ReceivedInstance
from sonogate.domain.procedure import StepMessage, StepOutcome
from sonogate.errors import SpoolFullError
from sonogate.receive.admission import Rule
from sonogate.receive.doors.link import Link
from sonogate.receive.doors.wire import (
    Announce,
    CommitmentAsked,
    Counts,
    Knock,
    Leave,
    Refused,
    Reported,
    StepSaid,
    ToDoor,
    ToGate,
)
from sonogate.receive.porter import Admitted, Counted
from sonogate.receive.quota import SenderKey

COUNT_SECONDS: Final = 0.1
"""How long counts are gathered before the gate is told: many then cost one message."""

OWED: Final = frozenset({CommitmentOutcome.TAKEN, CommitmentOutcome.REPEATED})
"""Requests that get a report; one that was repeated gets it by its newest way back."""
MAX_WAYS_BACK: Final = 1024
"""Beyond it the oldest is forgotten: its report comes over an association of the gate's own."""

DoorLink = Link[ToGate, ToDoor]


class GateRegistrar:
    """A `domain.ports.Announcing`: an object counts once the gate has taken it."""

    def __init__(self, link: DoorLink, *, has_room: bool) -> None:
        self.has_room = has_room
        self._link = link

    def require_room(self) -> None:
        """Raise as the gate would.

        Raises:
            SpoolFullError: Too many objects wait for a verdict.
        """
        if not self.has_room:
            raise SpoolFullError("Too many objects wait for a verdict; send again when fewer do.")

    async def announce(self, instance: ReceivedInstance) -> None:
        """Return once the gate has taken the object on its way to the database.

        Raises:
            SpoolWriteError: It could not.
        """
        number, taken = self._link.question()
        self._link.say(Announce(number, instance))
        self.has_room = await taken


class GatePorter:
    """A `receive.porter.Porter`: places and counts are the whole gate's."""

    def __init__(self, link: DoorLink) -> None:
        self.n_open = 0
        self._link = link
        self._counts: list[tuple[Counted, str, float]] = []
        self._timer: asyncio.TimerHandle | None = None

    def admit(self, sender: SenderKey, then: Admitted) -> None:
        """Ask for a place; `then` is told later."""
        number, admitted = self._link.question()

        def tell(answer: asyncio.Future[Rule | None]) -> None:
            if answer.cancelled() or answer.exception() is not None:
                return
            self.n_open += answer.result() is None
            then(answer.result())

        admitted.add_done_callback(tell)
        self._link.say(Knock(number, *sender))

    def see_off(self, sender: SenderKey) -> None:
        """Give a place back."""
        self.n_open -= 1
        self._link.say(Leave(*sender))

    def count(self, what: Counted, label: str = "", value: float = 1.0) -> None:
        """Count something; the gate is told a little later."""
        self._counts.append((what, label, value))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(COUNT_SECONDS, self.tell_counts)

    def tell_counts(self) -> None:
        """Tell what was counted since."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._counts:
            self._link.say(Counts(tuple(self._counts)))
            self._counts.clear()

    def refused(self, action: str, peer: str, address: str, rule: str) -> None:
        """Tell of a peer that was turned away."""
        self._link.say(Refused(action, peer, address, rule))


class GateSteps:
    """A `domain.procedure.Steps`."""

    def __init__(self, link: DoorLink) -> None:
        self._link = link

    async def take(self, message: StepMessage) -> StepOutcome:
        """Return what became of a message, once that is durable.

        Raises:
            SpoolWriteError: The gate could not keep it.
        """
        number, taken = self._link.question()
        self._link.say(StepSaid(number, message))
        outcome: StepOutcome = await taken
        return outcome


class GateCommitments:
    """A `domain.commitment.Commitments`; the gate sends its reports back this way."""

    def __init__(self, link: DoorLink) -> None:
        self._link = link
        self._replies: dict[int, SendReport] = {}  #: ways back, by the number of their request

    async def take(self, request: CommitmentRequest, reply: SendReport) -> CommitmentOutcome:
        """Return once the request is durable.

        Raises:
            SpoolWriteError: The gate could not keep it.
        """
        number, taken = self._link.question()
        self._replies[number] = reply
        self._link.say(CommitmentAsked(number, request))
        is_owed = False
        try:
            outcome: CommitmentOutcome = await taken
            is_owed = outcome in OWED
        finally:
            if not is_owed:
                self._replies.pop(number, None)
        while len(self._replies) > MAX_WAYS_BACK:
            del self._replies[min(self._replies)]
        return outcome

    async def report(self, number: int, asked: int, report: CommitmentReport) -> None:
        """Send a report on the association that asked, and tell what was answered."""
        reply = self._replies.pop(asked, None)
        status = await reply(report) if reply is not None else None
        self._link.say(Reported(number, status))
