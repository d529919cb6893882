"""What an adviser said of images, and whose turn it is to be asked about.

What is owed needs no row: a verdict in a band that is asked about, not older than the limit,
without one. So the verdict's own transaction knows nothing of advice. A row begins with a claim.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, insert, or_, select, update

from sonogate.domain.advice import Advice, AdviceKind, AdviceReason
from sonogate.store.advice_tables import advices
from sonogate.store.records import Body
from sonogate.store.tables import objects, verdicts


class AdviceState(StrEnum):
    """Where one image's advice stands."""

    ASKING = "asking"  #: claimed; free again when the claim ends
    WAITING = "waiting"  #: an attempt failed; the next is planned
    GIVEN = "given"
    NONE = "none"  #: there is and will be none


_OPEN = (AdviceState.ASKING.value, AdviceState.WAITING.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One image to be asked about now."""

    object_id: str
    attempts: int  #: this one included


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The end of an image's advice."""

    body: Body | None  #: what was said; None: nothing
    reason: AdviceReason | None
    adviser: str
    model: str | None
    seconds: float | None = None


class Advices:
    """The table `advices`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def due(
        self,
        now: datetime,
        since: datetime,
        bands: Collection[str],
        max_attempts: int,
        limit: int,
    ) -> list[Claim]:
        """Return whom to ask about, the newest verdicts first; nothing is claimed yet.

        Args:
            now: retries planned up to then are due.
            since: verdicts from before are left alone.
            bands: as they count now, after people's overrides.
            max_attempts: of one image; one that had them is left alone.
            limit: at most so many.
        """
        statement = (
            select(verdicts.c.object_id, advices.c.attempts)
            .outerjoin(advices, advices.c.object_id == verdicts.c.object_id)
            .where(
                verdicts.c.verdict_at >= since,
                verdicts.c.effective_band.in_(bands),
                or_(
                    advices.c.object_id.is_(None),
                    _is_due(now) & (advices.c.attempts < max_attempts),
                ),
            )
            .order_by(verdicts.c.verdict_at.desc(), verdicts.c.object_id.desc())
            .limit(limit)
        )
        return [
            Claim(object_id=row.object_id, attempts=(row.attempts or 0) + 1)
            for row in self._connection.execute(statement)
        ]

    def claim(self, claim: Claim, now: datetime, until: datetime) -> bool:
        """Take an image's advice on; return whether nobody else had.

        Args:
            claim: of `due`.
            now: a claim that ended before is free.
            until: when this one ends if nothing comes of it.
        """
        if claim.attempts > 1:
            return self._claim_again(claim.object_id, claim.attempts, until, _is_due(now))
        if self.get(claim.object_id) is not None:
            return False
        self._connection.execute(
            insert(advices),
            {
                "object_id": claim.object_id,
                "state": AdviceState.ASKING.value,
                "attempts": claim.attempts,
                "created_at": now,
                "next_attempt_at": until,
            },
        )
        return True

    def take(self, object_id: str, now: datetime, until: datetime) -> int | None:
        """Claim for a person what nobody is asking now; return the attempts, this one included.

        Nothing is taken that was given.
        """
        row = self._connection.execute(
            select(advices.c.attempts, advices.c.state).where(advices.c.object_id == object_id)
        ).first()
        if row is None:
            taken = self.claim(Claim(object_id=object_id, attempts=1), now, until)
            return 1 if taken else None
        free = advices.c.state.in_((AdviceState.WAITING.value, AdviceState.NONE.value))
        attempts: int = row.attempts + 1
        is_mine = self._claim_again(object_id, attempts, until, or_(free, _is_due(now)))
        return attempts if is_mine else None

    def _claim_again(
        self, object_id: str, attempts: int, until: datetime, free: ColumnElement[bool]
    ) -> bool:
        taken = self._connection.execute(
            update(advices)
            .where(advices.c.object_id == object_id, advices.c.attempts == attempts - 1, free)
            .values(
                state=AdviceState.ASKING.value,
                attempts=attempts,
                next_attempt_at=until,
                settled_at=None,
            )
        )
        return taken.rowcount > 0

    def postpone(self, object_id: str, reason: AdviceReason, until: datetime) -> None:
        """Plan the next attempt."""
        self._connection.execute(
            update(advices)
            .where(advices.c.object_id == object_id, advices.c.state == AdviceState.ASKING.value)
            .values(state=AdviceState.WAITING.value, reason=reason.value, next_attempt_at=until)
        )

    def settle(self, object_id: str, settled: Settled, now: datetime) -> bool:
        """Keep what came of it; return whether there was nothing yet. What was said stays."""
        ended = self._connection.execute(
            update(advices)
            .where(advices.c.object_id == object_id, advices.c.state != AdviceState.GIVEN.value)
            .values(
                state=(AdviceState.NONE if settled.body is None else AdviceState.GIVEN).value,
                reason=settled.reason.value if settled.reason else None,
                settled_at=now,
                adviser=settled.adviser,
                model=settled.model,
                seconds=settled.seconds,
                body=None if settled.body is None else dict(settled.body),
            )
        )
        return ended.rowcount > 0

    def give_up(self, since: datetime, max_attempts: int, now: datetime) -> int:
        """End what is due, and too old or tried too often; return how many that were."""
        old = select(verdicts.c.object_id).where(verdicts.c.verdict_at < since)
        return self._connection.execute(
            update(advices)
            .where(
                or_(advices.c.object_id.in_(old), advices.c.attempts >= max_attempts), _is_due(now)
            )
            .values(
                state=AdviceState.NONE.value, reason=AdviceReason.TOO_LATE.value, settled_at=now
            )
        ).rowcount

    def n_open(self) -> int:
        """Return how many are being asked or wait for their next attempt."""
        return self._connection.execute(
            select(func.count()).select_from(advices).where(advices.c.state.in_(_OPEN))
        ).scalar_one()

    def get(self, object_id: str) -> Advice | None:
        """Return what is known of one object's advice, or None."""
        row = self._connection.execute(_ROWS.where(advices.c.object_id == object_id)).first()
        return None if row is None else _to_advice(row)

    def of_study(self, study_uid: str) -> dict[str, Advice]:
        """Return what is known of a study's images, by object id."""
        rows = self._connection.execute(
            _ROWS.join(objects, objects.c.object_id == advices.c.object_id).where(
                objects.c.study_instance_uid == study_uid
            )
        ).all()
        return {row.object_id: _to_advice(row) for row in rows}


_ROWS: Select[Any] = select(
    advices.c.object_id,
    advices.c.state,
    advices.c.reason,
    advices.c.settled_at,
    advices.c.adviser,
    advices.c.model,
    advices.c.body,
)


def _is_due(now: datetime) -> ColumnElement[bool]:
    return advices.c.state.in_(_OPEN) & (advices.c.next_attempt_at <= now)


def _to_advice(row: Any) -> Advice:
    reason = AdviceReason.PENDING if row.state in _OPEN else row.reason
    said = row.body or {}
    return Advice(
        kind=AdviceKind.REMARK,
        advice=said.get("said"),
        agrees=said.get("agrees"),
        reason=reason,
        adviser=row.adviser,
        model=row.model,
        at=row.settled_at,
    )
