"""Received objects: kept once, claimed with a lease, judged once."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)

from sonogate.domain.identity import ObjectId
from sonogate.domain.instance import Header, Kept, ReceivedInstance
from sonogate.store.object_rows import header_columns, to_received, to_row, to_stored
from sonogate.store.records import ClaimedObject, ObjectState, QueueReport, StoredObject
from sonogate.store.tables import objects

_SAME_UID = select(objects.c.object_id, objects.c.content_sha256).where(
    objects.c.sop_instance_uid == bindparam("uid")
)
_SAME_PICTURE = _SAME_UID.where(objects.c.content_sha256 == bindparam("sha"))
_CONTENTS = select(objects.c.object_id, objects.c.sop_instance_uid, objects.c.content_sha256)
_NAMES: BindParameter[list[str]] = bindparam("names", expanding=True)
_SAME_UIDS = _CONTENTS.where(objects.c.sop_instance_uid.in_(_NAMES))
_SAME_PICTURES = _CONTENTS.where(
    objects.c.sop_instance_uid == "", objects.c.content_sha256.in_(_NAMES)
)
_BY_ID = select(objects).where(objects.c.object_id == bindparam("id"))
_INSERT = insert(objects)


class Objects:
    """The table `objects`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def keep(self, instance: ReceivedInstance) -> Kept:
        """Add one object, or find that it is already here; see `keep_all`."""
        return self.keep_all([instance])[0]

    def keep_all(self, instances: Sequence[ReceivedInstance]) -> list[Kept]:
        """Add objects in their order, or find that they are already here.

        The same UID with the same bytes is a duplicate and changes nothing, even if other bytes
        came in between: a sender that repeats an old store must not bring an old content back.
        With other bytes it is a conflict: both stay, the one received last is current. An object
        that was added before, by a commit whose answer was lost, is no duplicate of itself.
        """
        here = self._contents(instances)
        rows: dict[str, dict[str, object]] = {}
        all_kept = []
        for instance in instances:
            contents = here[_name_of(instance)]
            earlier = contents.get(instance.content_sha256)
            is_duplicate = earlier not in (None, instance.object_id)
            if earlier is None:
                if contents:
                    self._conflict(instance.sop_instance_uid or "", rows.values())
                rows[instance.object_id] = to_row(instance, is_conflict=bool(contents))
            kept = Kept(
                object_id=ObjectId(earlier or instance.object_id),
                duplicate=is_duplicate,
                conflict=earlier is None and bool(contents),
            )
            contents.setdefault(instance.content_sha256, kept.object_id)
            all_kept.append(kept)
        if rows:
            self._connection.execute(_INSERT, list(rows.values()))
        return all_kept

    def _contents(
        self, instances: Sequence[ReceivedInstance]
    ) -> defaultdict[tuple[str, str], dict[str, str]]:
        """Return what is here under the same names: object id by content hash, by name."""
        here: defaultdict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        uids = [each.sop_instance_uid for each in instances if each.sop_instance_uid]
        sha256s = [each.content_sha256 for each in instances if not each.sop_instance_uid]
        for statement, names in ((_SAME_UIDS, uids), (_SAME_PICTURES, sha256s)):
            if names:
                for row in self._connection.execute(statement, {"names": names}):
                    name = (
                        row.sop_instance_uid,
                        "" if row.sop_instance_uid else row.content_sha256,
                    )
                    here[name][row.content_sha256] = row.object_id
        return here

    def _conflict(self, uid: str, waiting: Iterable[dict[str, object]]) -> None:
        """Set aside the contents of a UID that are here, and those about to be added."""
        self._set_aside(uid)
        for row in waiting:
            if row["sop_instance_uid"] == uid:
                row.update(is_conflict=True, is_current=False)

    def _same_uid(self, uid: str, sha256: str) -> Sequence[Any]:
        statement = _SAME_UID if uid else _SAME_PICTURE
        return self._connection.execute(statement, {"uid": uid, "sha": sha256}).all()

    def _set_aside(self, uid: str) -> None:
        """Mark all contents of a UID as conflicting and none as current."""
        self._connection.execute(
            update(objects)
            .where(objects.c.sop_instance_uid == uid)
            .values(is_conflict=True, is_current=False)
        )

    def claim(
        self, owner: str, now: datetime, lease_seconds: float, limit: int
    ) -> list[ClaimedObject]:
        """Lend the oldest objects without a verdict: unclaimed ones, or those whose lease ended."""
        is_free = or_(
            objects.c.state == ObjectState.WAITING.value,
            and_(objects.c.state == ObjectState.CLAIMED.value, objects.c.lease_until < now),
        )
        statement = (
            select(objects)
            .where(is_free)
            .order_by(objects.c.received_at, objects.c.object_id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        rows = self._connection.execute(statement).all()
        if rows:
            self._connection.execute(
                update(objects)
                .where(objects.c.object_id.in_([row.object_id for row in rows]))
                .values(
                    state=ObjectState.CLAIMED.value,
                    claimed_by=owner,
                    claimed_at=now,
                    lease_until=now + timedelta(seconds=lease_seconds),
                    attempts=objects.c.attempts + 1,
                )
            )
        return [
            ClaimedObject(received=to_received(row), attempts=row.attempts + 1, claimed_at=now)
            for row in rows
        ]

    def release(self, object_id: str) -> None:
        """Give one claimed object back; its attempts stay counted."""
        self._release(objects.c.object_id == object_id)

    def release_all_of_other_owners(self, owner: str) -> int:
        """Give back what an earlier gate process had claimed; return how many.

        For the start of the only gate of a store: there, every other owner is gone.
        """
        return self._release(objects.c.claimed_by != owner)

    def _release(self, which: ColumnElement[bool]) -> int:
        result = self._connection.execute(
            update(objects)
            .where(objects.c.state == ObjectState.CLAIMED.value, which)
            .values(
                state=ObjectState.WAITING.value, claimed_by=None, claimed_at=None, lease_until=None
            )
        )
        return result.rowcount

    def get(self, object_id: str) -> StoredObject | None:
        """Return one object, or None."""
        row = self._connection.execute(_BY_ID, {"id": object_id}).first()
        return to_stored(row) if row is not None else None

    def current(self, uid: str) -> StoredObject | None:
        """Return the latest received content of a SOP instance UID, or None."""
        return self._one(
            select(objects).where(objects.c.sop_instance_uid == uid, objects.c.is_current)
        )

    def by_content(self, uid: str, content_sha256: str) -> StoredObject | None:
        """Return one content of a SOP instance UID, or None."""
        return self._one(
            select(objects).where(
                objects.c.sop_instance_uid == uid, objects.c.content_sha256 == content_sha256
            )
        )

    def versions(self, uid: str) -> list[StoredObject]:
        """Return every content of a SOP instance UID, in order of arrival."""
        rows = self._connection.execute(
            select(objects)
            .where(objects.c.sop_instance_uid == uid)
            .order_by(objects.c.received_at, objects.c.object_id)
        )
        return [to_stored(row) for row in rows]

    def _one(self, statement: Select[Any]) -> StoredObject | None:
        row = self._connection.execute(statement).first()
        return to_stored(row) if row is not None else None

    def adopt_uid(self, object_id: str, uid: str) -> bool:
        """Name an object by the UID found in its data set, where the sender gave none.

        Returns:
            Whether it bears the name now; not if the same bytes already bear it.
        """
        nameless = self.get(object_id)
        if nameless is None or self.by_content(uid, nameless.received.content_sha256):
            return False
        others = self._same_uid(uid, "")
        if others:
            self._set_aside(uid)
        self._connection.execute(
            update(objects)
            .where(objects.c.object_id == object_id)
            .values(sop_instance_uid=uid, is_conflict=bool(others), is_current=True)
        )
        return True

    def mark_judged(
        self,
        object_id: str,
        header: Header,
        *,
        number: int | None,
        study_uid: str | None,
        has_calipers: bool,
    ) -> None:
        """End the claim and keep what the header told."""
        self._connection.execute(
            update(objects)
            .where(objects.c.object_id == object_id)
            .values(
                state=ObjectState.JUDGED.value,
                claimed_by=None,
                lease_until=None,
                number=number,
                study_instance_uid=study_uid,
                has_calipers=has_calipers,
                **header_columns(header),
            )
        )

    def queue(self) -> QueueReport:
        """Count the objects without a verdict and find the oldest."""
        row = self._connection.execute(
            select(func.count(), func.min(objects.c.received_at)).where(_is_unjudged())
        ).one()
        return QueueReport(n_objects=row[0], oldest_received_at=row[1])

    def n_unjudged(self) -> int:
        """Count the objects without a verdict."""
        statement = select(func.count()).select_from(objects).where(_is_unjudged())
        return self._connection.execute(statement).scalar_one()

    def known(self, object_ids: Sequence[str]) -> set[str]:
        """Return those of these ids that are in the table."""
        statement = select(objects.c.object_id).where(objects.c.object_id.in_(object_ids))
        return set(self._connection.execute(statement).scalars())

    def newest_received_at(self) -> datetime | None:
        """Return when the newest object was received; None if there is none."""
        received_at: datetime | None = self._connection.execute(
            select(objects.c.received_at).order_by(objects.c.object_id.desc()).limit(1)
        ).scalar()
        return received_at


def _name_of(instance: ReceivedInstance) -> tuple[str, str]:
    """Return what tells an object from others: its UID; a picture's hash, since it has none."""
    uid = instance.sop_instance_uid or ""
    return uid, "" if uid else instance.content_sha256


def _is_unjudged() -> ColumnElement[bool]:
    return objects.c.state.in_([ObjectState.WAITING.value, ObjectState.CLAIMED.value])
