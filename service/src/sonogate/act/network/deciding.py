"""What may be answered to a request for commitment: only what is true now (PS3.4 J.3.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from sonogate.domain.commitment import CommitmentItem, CommitmentRequest, FailureReason
from sonogate.store.forward_records import ForwardState, Release, Standing
from sonogate.store.transaction import Transaction


class Word(Enum):
    """What is to be said of one object."""

    COMMITTED = "committed"
    UNKNOWN = "unknown"  #: it never came, or its bytes have gone
    CONFLICT = "conflict"  #: it is of another SOP class
    FAILED = "failed"  #: a destination will not take it
    NOT_YET = "not_yet"  #: on its way to a destination
    HELD = "held"  #: held back until it is decided


REASONS: dict[Word, FailureReason | None] = {
    Word.COMMITTED: None,
    Word.UNKNOWN: FailureReason.NO_SUCH_OBJECT_INSTANCE,
    Word.CONFLICT: FailureReason.CLASS_INSTANCE_CONFLICT,
    Word.FAILED: FailureReason.PROCESSING_FAILURE,
    Word.NOT_YET: FailureReason.PROCESSING_FAILURE,  # once it has waited long enough
    Word.HELD: FailureReason.PROCESSING_FAILURE,  # likewise
}

_BY_STATE: dict[ForwardState | None, Word] = {
    ForwardState.DONE: Word.COMMITTED,
    ForwardState.OWED: Word.NOT_YET,
    ForwardState.HELD: Word.HELD,
    ForwardState.REFUSED: Word.FAILED,
    ForwardState.DROPPED: Word.FAILED,
    None: Word.FAILED,  # it came before the destination was set: nobody will send it there
}
_GRAVEST = (Word.FAILED, Word.HELD, Word.NOT_YET)
"""What one destination says outweighs what another does, in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The words on what a request asks for, in its order."""

    words: tuple[Word, ...]

    @property
    def reasons(self) -> tuple[FailureReason | None, ...]:
        """Failure reasons; None: committed."""
        return tuple(REASONS[word] for word in self.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What must be true of an object before it is said to be committed."""

    wait_seconds: float
    destinations: frozenset[str] = frozenset()  #: names of those that must have taken it


def decide(
    tx: Transaction, request: CommitmentRequest, now: datetime, demand: Demand
) -> Decision | None:
    """Return the answer to a request, or None while it must wait.

    It waits for what is on its way to a destination or held back, until `wait_seconds` are over or
    a hold runs out; then that is reported as failed, and the sender keeps its copy.
    """
    said = [_word(tx, item, demand.destinations) for item in request.items]
    deadline = request.received_at + timedelta(seconds=demand.wait_seconds)
    ends = [deadline, *(until for _each, until in said if until is not None)]
    words = tuple(word for word, _until in said)
    if now < min(ends) and {Word.NOT_YET, Word.HELD} & set(words):
        return None
    return Decision(words=words)


def _word(
    tx: Transaction, item: CommitmentItem, destinations: frozenset[str]
) -> tuple[Word, datetime | None]:
    """Say what there is to say of one object, and when its hold runs out."""
    found = tx.objects.current(item.sop_instance_uid)
    if found is None:
        return Word.UNKNOWN, None
    if found.received.sop_class_uid != item.sop_class_uid:
        return Word.CONFLICT, None
    object_id = found.received.object_id
    if not destinations and tx.spooled_bytes.is_gone(object_id):
        return Word.UNKNOWN, None
    known = tx.forwards.standings([object_id]) if destinations else {}
    standings = {each.destination: each for each in known.get(object_id, ())}
    return _of_destinations([standings.get(name) for name in destinations])


def _of_destinations(standings: Sequence[Standing | None]) -> tuple[Word, datetime | None]:
    words = {_BY_STATE[each.state if each else None] for each in standings}
    word = next((each for each in _GRAVEST if each in words), Word.COMMITTED)
    untils = [each.hold_until for each in standings if each and _is_held_still(each)]
    return word, min((until for until in untils if until is not None), default=None)


def _is_held_still(standing: Standing) -> bool:
    """Whether it is held, or its hold has run out and it is not stored yet."""
    has_run_out = standing.release is Release.TIMED_OUT and standing.state is ForwardState.OWED
    return standing.state is ForwardState.HELD or has_run_out
