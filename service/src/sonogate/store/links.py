"""Which objects of a study belong together: re-acquisitions, caliper twins, questions.

A link is kept as found. Whether it counts is asked on reading, since a person's override or a
newer content of the same UID may take the ground from under it, and may give it back.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, insert, not_, select, update

from sonogate.domain.verdict import Band
from sonogate.store.records import Answer, Link, LinkKind
from sonogate.store.tables import links, objects, verdicts

_NON_LOW = (Band.HIGH.value, Band.MEDIUM.value)


def effective_supersedes(statement: Select[Any]) -> Select[Any]:
    """Join `links` to a statement: re-acquisitions whose newer object is current and not low."""
    newer, newer_verdict = objects.alias(), verdicts.alias()
    return (
        statement.select_from(links)
        .join(newer, newer.c.object_id == links.c.object_id)
        .join(newer_verdict, newer_verdict.c.object_id == links.c.object_id)
        .where(
            links.c.kind == LinkKind.SUPERSEDES.value,
            newer.c.is_current,
            newer_verdict.c.effective_band.in_(_NON_LOW),
        )
    )


def effective_twins(statement: Select[Any]) -> Select[Any]:
    """Join `links` to a statement: caliper twins whose clean object is current."""
    clean = objects.alias()
    return (
        statement.select_from(links)
        .join(clean, clean.c.object_id == links.c.other_id)
        .where(links.c.kind == LinkKind.TWIN.value, clean.c.is_current)
    )


def is_twin(object_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether the object is counted by its caliper-free twin."""
    return effective_twins(select(links.c.id)).where(links.c.object_id == object_id).exists()


def is_cleared(object_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a good re-acquisition stands for the object."""
    return effective_supersedes(select(links.c.id)).where(links.c.other_id == object_id).exists()


class Links:
    """The table `links`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, link: Link) -> bool:
        """Add a link; return False if the same one is there already."""
        if self.get(link.kind, link.object_id, link.other_id) is not None:
            return False
        self._connection.execute(
            insert(links),
            {
                "kind": link.kind.value,
                "object_id": link.object_id,
                "other_id": link.other_id,
                "study_instance_uid": link.study_instance_uid,
                "similarity": link.similarity,
                "decided_by": link.decided_by,
                "decided_at": link.decided_at,
                "answer": link.answer.value if link.answer else None,
            },
        )
        return True

    def get(self, kind: LinkKind, object_id: str, other_id: str) -> Link | None:
        """Return one link, or None."""
        row = self._connection.execute(
            select(links).where(
                links.c.kind == kind.value,
                links.c.object_id == object_id,
                links.c.other_id == other_id,
            )
        ).first()
        return _to_link(row) if row is not None else None

    def supersedes(self, study_uid: str) -> list[Link]:
        """Return the re-acquisitions of a study that count, in the order they were found."""
        return self._list(effective_supersedes(select(links)), study_uid)

    def twins(self, study_uid: str) -> list[Link]:
        """Return the caliper twins of a study that count."""
        return self._list(effective_twins(select(links)), study_uid)

    def open_questions(self, study_uid: str) -> list[Link]:
        """Return questions without an answer whose older object still needs re-acquiring."""
        newer, older = objects.alias(), objects.alias()
        newer_verdict, older_verdict = verdicts.alias(), verdicts.alias()
        statement = (
            select(links)
            .join(newer, newer.c.object_id == links.c.object_id)
            .join(newer_verdict, newer_verdict.c.object_id == links.c.object_id)
            .join(older, older.c.object_id == links.c.other_id)
            .join(older_verdict, older_verdict.c.object_id == links.c.other_id)
            .where(
                _is_open(),
                newer.c.is_current,
                newer_verdict.c.effective_band.in_(_NON_LOW),
                older.c.is_current,
                older_verdict.c.effective_band == Band.LOW.value,
                not_(is_cleared(older.c.object_id)),
            )
        )
        return self._list(statement, study_uid)

    def answer(
        self, object_id: str, other_id: str, answer: Answer, *, by: str | None, at: datetime
    ) -> bool:
        """Close an open question; return whether it was open."""
        result = self._connection.execute(
            update(links)
            .where(_is_open(), links.c.object_id == object_id, links.c.other_id == other_id)
            .values(answer=answer.value, decided_by=by, decided_at=at)
        )
        return result.rowcount > 0

    def questions_of(self, *, newer: str | None = None, older: str | None = None) -> list[Link]:
        """Return every question, open or answered, of a newer or an older object."""
        statement = select(links).where(links.c.kind == LinkKind.QUESTION.value)
        if newer is not None:
            statement = statement.where(links.c.object_id == newer)
        if older is not None:
            statement = statement.where(links.c.other_id == older)
        return [_to_link(row) for row in self._connection.execute(statement)]

    def _list(self, statement: Select[Any], study_uid: str) -> list[Link]:
        rows = self._connection.execute(
            statement.where(links.c.study_instance_uid == study_uid).order_by(links.c.id)
        )
        return [_to_link(row) for row in rows]


def _is_open() -> ColumnElement[bool]:
    return and_(links.c.kind == LinkKind.QUESTION.value, links.c.answer.is_(None))


def _to_link(row: Any) -> Link:
    return Link(
        kind=LinkKind(row.kind),
        object_id=row.object_id,
        other_id=row.other_id,
        study_instance_uid=row.study_instance_uid,
        similarity=row.similarity,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        answer=Answer(row.answer) if row.answer else None,
    )
