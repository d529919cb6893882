"""What is held until it is decided: a low image, for as long as it may still be taken again.

Whether something is decided is read from what is stored, never told by whoever decides: so a
release can't be forgotten, whatever stopped half-way.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, not_, or_, select, update

from sonogate.domain.study import StudyStatus
from sonogate.domain.verdict import Band
from sonogate.store.forward_records import ForwardState, Release
from sonogate.store.links import is_cleared
from sonogate.store.overrides import is_overruled
from sonogate.store.tables import forwards, objects, studies, verdicts

LIMIT = 500
"""Held ones looked at in one commit; the rest follows in the next."""

_HELD = forwards.c.state == ForwardState.HELD.value
_NOT_LOW = (
    select(verdicts.c.object_id)
    .where(
        verdicts.c.object_id == forwards.c.object_id,
        or_(verdicts.c.effective_band.is_(None), verdicts.c.effective_band != Band.LOW.value),
    )
    .exists()
)
_OVERRIDDEN = is_overruled(forwards.c.object_id)
_CLOSED = (
    select(objects.c.object_id)
    .join(studies, studies.c.study_instance_uid == objects.c.study_instance_uid)
    .where(
        objects.c.object_id == forwards.c.object_id,
        studies.c.status == StudyStatus.CLOSED.value,
    )
    .exists()
)


class ForwardHolds:
    """The held rows of `forwards`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def decided(self, now: datetime, holding: Collection[str]) -> bool:
        """Whether anything held may go now; for a reader, so that no beat writes for nothing."""
        statement = select(forwards.c.id).where(_HELD, or_(*_rules(now, holding).values()))
        return self._connection.execute(statement.limit(1)).first() is not None

    def release(self, now: datetime, holding: Collection[str]) -> dict[Release, int]:
        """Let go what is decided, and note why; return how many by reason.

        Args:
            now: what was held until now, or longer, goes.
            holding: destinations that hold at all, by the settings in force.
        """
        released = {}
        for release, rule in _rules(now, holding).items():
            ids = (
                self._connection.execute(
                    select(forwards.c.id).where(_HELD, rule).order_by(forwards.c.id).limit(LIMIT)
                )
                .scalars()
                .all()
            )
            if not ids:
                continue
            self._connection.execute(
                update(forwards)
                .where(forwards.c.id.in_(ids))
                .values(state=ForwardState.OWED.value, release=release.value, next_attempt_at=now)
            )
            released[release] = len(ids)
        return released


def _rules(now: datetime, holding: Collection[str]) -> dict[Release, ColumnElement[bool]]:
    """Return what lets an object go, the reason that is said first first."""
    return {
        Release.SETTINGS: forwards.c.destination.not_in(list(holding)),
        Release.VERDICT: and_(_NOT_LOW, not_(_OVERRIDDEN)),
        Release.OVERRIDE: _OVERRIDDEN,
        Release.SUPERSEDED: is_cleared(forwards.c.object_id),
        Release.CLOSED: _CLOSED,
        Release.TIMED_OUT: forwards.c.hold_until <= now,
    }
