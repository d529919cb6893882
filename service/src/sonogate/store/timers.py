"""Times to come, moved along when the machine's clock was set.

What has to survive a restart can only be kept as a time of day. Each of these times was meant as
"so many seconds from then": a clock set forwards must not let them all run out at once, and one set
back must not stop retries, quiet times and leases until it has caught up.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Table, bindparam, select, update

from sonogate.domain.study import StudyStatus
from sonogate.store.advice_tables import advices
from sonogate.store.commitments import CommitmentState
from sonogate.store.forward_records import ForwardState
from sonogate.store.network_tables import commitments, step_messages
from sonogate.store.records import ObjectState
from sonogate.store.result_tables import owed_results, rejection_calls
from sonogate.store.tables import breakers, deliveries, forwards, objects, studies


@dataclass(frozen=True, slots=True)
class _Timer:
    """Columns of a table that hold times to come, or times that something is counted from."""

    table: Table
    runs: ColumnElement[bool]  #: rows whose time is not over
    columns: tuple[Column[Any], ...]


_OPEN: Final = (CommitmentState.WAITING.value, CommitmentState.DECIDED.value)
_ON_THE_WAY: Final = (ForwardState.HELD.value, ForwardState.OWED.value)
_TIMERS: Final = (
    _Timer(
        studies,
        studies.c.status != StudyStatus.CLOSED.value,
        (studies.c.last_received_at, studies.c.last_judged_at),
    ),
    _Timer(objects, objects.c.state == ObjectState.CLAIMED.value, (objects.c.lease_until,)),
    _Timer(
        deliveries,
        deliveries.c.delivered_at.is_(None),
        (deliveries.c.created_at, deliveries.c.next_attempt_at),
    ),
    _Timer(
        forwards,
        forwards.c.state.in_(_ON_THE_WAY),
        (forwards.c.created_at, forwards.c.next_attempt_at, forwards.c.hold_until),
    ),
    _Timer(breakers, breakers.c.destination.is_not(None), (breakers.c.rest_until,)),
    _Timer(step_messages, step_messages.c.id.is_not(None), (step_messages.c.next_attempt_at,)),
    _Timer(
        commitments,
        commitments.c.state.in_(_OPEN),
        (commitments.c.asked_at, commitments.c.next_attempt_at),
    ),
    _Timer(
        owed_results,
        owed_results.c.next_attempt_at.is_not(None),
        (owed_results.c.next_attempt_at,),
    ),
    _Timer(advices, advices.c.settled_at.is_(None), (advices.c.next_attempt_at,)),
    _Timer(
        rejection_calls, rejection_calls.c.done_at.is_(None), (rejection_calls.c.next_attempt_at,)
    ),
)


class Timers:
    """Every time in the database that somebody waits for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def move(self, step: timedelta) -> int:
        """Move them by as much as the clock was set; return how many rows there were."""
        return sum(self._move(timer, step) for timer in _TIMERS)

    def _move(self, timer: _Timer, step: timedelta) -> int:
        (key,) = timer.table.primary_key
        rows = self._connection.execute(select(key, *timer.columns).where(timer.runs)).all()
        moved = [
            {"its_key": row[0]}
            | {
                f"new_{column.name}": at if at is None else at + step
                for column, at in zip(timer.columns, row[1:], strict=True)
            }
            for row in rows
        ]
        if moved:
            values: dict[str, Any] = {
                each.name: bindparam(f"new_{each.name}") for each in timer.columns
            }
            statement = update(timer.table).where(key == bindparam("its_key")).values(values)
            self._connection.execute(statement, moved)
        return len(moved)
