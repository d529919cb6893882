"""Storage commitment over real associations: pynetdicom as the cart that asks and is told."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom.uid import generate_uid
from pynetdicom.sop_class import (
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    UltrasoundMultiFrameImageStorage,
)

from sonogate.domain.commitment import CommitmentItem, CommitmentReport, CommitmentRequest
from sonogate.store.transaction import Transaction
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
from tests.service.receive.keys import Authority, lock

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


PACS = {"name": "pacs", "kind": "folder"}


@pytest.mark.parametrize(
    ("mode", "then", "event_type", "reason"),
    [
        ("all", "done", 1, None),
        ("all", "refused", 2, 0x0110),
        ("all", "", 2, 0x0110),
        ("hold_low_until_decided", "", 2, 0x0110),
    ],
)
async def test_committed_means_that_every_destination_has_it(
    tmp_path: Path, mode: str, then: str, event_type: int, reason: int | None
) -> None:
    """Nothing is said while it is owed or held; then what became of it, or 0x0110 at the end."""
    (tmp_path / "pacs").mkdir()
    destination = {**PACS, "folder": str(tmp_path / "pacs"), "mode": mode, "hold_seconds": 3}
    heard, kept = Heard(), image(generate_uid())
    wait_seconds = 60 if then or mode != "all" else 3
    with awaiting_reports(heard) as port:
        async with open_ward(
            tmp_path,
            forward={"destinations": [destination]},
            commitment={"report_port": port, "wait_seconds": wait_seconds},
        ) as ward:
            await asyncio.to_thread(store, ward.port, [kept])
            assert await asyncio.to_thread(ask, ward.port, [kept]) == 0
            await asyncio.sleep(1.5)  # three times the pause before a decision
            early = list(heard.reports)
            if then:
                await settle_forwards(ward, then)
            await eventually(lambda: bool(heard.reports), 15)

    assert [] == early
    ((said, report),) = heard.reports
    failed = [item.FailureReason for item in report.get("FailedSOPSequence", [])]
    assert (event_type, [reason] if reason else []) == (said, failed)


async def settle_forwards(ward: Ward, state: str) -> None:
    """Say of everything owed what became of it, as the forwarder would."""
    now = datetime.now(UTC)

    def work(tx: Transaction) -> None:
        (lane,) = tx.forwards.due_lanes("pacs", now, now, 10)
        for owed in tx.forwards.next_of_lane("pacs", lane.lane, now, 10):
            getattr(tx.forwards, state)(owed.id, now, "test")

    await ward.database.write(work)


async def test_what_was_never_to_go_to_an_archive_is_not_committed(tmp_path: Path) -> None:
    """It came before there was a destination: nobody will send it there, so 0x0110."""
    heard, kept = Heard(), image(generate_uid())
    (tmp_path / "pacs").mkdir()
    async with open_ward(tmp_path) as first:
        await asyncio.to_thread(store, first.port, [kept])
    destinations = [{**PACS, "folder": str(tmp_path / "pacs")}]
    with awaiting_reports(heard) as port:
        async with open_ward(
            tmp_path, forward={"destinations": destinations}, commitment={"report_port": port}
        ) as second:
            await asyncio.to_thread(ask, second.port, [kept])
            await eventually(lambda: bool(heard.reports))

    assert 0x0110 == heard.reports[0][1].FailedSOPSequence[0].FailureReason


@pytest.mark.parametrize("vouched_for", [True, False])
async def test_a_locked_door_reports_over_tls(tmp_path: Path, *, vouched_for: bool) -> None:
    """The gate shows its certificate, and tells nobody whom the senders' authority doesn't know."""
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    door, cart = authority.door(), (authority if vouched_for else stranger).vouch("cart")
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(cart.certificate, cart.key)
    served.load_verify_locations(authority.file)
    served.verify_mode = ssl.CERT_REQUIRED
    heard = Heard()
    request = CommitmentRequest(
        transaction_uid="1.2.3.8",
        calling_ae="CART",
        called_ae="SONOGATE",
        peer_address="127.0.0.1",
        items=(CommitmentItem(sop_class_uid="1.2", sop_instance_uid="1.2.3"),),
        received_at=datetime.now(UTC),
    )
    with awaiting_reports(heard, tls=served) as port:
        settings = {"listener": lock(door, authority), "commitment": {"report_port": port}}
        async with open_ward(tmp_path / "gate", **settings) as ward:
            desk = ward.networking.commitments
            assert desk is not None
            await desk.take(request, nobody)
            results = ("new_association", "failed")
            await eventually(
                lambda: any(
                    ward.count("sonogate_commitment_reports_total", result=each) for each in results
                ),
                15,
            )

    assert vouched_for == bool(heard.reports)


async def nobody(_report: CommitmentReport) -> int | None:
    """The association that asked is over."""
    return None
