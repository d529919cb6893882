"""Who is asked about, how often, and what is kept of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest

from sonogate.act.advice import asking
from sonogate.act.advice.adviser import Adviser
from sonogate.act.advice.allowance import Allowance
from sonogate.act.advice.answers import AdviceError
from sonogate.act.advice.ledger import Asker
from sonogate.act.advice.plates import Order
from sonogate.act.advice.prompts import Question
from sonogate.domain.advice import Advice, AdviceKind, AdviceReason, Remark
from sonogate.domain.verdict import Band, Override, Ruling
from sonogate.errors import UnknownInstanceError
from sonogate.store.advices import Claim
from sonogate.store.records import AuditEntry, EventKind
from tests.advice_server import GOOD
from tests.service.act.advice.conftest import FAULT, Clinic, failing

BY = Asker(by="AB", address="192.0.2.7")


@pytest.fixture(autouse=True)
def _drawn_here(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Draw without a process; `test_plates` draws with one."""

    async def draw(order: Order) -> tuple[bytes, ...]:
        return (order.thumbnail,)

    monkeypatch.setattr(asking, "draw", draw)


@asynccontextmanager
async def running(adviser: Adviser) -> AsyncIterator[Adviser]:
    """Run for the time of the block."""
    task = asyncio.create_task(adviser.run())
    try:
        yield adviser
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def settled(clinic: Clinic, adviser: Adviser, object_id: str) -> Advice:
    """Wait for the end of an image's advice."""
    async with asyncio.timeout(20):
        while True:
            adviser.notify()
            advice = await clinic.database.read(lambda tx: tx.advices.get(object_id))
            if advice is not None and advice.reason is not AdviceReason.PENDING:
                return advice
            await asyncio.sleep(0.02)


async def trail(clinic: Clinic) -> list[AuditEntry]:
    """Return the pictures that went out, by the trail."""
    entries = await clinic.database.read(lambda tx: tx.audit.all())
    return [entry for entry in entries if entry.action == "advise"]


async def test_a_weak_image_is_asked_about(clinic: Clinic) -> None:
    """Its remark is kept, told to the pages, and owed to no webhook."""
    _uid, object_id = await clinic.judge(findings=[FAULT])
    async with running(clinic.adviser()) as adviser:
        advice = await settled(clinic, adviser, object_id)
    events = await clinic.database.read(lambda tx: tx.events.after(0, 100))
    (entry,) = await trail(clinic)

    assert Remark(**GOOD) == advice.advice
    assert (True, "127.0.0.1", "scripted") == (advice.agrees, advice.adviser, advice.model)
    assert [EventKind.ADVICE.value] == [event.kind for event in events]
    assert GOOD == events[0].body["advice"]["advice"]
    assert ("sonogate", object_id) == (entry.by, entry.object_id)
    assert {"destination": "127.0.0.1", "kind": "remark"} == entry.body
    assert [1] == clinic.told
    assert clinic.model.closed


async def test_only_the_bands_of_the_settings_are_asked_about(clinic: Clinic) -> None:
    """Not high, not unscorable, not what a person overruled, not what is long past."""
    await clinic.judge(Band.HIGH)
    await clinic.judge(None)
    await clinic.judge(Band.MEDIUM)
    await clinic.judge(Band.LOW, age_seconds=700)
    _uid, overruled = await clinic.judge(Band.LOW)
    word = Override(band=Ruling.HIGH, reason="fine", by="AB", at=datetime.now(UTC))
    await clinic.database.write(lambda tx: tx.overrides.add(overruled, word))
    _uid, wanted = await clinic.judge(Band.LOW)
    async with running(clinic.adviser(bands=("low",))) as adviser:
        await settled(clinic, adviser, wanted)
        await asyncio.sleep(0.1)

    assert 1 == len(clinic.model.asked)


async def test_an_image_without_a_picture_is_settled_unasked(clinic: Clinic) -> None:
    """Nothing goes out, and nothing is said to have gone out."""
    _uid, object_id = await clinic.judge(picture=None)
    async with running(clinic.adviser()) as adviser:
        advice = await settled(clinic, adviser, object_id)

    assert (None, AdviceReason.NO_PICTURE) == (advice.advice, advice.reason)
    assert [] == clinic.model.asked
    assert [] == await trail(clinic)


@pytest.mark.parametrize("reason", sorted(asking.RETRIED))
async def test_what_may_pass_is_asked_again_within_bounds(
    clinic: Clinic, reason: AdviceReason
) -> None:
    """As often as the settings say, each time noted in the trail before."""
    clinic.model.act = failing(AdviceError(reason))
    _uid, object_id = await clinic.judge()
    async with running(clinic.adviser(max_attempts=3)) as adviser:
        advice = await settled(clinic, adviser, object_id)
        await asyncio.sleep(0.1)

    assert (None, reason) == (advice.advice, advice.reason)
    assert 3 == len(clinic.model.asked)
    assert 3 == len(await trail(clinic))


@pytest.mark.parametrize("text", ["", "no json", json.dumps(GOOD | {"remark": "<b>x</b>"})])
async def test_nonsense_is_not_asked_for_again(clinic: Clinic, text: str) -> None:
    """It would come again, and costs a GPU's time."""
    clinic.model.act = lambda _question: text
    _uid, object_id = await clinic.judge()
    async with running(clinic.adviser(max_attempts=3)) as adviser:
        advice = await settled(clinic, adviser, object_id)
        await asyncio.sleep(0.1)
    events = await clinic.database.read(lambda tx: tx.events.after(0, 100))

    assert advice.advice is None
    assert 1 == len(clinic.model.asked)
    assert [] == list(events)


async def test_a_sick_adviser_is_rested_from(clinic: Clinic) -> None:
    """While it rests no other image is tried, and a person is told at once why."""
    clinic.model.act = failing(AdviceError(AdviceReason.BUSY, retry_after_seconds=60))
    adviser = clinic.adviser(max_attempts=1)
    _uid, first = await clinic.judge()
    async with running(adviser):
        await settled(clinic, adviser, first)
        uid, _second = await clinic.judge()
        adviser.notify()
        await asyncio.sleep(0.2)
        said = await adviser.ask(uid, AdviceKind.REPORT, "", BY)
        await adviser.look_after()

    assert 1 == len(clinic.model.asked)
    assert (None, AdviceReason.BUSY) == (said.advice, said.reason)
    assert 1.0 == clinic.metrics.registry.get_sample_value("sonogate_advice_breaker_open")


async def test_a_claim_is_durable_before_the_question(clinic: Clinic) -> None:
    """A gate that dies while it asks has said so: the image is free again when its claim ends."""
    _uid, object_id = await clinic.judge()
    adviser = clinic.adviser()
    seen: list[tuple[str | None, int]] = []

    def act(_question: Question) -> str:
        raise asyncio.CancelledError  # as if the process ended here

    clinic.model.act = act
    with suppress(asyncio.CancelledError):
        async with running(adviser):
            await asyncio.sleep(0.2)
    known = await clinic.database.read(lambda tx: tx.advices.get(object_id))
    now = datetime.now(UTC)
    soon = await clinic.database.read(lambda tx: adviser.ledger.due(tx, now, 9))
    later = now + timedelta(seconds=200)
    free = await clinic.database.read(lambda tx: adviser.ledger.due(tx, later, 9))
    seen.append((known.reason if known else None, len(await trail(clinic))))

    assert [(AdviceReason.PENDING, 1)] == seen
    assert [] == soon
    assert [Claim(object_id=object_id, attempts=2)] == free


async def test_two_gates_do_not_ask_about_one_image(clinic: Clinic) -> None:
    """Both saw it due; one has it."""
    await clinic.judge()
    one, other = clinic.adviser(), clinic.adviser()
    now = datetime.now(UTC)
    due = await clinic.database.read(lambda tx: one.ledger.due(tx, now, 9))
    mine = await clinic.database.write(lambda tx: one.ledger.claim(tx, due, now))
    theirs = await clinic.database.write(lambda tx: other.ledger.claim(tx, due, now))

    assert (1, 0) == (len(mine), len(theirs))


async def test_what_is_too_old_is_given_up(clinic: Clinic) -> None:
    """An image whose turn never came says so, and an attempt cut off each time ends too."""
    _uid, old = await clinic.judge(age_seconds=10)
    adviser = clinic.adviser(max_age_seconds=5)
    now = datetime.now(UTC)

    def half_done(tx: object) -> None:
        tx.advices.claim(Claim(object_id=old, attempts=1), now, now)  # type: ignore[attr-defined]

    await clinic.database.write(half_done)
    await adviser.look_after()
    advice = await clinic.database.read(lambda tx: tx.advices.get(old))

    assert advice is not None
    assert AdviceReason.TOO_LATE == advice.reason


async def test_a_person_may_ask_about_any_image(clinic: Clinic) -> None:
    """By name, in the trail; a report is kept nowhere."""
    uid, object_id = await clinic.judge(Band.HIGH)
    report = {"findings": "Homogeneous.", "impression": "Nothing seen."}
    clinic.model.act = lambda _question: json.dumps(report)
    said = await clinic.adviser().ask(uid, AdviceKind.REPORT, "", BY)
    kept = await clinic.database.read(lambda tx: tx.advices.get(object_id))
    (entry,) = await trail(clinic)

    assert said.advice is not None
    assert report == said.advice.model_dump()
    assert kept is None
    assert ("AB", "192.0.2.7", "report") == (entry.by, entry.body["address"], entry.body["kind"])


async def test_a_question_goes_along_and_nowhere_else(clinic: Clinic) -> None:
    """A person may have typed a name into it: it stands in no table and no entry."""
    uid, _object_id = await clinic.judge()
    clinic.model.act = lambda _question: json.dumps({"answer": "A rib, it seems."})
    await clinic.adviser().ask(uid, AdviceKind.QUESTION, "What casts that shadow?", BY)
    entries = await trail(clinic)

    assert clinic.model.asked[0].text.endswith("Question: What casts that shadow?")
    assert "shadow" not in str(entries)


async def test_a_remark_that_was_made_is_said_again(clinic: Clinic) -> None:
    """Without asking: one image, one remark."""
    uid, _object_id = await clinic.judge()
    adviser = clinic.adviser()
    first = await adviser.ask(uid, AdviceKind.REMARK, "", BY)
    again = await adviser.ask(uid, AdviceKind.REMARK, "", BY)

    assert first.advice == again.advice == Remark(**GOOD)
    assert 1 == len(clinic.model.asked)


async def test_a_person_may_ask_again_for_what_failed(clinic: Clinic) -> None:
    """The adviser was mended meanwhile."""
    uid, _object_id = await clinic.judge()
    adviser = clinic.adviser(max_attempts=1)
    clinic.model.act = lambda _question: "nonsense"
    failed = await adviser.ask(uid, AdviceKind.REMARK, "", BY)
    clinic.model.act = lambda _question: json.dumps(GOOD)
    given = await adviser.ask(uid, AdviceKind.REMARK, "", BY)
    read = await adviser.read(uid)

    assert AdviceReason.MALFORMED == failed.reason
    assert Remark(**GOOD) == given.advice == read.advice


async def test_what_was_never_received_is_unknown(clinic: Clinic) -> None:
    """Nothing goes out for it."""
    with pytest.raises(UnknownInstanceError):
        await clinic.adviser().ask("9.9", AdviceKind.REPORT, "", BY)
    with pytest.raises(UnknownInstanceError):
        await clinic.adviser().read("9.9")


def test_people_may_ask_so_many_times_a_minute() -> None:
    """A burst of them, then one after another."""
    now = 0.0
    allowance = Allowance(3, clock=lambda: now)
    burst = [allowance.wait_seconds() for _ in range(4)]
    now = 20.0
    one_more = [allowance.wait_seconds() for _ in range(2)]

    assert [0.0, 0.0, 0.0, 20.0] == burst
    assert [0.0, 20.0] == one_more
