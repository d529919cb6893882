"""Performed procedure steps: what carts say of their exams, and of which objects."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from sonogate.domain.procedure import StepStatus
from sonogate.store.network_tables import (
    procedure_steps,
    step_references,
    step_studies,
)
from sonogate.store.records import ObjectState
from sonogate.store.tables import objects, studies


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """One step as it stands."""

    step_uid: str
    status: StepStatus
    calling_ae: str
    opened_at: datetime
    changed_at: datetime
    said: frozenset[str]
    created_sha256: str
    last_sha256: str
    is_spent: bool = False  #: it has closed its studies; what comes after is another exam


class ProcedureSteps:
    """The tables `procedure_steps`, `step_studies` and `step_references`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, step_uid: str) -> StepRow | None:
        """Return one step, or None."""
        row = self._connection.execute(
            select(procedure_steps).where(procedure_steps.c.step_uid == step_uid)
        ).first()
        return _to_step(row) if row is not None else None

    def add(self, step: StepRow, study_uids: Collection[str]) -> None:
        """Begin a step of some studies."""
        self._connection.execute(insert(procedure_steps), _columns(step))
        rows = [{"step_uid": step.step_uid, "study_instance_uid": uid} for uid in study_uids]
        if rows:
            self._connection.execute(insert(step_studies), rows)

    def save(self, step: StepRow) -> None:
        """Store a step's changed columns."""
        self._connection.execute(
            update(procedure_steps)
            .where(procedure_steps.c.step_uid == step.step_uid)
            .values(_columns(step))
        )

    def set_references(self, step_uid: str, sop_instance_uids: Iterable[str]) -> None:
        """Replace the objects that a step names: an N-SET replaces what it sets."""
        self._connection.execute(
            delete(step_references).where(step_references.c.step_uid == step_uid)
        )
        rows = [{"step_uid": step_uid, "sop_instance_uid": uid} for uid in sop_instance_uids]
        if rows:
            self._connection.execute(insert(step_references), rows)

    def n_in_progress(self) -> int:
        """Count the steps that have not ended."""
        statement = select(func.count()).select_from(procedure_steps)
        return self._connection.execute(statement.where(_has(StepStatus.IN_PROGRESS))).scalar_one()

    def studies_of(self, step_uid: str) -> list[str]:
        """Return the studies of a step."""
        statement = select(step_studies.c.study_instance_uid)
        return list(
            self._connection.execute(statement.where(step_studies.c.step_uid == step_uid)).scalars()
        )

    def of_study(self, study_uid: str) -> list[StepRow]:
        """Return the steps of a study, in the order they began."""
        rows = self._connection.execute(
            select(procedure_steps)
            .join(step_studies, step_studies.c.step_uid == procedure_steps.c.step_uid)
            .where(step_studies.c.study_instance_uid == study_uid)
            .order_by(procedure_steps.c.opened_at, procedure_steps.c.step_uid)
        )
        return [_to_step(row) for row in rows]

    def n_named(self, study_uid: str) -> tuple[int, int]:
        """Count what the steps of a study name, and how much of it has not come."""
        named = (
            select(step_references.c.sop_instance_uid)
            .join(procedure_steps, procedure_steps.c.step_uid == step_references.c.step_uid)
            .join(step_studies, step_studies.c.step_uid == procedure_steps.c.step_uid)
            .where(
                step_studies.c.study_instance_uid == study_uid,
                ~_has(StepStatus.DISCONTINUED),
            )
            .distinct()
            .subquery()
        )
        here = select(objects.c.object_id).where(
            objects.c.sop_instance_uid == named.c.sop_instance_uid
        )
        count = select(func.count()).select_from(named)
        run = self._connection.execute
        return run(count).scalar_one(), run(count.where(~here.exists())).scalar_one()

    def spend(self, study_uid: str) -> None:
        """Its study is closed: a completed step closes it no second time."""
        of_study = select(step_studies.c.step_uid).where(
            step_studies.c.study_instance_uid == study_uid
        )
        self._connection.execute(
            update(procedure_steps)
            .where(procedure_steps.c.step_uid.in_(of_study), _has(StepStatus.COMPLETED))
            .values(is_spent=True)
        )


def is_completed_by_cart() -> ColumnElement[bool]:
    """Whether the cart says that the study of the outer statement is complete, and all of it came.

    All of it: every object that a completed step names is here and judged. A step that names
    nothing says nothing, and while another step goes on more may come.
    """
    of_study = (
        select(procedure_steps.c.step_uid)
        .join(step_studies, step_studies.c.step_uid == procedure_steps.c.step_uid)
        .where(step_studies.c.study_instance_uid == studies.c.study_instance_uid)
        .correlate(studies)
    )
    completed = of_study.where(_has(StepStatus.COMPLETED), ~procedure_steps.c.is_spent)
    named = (
        select(step_references.c.step_uid)
        .join(procedure_steps, procedure_steps.c.step_uid == step_references.c.step_uid)
        .join(step_studies, step_studies.c.step_uid == procedure_steps.c.step_uid)
        .where(
            step_studies.c.study_instance_uid == studies.c.study_instance_uid,
            _has(StepStatus.COMPLETED),
        )
        .correlate(studies)
    )
    judged = select(objects.c.object_id).where(
        objects.c.sop_instance_uid == step_references.c.sop_instance_uid,
        objects.c.state == ObjectState.JUDGED.value,
    )
    return (
        completed.exists()
        & ~of_study.where(_has(StepStatus.IN_PROGRESS)).exists()
        & named.exists()
        & ~named.where(~judged.exists()).exists()
    )


def _has(status: StepStatus) -> ColumnElement[bool]:
    return procedure_steps.c.status == status.value


def _columns(step: StepRow) -> dict[str, object]:
    return {
        "step_uid": step.step_uid,
        "status": step.status.value,
        "calling_ae": step.calling_ae,
        "opened_at": step.opened_at,
        "changed_at": step.changed_at,
        "said": sorted(step.said),
        "created_sha256": step.created_sha256,
        "last_sha256": step.last_sha256,
        "is_spent": step.is_spent,
    }


def _to_step(row: Any) -> StepRow:
    return StepRow(
        step_uid=row.step_uid,
        status=StepStatus(row.status),
        calling_ae=row.calling_ae,
        opened_at=row.opened_at,
        changed_at=row.changed_at,
        said=frozenset(row.said),
        created_sha256=row.created_sha256,
        last_sha256=row.last_sha256,
        is_spent=row.is_spent,
    )
