"""Which objects of a study belong together: re-acquisitions, caliper twins, questions.

A link is kept as found. Whether it counts is asked on reading, since a person's override or a
newer content of the same UID may take the ground from under it, and may give it back.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    bindparam,
    insert,
    not_,
    select,
    update,
)

from sonogate.domain.verdict import Band
from sonogate.store.overrides import is_in_doubt
from sonogate.store.records import Answer, Link, LinkKind
from sonogate.store.tables import links, objects, verdicts

_NON_LOW = (Band.HIGH.value, Band.MEDIUM.value)


_newer, _newer_verdict = objects.alias("newer"), verdicts.alias("newer_verdict")
_clean = objects.alias("clean")
_older, _older_verdict = objects.alias("older"), verdicts.alias("older_verdict")
_other_links = links.alias("other_links")  # inside EXISTS, beside a statement on `links`


def supersedes(link: FromClause = links) -> Select[Any]:
    """Select re-acquisitions that count: the newer object is current, an image and not low."""
    return (
        select(link)
        .join(_newer, _newer.c.object_id == link.c.object_id)
        .join(_newer_verdict, _newer_verdict.c.object_id == link.c.object_id)
        .where(
            link.c.kind == LinkKind.SUPERSEDES.value,
            _newer.c.is_current,
            _newer_verdict.c.effective_band.in_(_NON_LOW),
            not_(is_in_doubt(_newer_verdict)),
        )
    )


def twins(link: FromClause = links) -> Select[Any]:
    """Select caliper twins that count: the clean object is current."""
    return (
        select(link)
        .join(_clean, _clean.c.object_id == link.c.other_id)
        .where(link.c.kind == LinkKind.TWIN.value, _clean.c.is_current)
    )


def is_twin(object_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether the object is counted by its caliper-free twin."""
    return twins(_other_links).where(_other_links.c.object_id == object_id).exists()


def is_cleared(object_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a good re-acquisition stands for the object."""
    return supersedes(_other_links).where(_other_links.c.other_id == object_id).exists()


_OF_STUDY = links.c.study_instance_uid == bindparam("study")
_IS_OPEN = and_(links.c.kind == LinkKind.QUESTION.value, links.c.answer.is_(None))
_SUPERSEDES = supersedes().where(_OF_STUDY).order_by(links.c.id)
_TWINS = twins().where(_OF_STUDY).order_by(links.c.id)
_asker, _asker_verdict = objects.alias("asker"), verdicts.alias("asker_verdict")
_OPEN_QUESTIONS = (
    select(links)
    .join(_asker, _asker.c.object_id == links.c.object_id)
    .join(_asker_verdict, _asker_verdict.c.object_id == links.c.object_id)
    .join(_older, _older.c.object_id == links.c.other_id)
    .join(_older_verdict, _older_verdict.c.object_id == links.c.other_id)
    .where(
        _OF_STUDY,
        _IS_OPEN,
        _asker.c.is_current,
        _asker_verdict.c.effective_band.in_(_NON_LOW),
        not_(is_in_doubt(_asker_verdict)),
        _older.c.is_current,
        _older_verdict.c.effective_band == Band.LOW.value,
        not_(is_in_doubt(_older_verdict)),
        not_(is_cleared(_older.c.object_id)),
    )
    .order_by(links.c.id)
)
_ONE = select(links).where(
    links.c.kind == bindparam("kind"),
    links.c.object_id == bindparam("object"),
    links.c.other_id == bindparam("other"),
)


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
            _ONE, {"kind": kind.value, "object": object_id, "other": other_id}
        ).first()
        return _to_link(row) if row is not None else None

    def supersedes(self, study_uid: str) -> list[Link]:
        """Return the re-acquisitions of a study that count, in the order they were found."""
        return self._list(_SUPERSEDES, study_uid)

    def twins(self, study_uid: str) -> list[Link]:
        """Return the caliper twins of a study that count."""
        return self._list(_TWINS, study_uid)

    def open_questions(self, study_uid: str) -> list[Link]:
        """Return questions without an answer whose older object still needs re-acquiring."""
        return self._list(_OPEN_QUESTIONS, study_uid)

    def answer(
        self, object_id: str, other_id: str, answer: Answer, *, by: str | None, at: datetime
    ) -> bool:
        """Close an open question; return whether it was open."""
        result = self._connection.execute(
            update(links)
            .where(_IS_OPEN, links.c.object_id == object_id, links.c.other_id == other_id)
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
        rows = self._connection.execute(statement, {"study": study_uid})
        return [_to_link(row) for row in rows]


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
