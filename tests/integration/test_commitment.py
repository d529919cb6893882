"""Storage commitment over real associations: pynetdicom as the cart that asks and is told."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydicom.uid import generate_uid
from pynetdicom.sop_class import (
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    UltrasoundMultiFrameImageStorage,
)

from tests.integration.ward import (
    Heard,
    Ward,
    ask,
    asked,
    awaiting_reports,
    calling,
    image,
    open_ward,
    store,
)
from tests.service.receive.door import eventually

pytestmark = pytest.mark.integration

refused_sockets_may_linger = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)
"""pynetdicom's requestor leaves a socket that was refused to the garbage collector."""


@pytest.fixture
async def ward(tmp_path: Path) -> AsyncIterator[Ward]:
    """A running ward; its carts await reports nowhere but on their own association."""
    async with open_ward(tmp_path, commitment={"report_port": 0}) as ward:
        yield ward


async def test_a_cart_that_waits_is_told_on_its_association(ward: Ward) -> None:
    """Everything is durable here: one report of event type 1, over the association that asked."""
    images, heard = [image(generate_uid(), n) for n in range(2)], Heard()

    def work() -> int:
        with calling(ward.port, heard.handlers) as association:
            for each in images:
                assert association.send_c_store(each).Status == 0
            answer, _ = association.send_n_action(
                asked(images, "1.2.3.4"),
                1,
                StorageCommitmentPushModel,
                StorageCommitmentPushModelInstance,
            )
            heard.wait()
            assert association.send_c_echo().Status == 0
            return int(answer.Status)

    assert await asyncio.to_thread(work) == 0
    ((event_type, report),) = heard.reports
    assert (1, "1.2.3.4") == (event_type, report.TransactionUID)
    assert [each.SOPInstanceUID for each in images] == [
        item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence
    ]
    await eventually(
        lambda: 1 == ward.count("sonogate_commitment_reports_total", result="same_association")
    )


async def test_a_cart_that_left_is_called_back(tmp_path: Path) -> None:
    """It asked and released: the report comes on a new association, where the gate is the SCP."""
    heard = Heard()
    with awaiting_reports(heard) as port:
        senders = [{"ae_title": "CART", "port": port}]
        async with open_ward(tmp_path, listener={"senders": senders}) as ward:
            kept, never = image(generate_uid(), 1), image(generate_uid(), 2)
            other = image(generate_uid(), 3)
            await asyncio.to_thread(store, ward.port, [kept, other])
            other.SOPClassUID = UltrasoundMultiFrameImageStorage
            status = await asyncio.to_thread(ask, ward.port, [kept, never, other])
            await eventually(lambda: bool(heard.reports))

    ((event_type, report),) = heard.reports
    assert (0, 2) == (status, event_type)
    assert [kept.SOPInstanceUID] == [
        item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence
    ]
    assert {never.SOPInstanceUID: 0x0112, other.SOPInstanceUID: 0x0119} == {
        item.ReferencedSOPInstanceUID: item.FailureReason for item in report.FailedSOPSequence
    }


@refused_sockets_may_linger
async def test_a_report_is_tried_again_after_a_restart(tmp_path: Path) -> None:
    """Nobody listens at first; the next gate over the same folder gets it through."""
    heard, kept = Heard(), image(generate_uid())
    async with open_ward(tmp_path, commitment={"report_port": 1}) as first:
        await asyncio.to_thread(store, first.port, [kept])
        assert await asyncio.to_thread(ask, first.port, [kept], "1.2.3.5") == 0
        await eventually(
            lambda: first.count("sonogate_commitment_reports_total", result="failed") >= 1
        )
    with awaiting_reports(heard) as port:
        async with open_ward(tmp_path, commitment={"report_port": port}):
            await eventually(lambda: bool(heard.reports), 15)

    assert [(1, "1.2.3.5")] == [(kind, report.TransactionUID) for kind, report in heard.reports]


async def test_a_transaction_is_one_question(ward: Ward) -> None:
    """The same question again is Success; another one under its UID is 0x0115."""
    one, other = image(generate_uid(), 1), image(generate_uid(), 2)
    statuses = [
        await asyncio.to_thread(ask, ward.port, images, "1.2.3.6")
        for images in ([one], [one], [other])
    ]

    assert [0, 0, 0x0115] == statuses


async def test_a_question_that_is_none_is_refused(ward: Ward) -> None:
    """Another action, another instance, nothing named."""

    def work() -> list[int]:
        with calling(ward.port) as association:
            instance = StorageCommitmentPushModelInstance
            tried = [
                (asked([image("1.2")]), 2, instance),
                (asked([image("1.2")]), 1, "1.2.3"),
                (asked([]), 1, instance),
            ]
            return [
                int(
                    association.send_n_action(data_set, action, StorageCommitmentPushModel, uid)[
                        0
                    ].Status
                )
                for data_set, action, uid in tried
            ]

    assert [0x0123, 0x0112, 0x0115] == await asyncio.to_thread(work)
