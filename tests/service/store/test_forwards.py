"""The forward queue over real databases: owed with the object, in order, never forgotten."""

from datetime import timedelta

import pytest

from sonogate.domain.instance import MediaType, ReceivedInstance
from sonogate.store.database import Database, Transaction
from sonogate.store.forward_records import (
    BreakerRow,
    Destination,
    Destinations,
    Forward,
    ForwardState,
    LaneHead,
    MadeResult,
)
from sonogate.store.registrar import Registrar
from tests.service.store.conftest import START, MakeReceived

LATER = START + timedelta(hours=1)
PACS = Destinations(all=(Destination(name="pacs"),))
BOTH = Destinations(all=(Destination(name="pacs"), Destination(name="other", wants_results=True)))

pytestmark = pytest.mark.integration


def keep(
    tx: Transaction,
    instances: list[ReceivedInstance],
    lanes: list[str | None],
    destinations: Destinations = PACS,
) -> None:
    """Enter objects as the registrar does."""
    kept = tx.objects.keep_all(instances)
    tx.forwards.enqueue_received(instances, kept, destinations, lanes)


def due(tx: Transaction, lane: str, destination: str = "pacs") -> list[Forward]:
    """Return what may be sent of a lane."""
    return tx.forwards.next_of_lane(destination, lane, LATER, 10)


async def test_the_registrar_owes_an_object_with_the_commit_that_enters_it(
    database: Database, make_received: MakeReceived
) -> None:
    """One row for each destination; a repetition of the object owes nothing more."""
    first = make_received(content="a", uid="1.2")
    again = make_received(content="a", uid="1.2")
    picture = make_received(uid=None, media_type=MediaType.PNG)
    registrar = Registrar(database, 100, BOTH, lambda batch: ["1.study"] * len(batch))
    await registrar.recover([first, again, picture])
    await registrar.recover([first, again, picture])
    standings = await database.read(
        lambda tx: tx.forwards.standings([first.object_id, again.object_id, picture.object_id])
    )
    sent = await database.read(lambda tx: due(tx, "1.study"))

    assert [first.object_id] == list(standings)
    assert ["other", "pacs"] == sorted(each.destination for each in standings[first.object_id])
    assert [first] == [each.received for each in sent]


async def test_a_lane_waits_for_its_first_item(
    database: Database, make_received: MakeReceived
) -> None:
    """After a failure what comes later in the study waits, unless the item itself is at fault."""
    first, second = make_received(), make_received()
    await database.write(lambda tx: keep(tx, [first, second], ["s", "s"]))
    (head, _tail) = await database.read(lambda tx: due(tx, "s"))
    not_yet = LATER + timedelta(seconds=1)
    await database.write(lambda tx: tx.forwards.failed(head.id, not_yet, "lost", steps_aside=False))
    waiting = await database.read(lambda tx: tx.forwards.due_lanes("pacs", LATER, START, 10))
    await database.write(lambda tx: tx.forwards.failed(head.id, not_yet, "bad", steps_aside=True))
    passed = await database.read(lambda tx: due(tx, "s"))

    assert [] == waiting
    assert [second] == [each.received for each in passed]


async def test_fresh_studies_go_before_backlog(
    database: Database, make_received: MakeReceived
) -> None:
    """A study that received lately goes first, all of it; then the oldest."""
    objects = [make_received() for _ in range(4)]
    lanes: list[str | None] = ["old", "older too", "fresh", "old"]
    await database.write(lambda tx: keep(tx, objects[:3], lanes[:3]))
    since = objects[2].provenance.received_at
    heads = await database.read(lambda tx: tx.forwards.due_lanes("pacs", LATER, since, 10))

    assert [
        LaneHead(lane="fresh", is_fresh=True),
        LaneHead(lane="old", is_fresh=False),
        LaneHead(lane="older too", is_fresh=False),
    ] == heads


async def test_a_result_is_owed_once_and_after_its_study(
    database: Database, make_received: MakeReceived
) -> None:
    """Only to destinations that want results; its file is wanted until the last one has it."""
    received = make_received()
    made = MadeResult(
        result_id="R1", file_name="R1.dcm", sop_class_uid="1.1", sop_instance_uid="1.2",
        transfer_syntax_uid="1.3", study_instance_uid="s",
    )  # fmt: skip
    await database.write(lambda tx: keep(tx, [received], ["s"], BOTH))
    newly = await database.write(lambda tx: tx.forwards.enqueue_result(made, BOTH, START))
    again = await database.write(lambda tx: tx.forwards.enqueue_result(made, BOTH, START))
    owed = await database.read(lambda tx: due(tx, "s", "other"))
    wanted = await database.read(lambda tx: tx.forwards.wants_file("R1"))
    await database.write(lambda tx: tx.forwards.done(owed[1].id, LATER, "stored"))

    assert (["other"], [], True) == (newly, again, wanted)
    assert [(received, None), (None, made)] == [(each.received, each.result) for each in owed]
    assert not await database.read(lambda tx: tx.forwards.wants_file("R1"))


async def test_what_was_refused_rests_until_a_person_asks(
    database: Database, make_received: MakeReceived
) -> None:
    """It is counted with its reason, and a retry owes it again."""
    received = make_received()
    await database.write(lambda tx: keep(tx, [received], ["s"]))
    (owed,) = await database.read(lambda tx: due(tx, "s"))
    await database.write(lambda tx: tx.forwards.refused(owed.id, LATER, "transfer_syntax"))
    queue = await database.read(lambda tx: tx.forward_queues.of("pacs"))
    rests = await database.read(lambda tx: due(tx, "s"))
    n_retried = await database.write(lambda tx: tx.forwards.retry("pacs", LATER))
    (again,) = await database.read(lambda tx: due(tx, "s"))

    assert {ForwardState.REFUSED: 1} == queue.by_state
    assert {"transfer_syntax": 1} == queue.refusals
    assert ([], 1, received) == (rests, n_retried, again.received)


async def test_what_is_owed_to_the_gone_is_given_up_late(
    database: Database, make_received: MakeReceived
) -> None:
    """A destination that left the settings keeps its queue for a while, then it is dropped."""
    received = make_received()
    await database.write(lambda tx: keep(tx, [received], ["s"]))
    drop = await database.write(
        lambda tx: [
            tx.forwards.drop_owed_to_others(names, before, LATER)
            for names, before in ((["pacs"], LATER), ([], START), ([], LATER))
        ]
    )

    assert [0, 0, 1] == drop


async def test_a_breaker_survives_a_restart(url: str) -> None:
    """A destination that failed is still rested from after the gate was started again."""
    row = BreakerRow(
        destination="pacs", n_failed=3, rest_until=LATER, since=START, reason="unreachable"
    )
    database = Database(url)
    await database.open()
    await database.write(lambda tx: tx.forward_queues.break_off(row))
    await database.close()
    database = Database(url)
    await database.open()
    found = await database.read(lambda tx: tx.forward_queues.breaker("pacs"))
    await database.write(lambda tx: tx.forward_queues.mend("pacs"))
    mended = await database.read(lambda tx: tx.forward_queues.breaker("pacs"))
    await database.close()

    assert (row, None) == (found, mended)
