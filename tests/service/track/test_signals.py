"""What closes a study, in order of trust: the cart's word, a person's, quiet time."""

from datetime import datetime
from typing import Any

import pytest

from sonogate.domain.commitment import CommitmentItem, CommitmentRequest
from sonogate.domain.procedure import STEP_TRANSITIONS, StepMessage, StepOutcome, StepStatus
from sonogate.domain.study import StudyStatus
from sonogate.observe.metrics import Metrics
from sonogate.track.steps import StepBook

Clinic = Any  # the fixture of conftest.py
STUDY = "1.2.826.1"
US = "1.2.840.10008.5.1.4.1.1.6.1"
ENDED = frozenset(
    {
        "PerformedProcedureStepEndDate",
        "PerformedProcedureStepEndTime",
        "PerformedSeriesSequence",
    }
)


def message(
    at: datetime,
    status: StepStatus = StepStatus.IN_PROGRESS,
    *,
    step: str = "1.9",
    references: tuple[str, ...] | None = None,
    text: str = "",
    is_create: bool | None = None,
) -> StepMessage:
    """What a cart says of its exam; an N-CREATE while it is in progress."""
    creates = status is StepStatus.IN_PROGRESS if is_create is None else is_create
    return StepMessage(
        step_uid=step,
        is_create=creates,
        status=status,
        study_uids=(STUDY,) if creates else (),
        references=references,
        said=ENDED if references is not None else frozenset(),
        calling_ae="CART1",
        received_at=at,
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        data_set=b"",
        sha256=f"{step} {status} {references} {text}"[:64],
    )


def book(clinic: Clinic, **more: Any) -> StepBook:
    """Keeps what the clinic's carts say."""
    limits = {"max_in_progress": 3, **more}
    return StepBook(clinic.database, clinic.targets, Metrics(), lambda: None, **limits)


async def test_a_completed_step_without_images_leaves_it_to_quiet_time(clinic: Clinic) -> None:
    """It names nothing, so nothing says that all has come."""
    await clinic.send()
    steps = book(clinic)
    await steps.take(message(clinic.now))
    await steps.take(message(clinic.now, StepStatus.COMPLETED, references=()))

    assert [] == [change for change in await clinic.quiet(1) if change.closed]
    assert ["quiet"] == [change.closed_by for change in await clinic.quiet(1000)]


async def test_another_step_in_progress_keeps_the_study_open(clinic: Clinic) -> None:
    """Two steps of one study: it closes when the second ends too."""
    sent = await clinic.send()
    uid = sent.verdict.sop_instance_uid
    steps = book(clinic)
    for step in ("1.9", "1.10"):
        await steps.take(message(clinic.now, step=step))
    await steps.take(message(clinic.now, StepStatus.COMPLETED, references=(uid,)))
    one_open = [change for change in await clinic.quiet(1) if change.closed]
    end = message(clinic.now, StepStatus.COMPLETED, step="1.10", references=(uid,))
    await steps.take(end)
    both_ended = [change.closed_by for change in await clinic.quiet(1)]

    assert ([], ["mpps"]) == (one_open, both_ended)


async def test_an_image_that_waits_for_its_verdict_keeps_the_study_open(clinic: Clinic) -> None:
    """All that the cart names is here, but not all of it judged."""
    sent, waiting = await clinic.send(), await clinic.receive()
    named = (sent.verdict.sop_instance_uid, waiting.sop_instance_uid)
    steps = book(clinic)
    await steps.take(message(clinic.now))
    await steps.take(message(clinic.now, StepStatus.COMPLETED, references=named))
    early = [change for change in await clinic.quiet(1) if change.closed]
    await clinic.judge(waiting)

    assert [] == early
    assert ["mpps"] == [change.closed_by for change in await clinic.quiet(1)]


async def test_the_state_table_is_the_whole_life_of_a_step(clinic: Clinic) -> None:
    """What is not in it is refused as final; a fourth open step is one too many."""
    steps, now = book(clinic), clinic.now
    outcomes = {}
    for number, (before, said) in enumerate(
        (before, said) for before in StepStatus for said in StepStatus
    ):
        step = f"1.9.{number}"
        await steps.take(message(now, step=step))
        if before is not StepStatus.IN_PROGRESS:
            await steps.take(message(now, before, step=step, references=()))
        outcomes[before, said] = await steps.take(
            message(now, said, step=step, references=(), text="2", is_create=False)
        )
        if said is StepStatus.IN_PROGRESS and before is StepStatus.IN_PROGRESS:
            await steps.take(message(now, StepStatus.COMPLETED, step=step, references=()))

    assert set(STEP_TRANSITIONS) == {
        key for key, outcome in outcomes.items() if outcome is StepOutcome.TAKEN
    }
    assert {StepOutcome.TAKEN, StepOutcome.FINAL} == set(outcomes.values())
    begun = [await steps.take(message(now, step=f"1.8.{number}")) for number in range(4)]
    assert [StepOutcome.TAKEN] * 3 + [StepOutcome.CROWDED] == begun


@pytest.mark.parametrize(("asks", "closes"), [(True, True), (False, False)])
async def test_a_request_for_commitment_shortens_the_quiet_time(
    clinic: Clinic, *, asks: bool, closes: bool
) -> None:
    """300 seconds instead of 900; only shortened, and still recorded as quiet."""
    sent = await clinic.send()
    item = CommitmentItem(sop_class_uid=US, sop_instance_uid=sent.verdict.sop_instance_uid)
    request = CommitmentRequest(
        transaction_uid="1.2",
        calling_ae="CART1",
        called_ae="SONOGATE",
        peer_address="127.0.0.1",
        items=(item,),
        received_at=clinic.now,
    )
    if asks:
        await clinic.database.write(lambda tx: tx.commitments.take(request, 10))
    early = [change for change in await clinic.quiet(200) if change.closed]
    later = [change.closed_by for change in await clinic.quiet(150) if change.closed]
    study = await clinic.studies.get(STUDY)

    assert ([], ["quiet"] if closes else []) == (early, later)
    assert (study.status is StudyStatus.CLOSED) == closes


async def test_an_image_after_the_request_counts_as_one_not_asked_for(clinic: Clinic) -> None:
    """Many carts ask per image: the last request must be younger than the last image."""
    sent = await clinic.send()
    item = CommitmentItem(sop_class_uid=US, sop_instance_uid=sent.verdict.sop_instance_uid)
    request = CommitmentRequest(
        transaction_uid="1.2",
        calling_ae="CART1",
        called_ae="SONOGATE",
        peer_address="127.0.0.1",
        items=(item,),
        received_at=clinic.now,
    )
    await clinic.database.write(lambda tx: tx.commitments.take(request, 10))
    await clinic.send()

    assert [] == [change for change in await clinic.quiet(400) if change.closed]
