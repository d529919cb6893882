"""Exam steps over a real association: pynetdicom's MPPS SCU, as a cart uses it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom.sop_class import ModalityPerformedProcedureStep

from sonogate.domain.study import StudyStatus
from sonogate.track.settling import settle
from tests.integration.ward import Ward, calling, created, ended, image, open_ward, store

pytestmark = pytest.mark.integration


@pytest.fixture
async def ward(tmp_path: Path) -> AsyncIterator[Ward]:
    """A running ward."""
    async with open_ward(tmp_path) as ward:
        yield ward


def say(port: int, *messages: tuple[str, Dataset | None, str]) -> list[Dataset]:
    """Send N-CREATEs and N-SETs over one association; return their answers."""
    with calling(port) as association:
        answers = []
        for kind, data_set, uid in messages:
            send = association.send_n_create if kind == "create" else association.send_n_set
            answer, _ = send(data_set, ModalityPerformedProcedureStep, uid)
            answers.append(answer)
        return answers


def statuses(answers: list[Dataset]) -> list[int]:
    """Their status codes."""
    return [int(answer.Status) for answer in answers]


async def settled(ward: Ward) -> list[str | None]:
    """Let studies settle now; return what closed any."""
    now = datetime.now(UTC)
    changes = await ward.database.write(lambda tx: settle(tx, now, ward.settings.track))
    return [change.closed_by for change in changes if change.closed]


async def test_a_study_closes_when_the_cart_says_so_and_all_has_come(ward: Ward) -> None:
    """COMPLETED names three images: with two here the study waits, with the third it closes."""
    study, step = generate_uid(), generate_uid()
    images = [image(study, number) for number in range(3)]
    created_ = await asyncio.to_thread(say, ward.port, ("create", created(study), step))
    await asyncio.to_thread(store, ward.port, images[:2])
    await ward.judge(study)
    ended_ = await asyncio.to_thread(say, ward.port, ("set", ended(images), step))
    early = await settled(ward)
    waiting = await ward.study(study)

    await asyncio.to_thread(store, ward.port, images[2:])
    await ward.judge(study)
    late = await settled(ward)
    closed = await ward.study(study)

    assert [0, 0] == statuses(created_ + ended_)
    assert not early
    assert waiting.performed is not None
    assert (3, 1, False) == (
        waiting.performed.named,
        waiting.performed.missing,
        waiting.ready_to_close,
    )
    assert ["mpps"] == late
    assert (StudyStatus.CLOSED, "mpps", True) == (
        closed.status,
        closed.closed_by,
        closed.ready_to_close,
    )


async def test_a_late_image_reopens_visibly_what_the_cart_closed(ward: Ward) -> None:
    """One that the cart did not name comes after: the study is open again, and stays so."""
    study, step = generate_uid(), generate_uid()
    images = [image(study, number) for number in range(2)]
    await asyncio.to_thread(store, ward.port, images[:1])
    await ward.judge(study)
    await asyncio.to_thread(
        say, ward.port, ("create", created(study), step), ("set", ended(images[:1]), step)
    )
    first = await settled(ward)
    await asyncio.to_thread(store, ward.port, images[1:])
    await ward.judge(study)
    second = await settled(ward)
    reopened = await ward.study(study)

    assert (["mpps"], []) == (first, second)
    assert (StudyStatus.RECEIVING, None, 1) == (
        reopened.status,
        reopened.closed_by,
        reopened.reopened,
    )


async def test_a_discontinued_exam_is_not_closed_as_good(ward: Ward) -> None:
    """The study shows it, is not ready, and closes by quiet time only."""
    study, step = generate_uid(), generate_uid()
    await asyncio.to_thread(store, ward.port, [image(study)])
    await ward.judge(study)
    answers = await asyncio.to_thread(
        say,
        ward.port,
        ("create", created(study), step),
        ("set", ended([], "DISCONTINUED"), step),
    )
    closed = await settled(ward)
    shown = await ward.study(study)

    assert ([0, 0], []) == (statuses(answers), closed)
    assert shown.performed is not None
    assert ("DISCONTINUED", False) == (shown.performed.status.value, shown.ready_to_close)


async def test_a_final_step_may_not_be_updated(ward: Ward) -> None:
    """0x0110 with Error ID 0xA710 (PS3.4 F.7.2.2); the very last message again is Success."""
    study, step = generate_uid(), generate_uid()
    end = ended([image(study)])
    answers = await asyncio.to_thread(
        say,
        ward.port,
        ("create", created(study), step),
        ("set", end, step),
        ("set", end, step),
        ("set", ended([], "DISCONTINUED"), step),
    )

    assert [0, 0, 0, 0x0110] == statuses(answers)
    assert 0xA710 == answers[-1].ErrorID
    assert 1 == ward.count("sonogate_mpps_messages_total", message="n_set", result="repeated")


async def test_a_step_is_created_once(ward: Ward) -> None:
    """The same N-CREATE again is Success and nothing more; another one under its UID is 0x0111."""
    study, step = generate_uid(), generate_uid()
    answers = await asyncio.to_thread(
        say,
        ward.port,
        ("create", created(study), step),
        ("create", created(study), step),
        ("create", created(study, PerformedProcedureStepID="other"), step),
    )

    assert [0, 0, 0x0111] == statuses(answers)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"PerformedProcedureStepStatus": "COMPLETED"}, 0x0106),
        ({"PerformedProcedureStepStatus": "SOON"}, 0x0106),
        ({"PerformedProcedureStepStartDate": None}, 0x0120),
        ({"PerformedProcedureStepID": ""}, 0x0121),
        ({"ScheduledStepAttributesSequence": []}, 0x0121),
    ],
)
async def test_what_a_step_must_say_is_asked_for(
    ward: Ward, changes: dict[str, object], status: int
) -> None:
    """Type 1 attributes of an N-CREATE (PS3.4 Table F.7.2-1)."""
    answers = await asyncio.to_thread(
        say, ward.port, ("create", created(generate_uid(), **changes), generate_uid())
    )

    assert [status] == statuses(answers)


async def test_an_unknown_step_and_an_incomplete_end_are_refused(ward: Ward) -> None:
    """0x0112 for a step that was created elsewhere; 0x0121 for COMPLETED without its end."""
    study, step = generate_uid(), generate_uid()
    without_end = ended([], PerformedProcedureStepEndDate=None)
    answers = await asyncio.to_thread(
        say,
        ward.port,
        ("set", ended([]), generate_uid()),
        ("create", created(study), step),
        ("set", without_end, step),
        ("set", ended([image(study)]), step),
    )

    assert [0x0112, 0, 0x0121, 0] == statuses(answers)


async def test_the_steps_of_a_crashed_gate_are_still_there(tmp_path: Path) -> None:
    """What was answered with Success is found by the next gate over the same folder."""
    study, step = generate_uid(), generate_uid()
    async with open_ward(tmp_path) as first:
        await asyncio.to_thread(say, first.port, ("create", created(study), step))
    async with open_ward(tmp_path) as second:
        answers = await asyncio.to_thread(say, second.port, ("set", ended([image(study)]), step))

    assert [0] == statuses(answers)
