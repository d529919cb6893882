"""Requests for storage commitment, until each is answered.

Kept a while longer, since a sender that did not hear the answer asks again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, insert, select, update

from sonogate.domain.commitment import (
    CommitmentItem,
    CommitmentOutcome,
    CommitmentReport,
    CommitmentRequest,
    FailureReason,
)
from sonogate.store.network_tables import commitment_items, commitments
from sonogate.store.tables import objects, studies


class CommitmentState(StrEnum):
    """Where a request stands."""

    WAITING = "waiting"  #: not all that it asks for can be answered yet
    DECIDED = "decided"  #: the answer is known, and owed
    REPORTED = "reported"
    GIVEN_UP = "given_up"  #: the sender could not be told


_FAIL = (
    update(commitment_items)
    .where(
        commitment_items.c.commitment_id == bindparam("id"),
        commitment_items.c.position == bindparam("at"),
    )
    .values(failure_reason=bindparam("reason"))
)
_OPEN = (CommitmentState.WAITING.value, CommitmentState.DECIDED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentRow:
    """One request as it stands, with what it asks for."""

    id: int
    request: CommitmentRequest
    state: CommitmentState
    attempts: int
    reasons: tuple[FailureReason | None, ...]  #: of each item, once decided; None: committed

    @property
    def report(self) -> CommitmentReport:
        """The answer, once it is decided."""
        return CommitmentReport(
            transaction_uid=self.request.transaction_uid,
            items=tuple(zip(self.request.items, self.reasons, strict=True)),
        )


class Commitments:
    """The tables `commitments` and `commitment_items`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def take(self, request: CommitmentRequest, most: int) -> tuple[CommitmentOutcome, int]:
        """Keep a request; return what became of it, and its id (0 if it is not kept).

        A sender that asks again did not hear the answer: it is decided anew and reported again.
        """
        found = self._find(request)
        if found is not None:
            if found.request.items != request.items:
                return CommitmentOutcome.CONFLICT, 0
            self._reopen(found, request)
            return CommitmentOutcome.REPEATED, found.id
        if self.n_open()[0] >= most:
            return CommitmentOutcome.CROWDED, 0
        return CommitmentOutcome.TAKEN, self._add(request)

    def due(self, state: CommitmentState, now: datetime, limit: int) -> list[CommitmentRow]:
        """Return requests in a state that are due, the longest due first."""
        rows = self._connection.execute(
            select(commitments)
            .where(commitments.c.state == state.value, commitments.c.next_attempt_at <= now)
            .order_by(commitments.c.next_attempt_at, commitments.c.id)
            .limit(limit)
        )
        return [self._to_row(row) for row in rows]

    def decide(
        self, commitment_id: int, reasons: Sequence[FailureReason | None], now: datetime
    ) -> None:
        """Note the answer; from now on it is owed."""
        self._connection.execute(
            update(commitment_items)
            .where(commitment_items.c.commitment_id == commitment_id)
            .values(failure_reason=None)
        )
        failed = [
            {"id": commitment_id, "at": position, "reason": int(reason)}
            for position, reason in enumerate(reasons)
            if reason is not None
        ]
        if failed:
            self._connection.execute(_FAIL, failed)
        self._set(commitment_id, state=CommitmentState.DECIDED.value, next_attempt_at=now)

    def put_off(self, commitment_id: int, next_attempt_at: datetime, *, failed: bool) -> None:
        """Look at a request again later; `failed`: its report did not get through."""
        self._set(
            commitment_id,
            next_attempt_at=next_attempt_at,
            attempts=commitments.c.attempts + int(failed),
        )

    def end(self, commitment_id: int, state: CommitmentState) -> None:
        """It is reported, or given up."""
        self._set(commitment_id, state=state.value)

    def n_open(self) -> tuple[int, datetime | None]:
        """Return how many requests are not answered, and since when the oldest is."""
        row = self._connection.execute(
            select(func.count(), func.min(commitments.c.asked_at)).where(
                commitments.c.state.in_(_OPEN)
            )
        ).one()
        return row[0], row[1]

    def prune(self, before: datetime, limit: int) -> int:
        """Forget requests that were answered, or given up, and asked before a time."""
        ids = list(
            self._connection.execute(
                select(commitments.c.id)
                .where(commitments.c.state.not_in(_OPEN), commitments.c.asked_at < before)
                .limit(limit)
            ).scalars()
        )
        if ids:
            run = self._connection.execute
            run(delete(commitment_items).where(commitment_items.c.commitment_id.in_(ids)))
            run(delete(commitments).where(commitments.c.id.in_(ids)))
        return len(ids)

    def _find(self, request: CommitmentRequest) -> CommitmentRow | None:
        row = self._connection.execute(
            select(commitments).where(
                commitments.c.calling_ae == request.calling_ae,
                commitments.c.transaction_uid == request.transaction_uid,
            )
        ).first()
        return self._to_row(row) if row is not None else None

    def _add(self, request: CommitmentRequest) -> int:
        result = self._connection.execute(
            insert(commitments),
            {
                "transaction_uid": request.transaction_uid,
                "calling_ae": request.calling_ae,
                "called_ae": request.called_ae,
                "peer_address": request.peer_address,
                "asked_at": request.received_at,
                "state": CommitmentState.WAITING.value,
                "attempts": 0,
                "next_attempt_at": request.received_at,
            },
        )
        (commitment_id,) = result.inserted_primary_key or (0,)
        self._connection.execute(
            insert(commitment_items),
            [
                {
                    "commitment_id": commitment_id,
                    "position": position,
                    "sop_class_uid": item.sop_class_uid,
                    "sop_instance_uid": item.sop_instance_uid,
                    "failure_reason": None,
                }
                for position, item in enumerate(request.items)
            ],
        )
        return int(commitment_id)

    def _reopen(self, found: CommitmentRow, request: CommitmentRequest) -> None:
        now = request.received_at
        if found.state.value in _OPEN:
            self._set(found.id, next_attempt_at=now)
            return
        self._set(
            found.id,
            state=CommitmentState.WAITING.value,
            asked_at=now,
            peer_address=request.peer_address,
            attempts=0,
            next_attempt_at=now,
        )

    def _set(self, commitment_id: int, **values: object) -> None:
        self._connection.execute(
            update(commitments).where(commitments.c.id == commitment_id).values(**values)
        )

    def _to_row(self, row: Any) -> CommitmentRow:
        asked = self._connection.execute(
            select(commitment_items)
            .where(commitment_items.c.commitment_id == row.id)
            .order_by(commitment_items.c.position)
        ).all()
        return CommitmentRow(
            id=row.id,
            request=CommitmentRequest(
                transaction_uid=row.transaction_uid,
                calling_ae=row.calling_ae,
                called_ae=row.called_ae,
                peer_address=row.peer_address,
                items=tuple(
                    CommitmentItem(
                        sop_class_uid=item.sop_class_uid, sop_instance_uid=item.sop_instance_uid
                    )
                    for item in asked
                ),
                received_at=row.asked_at,
            ),
            state=CommitmentState(row.state),
            attempts=row.attempts,
            reasons=tuple(
                FailureReason(item.failure_reason) if item.failure_reason else None
                for item in asked
            ),
        )


def is_asked_for() -> ColumnElement[bool]:
    """Whether commitment was asked for of the outer statement's study since its last object."""
    return (
        select(commitments.c.id)
        .join(commitment_items, commitment_items.c.commitment_id == commitments.c.id)
        .join(objects, objects.c.sop_instance_uid == commitment_items.c.sop_instance_uid)
        .where(
            objects.c.study_instance_uid == studies.c.study_instance_uid,
            commitments.c.asked_at >= studies.c.last_received_at,
        )
        .correlate(studies)
        .exists()
    )
