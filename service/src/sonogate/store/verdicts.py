"""One verdict per object: its body as judged; what people and links add is joined on reading."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, insert, select

from sonogate.domain.verdict import Verdict
from sonogate.store.links import supersedes
from sonogate.store.overrides import Overrides
from sonogate.store.records import StoredObject, StoredVerdict
from sonogate.store.tables import links, objects, verdicts


def _linked(mine: ColumnElement[str], other: ColumnElement[str]) -> Select[Any]:
    """Select the SOP instance UID at the other end of an object's latest re-acquisition."""
    return (
        supersedes()
        .with_only_columns(objects.c.sop_instance_uid)
        .join(objects, objects.c.object_id == other)
        .where(mine == bindparam("object"))
        .order_by(objects.c.received_at.desc(), objects.c.object_id.desc())
        .limit(1)
    )


_SUPERSEDED_UID = _linked(links.c.object_id, links.c.other_id)
_SUPERSEDER_UID = _linked(links.c.other_id, links.c.object_id)


class Verdicts:
    """The table `verdicts`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, object_id: str, verdict: Verdict) -> None:
        """Keep the verdict of an object as judged; it is the only one."""
        self._connection.execute(
            insert(verdicts),
            {
                "object_id": object_id,
                "status": verdict.status.value,
                "band": verdict.band.value if verdict.band else None,
                "effective_band": verdict.band.value if verdict.band else None,
                "doubt": verdict.doubt.code if verdict.doubt else None,
                "quality": verdict.quality,
                "verdict_at": verdict.verdict_at,
                "body": verdict.model_dump(
                    mode="json",
                    exclude={"supersedes", "superseded_by", "override", "advice_reason"},
                ),
            },
        )

    def exists(self, object_id: str) -> bool:
        """Whether the object was judged."""
        statement = select(verdicts.c.object_id).where(verdicts.c.object_id == object_id)
        return self._connection.execute(statement).first() is not None

    def machine(self, object_id: str) -> Verdict | None:
        """Return the verdict as judged, or None."""
        body = self._connection.execute(
            select(verdicts.c.body).where(verdicts.c.object_id == object_id)
        ).scalar()
        return None if body is None else Verdict.model_validate(body)

    def read(self, found: StoredObject) -> StoredVerdict | None:
        """Return the verdict of an object with override and links filled in, or None."""
        object_id = found.received.object_id
        machine = self.machine(object_id)
        if machine is None:
            return None
        verdict = machine.told(
            Overrides(self._connection).active(object_id),
            supersedes=self._linked_uid(_SUPERSEDED_UID, object_id),
            superseded_by=self._linked_uid(_SUPERSEDER_UID, object_id),
        )
        return StoredVerdict(
            object_id=object_id,
            number=found.number,
            study_instance_uid=found.study_instance_uid,
            verdict=verdict,
            machine=machine,
        )

    def _linked_uid(self, statement: Select[Any], object_id: str) -> str | None:
        return self._connection.execute(statement, {"object": object_id}).scalar() or None
