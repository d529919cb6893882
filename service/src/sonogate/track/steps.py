"""What a cart says of its exam (MPPS): kept, told, and owed to the site's own MPPS server."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sonogate.domain.procedure import (
    FINAL_ATTRIBUTES,
    STEP_TRANSITIONS,
    StepMessage,
    StepOutcome,
    StepStatus,
)
from sonogate.observe.metrics import Metrics
from sonogate.store.database import Database
from sonogate.store.records import DeliveryTargets
from sonogate.store.steps import StepRow
from sonogate.store.transaction import Transaction
from sonogate.track.journal import Journal


class StepBook:
    """A `domain.procedure.Steps` over the database.

    Args:
        database: an open database.
        targets: receivers who are told where a study stands.
        metrics: counts messages.
        on_change: called once a change is durable.
        max_in_progress: steps in progress above which no more are created.
        servers: names of the site's MPPS servers, to whom each message is owed.
    """

    def __init__(
        self,
        database: Database,
        targets: DeliveryTargets,
        metrics: Metrics,
        on_change: Callable[[], None],
        *,
        max_in_progress: int,
        servers: Sequence[str] = (),
    ) -> None:
        self._database = database
        self._targets = targets
        self._metrics = metrics
        self._on_change = on_change
        self._max_in_progress = max_in_progress
        self._servers = servers

    async def take(self, message: StepMessage) -> StepOutcome:
        """Return what became of a message, once that is durable."""
        outcome = await self._database.write(lambda tx: self._take(tx, message))
        self._metrics.network.steps.labels(
            "n_create" if message.is_create else "n_set", outcome.value
        ).inc()
        if outcome is StepOutcome.TAKEN:
            self._on_change()
        return outcome

    def _take(self, tx: Transaction, message: StepMessage) -> StepOutcome:
        enter = _create if message.is_create else _set
        outcome = enter(tx, message, self._max_in_progress)
        if outcome is StepOutcome.TAKEN:
            tx.step_messages.owe(message, self._servers)
            self._tell(tx, message.step_uid)
        return outcome

    def _tell(self, tx: Transaction, step_uid: str) -> None:
        journal = Journal(tx=tx, now=datetime.now(UTC), targets=self._targets)
        for study_uid in tx.steps.studies_of(step_uid):
            study = tx.studies.get(study_uid)
            if study is not None:
                journal.tell_study(study)


def _create(tx: Transaction, message: StepMessage, max_in_progress: int) -> StepOutcome:
    """Begin a step; the very same message again, as after a lost answer, changes nothing."""
    step = tx.steps.get(message.step_uid)
    if step is not None:
        is_same = step.created_sha256 == message.sha256
        return StepOutcome.REPEATED if is_same else StepOutcome.DUPLICATE
    if tx.steps.n_in_progress() >= max_in_progress:
        return StepOutcome.CROWDED
    tx.steps.add(
        StepRow(
            step_uid=message.step_uid,
            status=StepStatus.IN_PROGRESS,
            calling_ae=message.calling_ae,
            opened_at=message.received_at,
            changed_at=message.received_at,
            said=message.said,
            created_sha256=message.sha256,
            last_sha256=message.sha256,
        ),
        message.study_uids,
    )
    if message.references is not None:
        tx.steps.set_references(message.step_uid, message.references)
    return StepOutcome.TAKEN


def _set(tx: Transaction, message: StepMessage, _max_in_progress: int) -> StepOutcome:
    """Change a step by `STEP_TRANSITIONS`; the last message again changes nothing."""
    step = tx.steps.get(message.step_uid)
    if step is None:
        return StepOutcome.UNKNOWN
    if step.last_sha256 == message.sha256:
        return StepOutcome.REPEATED
    status = STEP_TRANSITIONS.get((step.status, message.status))
    if status is None:
        return StepOutcome.FINAL
    said = step.said | message.said
    if not said.issuperset(FINAL_ATTRIBUTES[status]):
        return StepOutcome.INCOMPLETE
    tx.steps.save(
        replace(
            step,
            status=status,
            changed_at=message.received_at,
            said=said,
            last_sha256=message.sha256,
        )
    )
    if message.references is not None:
        tx.steps.set_references(message.step_uid, message.references)
    return StepOutcome.TAKEN
