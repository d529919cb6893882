"""What is owed to archives and other destinations, until they have it.

One row for each item and destination, written in the transaction that enters the object (or makes
the result): from then on no crash forgets it. Nothing is removed while it is unfinished.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    bindparam,
    case,
    func,
    insert,
    select,
    update,
)

from sonogate.domain.instance import Kept, MediaType, ReceivedInstance
from sonogate.store.forward_records import (
    UNFINISHED,
    Destinations,
    Forward,
    ForwardState,
    LaneHead,
    Lanes,
    MadeResult,
    Standing,
    hold_until,
)
from sonogate.store.forward_rows import to_forward, to_result_column, to_standing
from sonogate.store.tables import forwards, objects

_OWED = forwards.c.state == ForwardState.OWED.value
_UNFINISHED = tuple(state.value for state in UNFINISHED)
_first = forwards.alias("first")


class Forwards:
    """The table `forwards`: the durable queue, and where each item stands."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def enqueue_received(
        self,
        instances: Sequence[ReceivedInstance],
        all_kept: Sequence[Kept],
        destinations: Destinations,
        lanes: Lanes,
    ) -> None:
        """Owe each new DICOM object to every destination; a repetition owes nothing more.

        To a destination that holds, it is held until it is decided. A plain picture is no DICOM
        object and stays here.
        """
        new = [
            (instance, lane)
            for instance, kept, lane in zip(instances, all_kept, lanes, strict=True)
            if not kept.duplicate and instance.media_type is MediaType.DICOM
        ]
        here = self._destinations_of([instance.object_id for instance, _lane in new])
        rows = [
            _row(each.name, instance.provenance.received_at, lane or instance.object_id)
            | {
                "object_id": instance.object_id,
                "state": (ForwardState.HELD if each.holds else ForwardState.OWED).value,
                "hold_until": hold_until(each, instance.provenance.received_at),
            }
            for instance, lane in new
            for each in destinations.all
            if each.name not in here[instance.object_id]
        ]
        if rows:
            self._connection.execute(insert(forwards), rows)

    def enqueue_result(
        self, result: MadeResult, destinations: Destinations, now: datetime
    ) -> list[str]:
        """Owe a result of ours to every destination that wants results.

        For the maker of results: call it in the transaction that records the result, after its file
        is durable in the results' folder. The same `result_id` is owed once, however often it is
        enqueued. It goes after everything its study owed before, and is never held.

        Returns:
            The names of the destinations that it is newly owed to.
        """
        there = set(
            self._connection.execute(
                select(forwards.c.destination).where(forwards.c.result_id == result.result_id)
            ).scalars()
        )
        wanting = [each.name for each in destinations.all if each.wants_results]
        names = [name for name in wanting if name not in there]
        rows = [
            _row(name, now, result.study_instance_uid)
            | {
                "result_id": result.result_id,
                "result": to_result_column(result),
                "state": ForwardState.OWED.value,
                "hold_until": None,
            }
            for name in names
        ]
        if rows:
            self._connection.execute(insert(forwards), rows)
        return names

    def wants_file(self, result_id: str) -> bool:
        """Whether some destination may still ask for a result's file."""
        statement = select(forwards.c.id).where(
            forwards.c.result_id == result_id, forwards.c.state.in_(_UNFINISHED)
        )
        return self._connection.execute(statement.limit(1)).first() is not None

    def withdraw_result(self, result_id: str, now: datetime) -> int:
        """Give up sending a result that does not hold any more; return how many had not got it."""
        return self._connection.execute(
            update(forwards)
            .where(forwards.c.result_id == result_id, forwards.c.state.in_(_UNFINISHED))
            .values(state=ForwardState.DROPPED.value, settled_at=now)
        ).rowcount

    def standings(self, object_ids: Collection[str]) -> dict[str, list[Standing]]:
        """Return where received objects stand with each destination, by object id.

        For Storage Commitment: an object may be reported as committed by the archive when the
        standing of that destination is `done`; `owed` and `held` mean "not yet" (answer later; a
        held one goes at `hold_until` at the latest); `refused` means that it will not get there
        without a person (0x0110, processing failure). An object without a standing for a
        destination was never owed to it: it came before the destination was in the settings, or is
        no DICOM object. Look objects up by `tx.objects.current(sop_instance_uid)` or `versions`.
        """
        found: dict[str, list[Standing]] = defaultdict(list)
        rows = self._connection.execute(
            select(forwards)
            .where(forwards.c.object_id.in_(list(object_ids)))
            .order_by(forwards.c.id)
        )
        for row in rows:
            found[row.object_id].append(to_standing(row))
        return dict(found)

    def due_lanes(
        self, destination: str, now: datetime, fresh_since: datetime, limit: int
    ) -> list[LaneHead]:
        """Return lanes with something to send now: fresh ones first, then the oldest.

        A lane is due when its first item is: what comes later in it waits for that one.
        """
        is_fresh = func.max(forwards.c.created_at) >= fresh_since
        heads = (
            select(
                forwards.c.lane,
                func.min(forwards.c.id).label("head"),
                case((is_fresh, 1), else_=0).label("is_fresh"),
            )
            .where(forwards.c.destination == destination, _OWED)
            .group_by(forwards.c.lane)
            .subquery()
        )
        rows = self._connection.execute(
            select(heads)
            .join(_first, _first.c.id == heads.c.head)
            .where(_first.c.next_attempt_at <= now)
            .order_by(heads.c.is_fresh.desc(), heads.c.head)
            .limit(limit)
        )
        return [LaneHead(lane=row.lane, is_fresh=bool(row.is_fresh)) for row in rows]

    def next_of_lane(self, destination: str, lane: str, now: datetime, limit: int) -> list[Forward]:
        """Return the first items of a lane, in order, up to the first that is not due."""
        rows = self._connection.execute(
            select(objects, *_prefixed())
            .select_from(forwards)
            .outerjoin(objects, objects.c.object_id == forwards.c.object_id)
            .where(forwards.c.destination == destination, forwards.c.lane == lane, _OWED)
            .order_by(forwards.c.id)
            .limit(limit)
        )
        due = []
        for row in rows:
            if row.forward_next_attempt_at > now:
                break
            due.append(to_forward(row))
        return due

    def done(self, forward_id: int, now: datetime, reason: str) -> None:
        """The destination has it."""
        self._settle(forward_id, ForwardState.DONE, now, reason)

    def refused(self, forward_id: int, now: datetime, reason: str) -> None:
        """The destination will not take it; it rests until a person asks for another try."""
        self._settle(forward_id, ForwardState.REFUSED, now, reason)

    def failed(
        self, forward_id: int, next_attempt_at: datetime, reason: str, *, steps_aside: bool
    ) -> None:
        """It did not get there; try again later.

        Args:
            forward_id: which item.
            next_attempt_at: when to try again.
            reason: a label of a closed set.
            steps_aside: the item itself seems to be at fault: the rest of its lane need not wait.
        """
        values: dict[str, object] = {
            "attempts": forwards.c.attempts + 1,
            "next_attempt_at": next_attempt_at,
            "reason": reason,
        }
        if steps_aside:
            values["lane"] = f"#{forward_id}"
        self._connection.execute(
            update(forwards).where(forwards.c.id == forward_id, _OWED).values(values)
        )

    def retry(self, destination: str, now: datetime) -> int:
        """Owe again what a destination refused, and let what waits be tried now; return how many.

        For a person who mended something. Attempts are counted anew.
        """
        return self._connection.execute(
            update(forwards)
            .where(
                forwards.c.destination == destination,
                forwards.c.state.in_([ForwardState.REFUSED.value, ForwardState.OWED.value]),
            )
            .values(state=ForwardState.OWED.value, next_attempt_at=now, attempts=0, settled_at=None)
        ).rowcount

    def drop_owed_to_others(self, names: Collection[str], before: datetime, now: datetime) -> int:
        """Give up what was owed before a time to destinations that are none of these."""
        return self._connection.execute(
            update(forwards)
            .where(
                forwards.c.destination.not_in(names),
                forwards.c.state.in_(_UNFINISHED),
                forwards.c.created_at < before,
            )
            .values(state=ForwardState.DROPPED.value, settled_at=now)
        ).rowcount

    def _settle(self, forward_id: int, state: ForwardState, now: datetime, reason: str) -> None:
        self._connection.execute(
            update(forwards)
            .where(forwards.c.id == forward_id, _OWED)
            .values(
                state=state.value,
                settled_at=now,
                reason=reason,
                attempts=forwards.c.attempts + 1,
            )
        )

    def _destinations_of(self, object_ids: Iterable[str]) -> defaultdict[str, set[str]]:
        here: defaultdict[str, set[str]] = defaultdict(set)
        rows = self._connection.execute(
            select(forwards.c.object_id, forwards.c.destination).where(
                forwards.c.object_id.in_(bindparam("ids", expanding=True))
            ),
            {"ids": list(object_ids)},
        )
        for row in rows:
            here[row.object_id].add(row.destination)
        return here


def _row(destination: str, at: datetime, lane: str) -> dict[str, object]:
    return {
        "destination": destination,
        "object_id": None,
        "result_id": None,
        "result": None,
        "lane": lane,
        "attempts": 0,
        "created_at": at,
        "next_attempt_at": at,
    }


def _prefixed() -> list[Any]:
    return [column.label(f"forward_{column.name}") for column in forwards.c]
