"""Results are made when a study closes or changes, once, and survive what may happen between."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sonogate.act.results import entering
from sonogate.act.results import maker as maker_module
from sonogate.act.results.facts import Answer, Order
from sonogate.act.results.scribe import ScribeError
from sonogate.domain.verdict import Band, Doubt, Ruling
from sonogate.errors import StudyStateError
from tests.service.act.results.test_documents import codes_in
from tests.service.act.results.ward import CANARY, STUDY, Ward, ward, write_here

pytestmark = pytest.mark.integration
KINDS = ("report", "advice", "rejection")


@pytest.fixture(autouse=True)
def _written_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maker_module, "write_all", write_here)


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Ward]:
    """A study over SQLite."""
    async with ward(tmp_path) as opened:
        yield opened


@pytest.fixture
async def each(tmp_path: Path, url: str) -> AsyncIterator[Ward]:
    """A study on each kind of database."""
    async with ward(tmp_path, url) as opened:
        yield opened


async def test_a_study_has_results_once_it_is_closed(each: Ward) -> None:
    """A report of all, advice about the low; nothing while it is open; asked again, nothing new."""
    low, _high = await each.add(Band.LOW), await each.add(Band.HIGH)
    assert 0 == await each.make()
    await each.close()
    assert 1 == await each.make()
    report, advice = (await each.rows("report"))[0], (await each.rows("advice"))[0]
    await each.database.write(lambda tx: tx.results.ask(STUDY, datetime.now(UTC), 0.01))
    assert 1 == await each.make()

    assert 2 == len(await each.rows())
    assert 1 == report.version
    said = await each.read(advice)
    evidence = said.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert [low] == [item.ReferencedSOPInstanceUID for item in evidence.ReferencedSOPSequence]
    assert 0 == await each.make()


async def test_a_change_after_the_close_supersedes_the_report(one: Ward) -> None:
    """A person's override makes version 2, which names version 1; both words are in it."""
    uid = await one.add(Band.LOW)
    await one.close()
    await one.make()
    await one.studies.override(uid, Ruling.HIGH, "readable", "dr")
    await one.make()
    first, second = await one.rows("report")
    said = await one.read(second)
    series = said.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]

    assert (2, None) == (second.version, second.ended_at)
    assert first.ended_at is not None
    assert first.sop_instance_uid == series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert ("Image Quality", "RID12") in codes_in(said)
    assert ("Image quality before a person's decision", "RID14") in codes_in(said)
    assert all(row.ended_at for row in await one.rows("advice"))


async def test_what_may_be_a_trace_is_advised_only_as_an_image(one: Ward) -> None:
    """No advice to take it again before a person says "an image"; a trace is said as a trace."""
    uid = await one.add(Band.LOW, doubt=Doubt(code="m_mode"))
    await one.close()
    await one.make()
    assert [] == await one.rows("advice")

    await one.studies.override(uid, Ruling.NOT_APPLICABLE, "It is a trace", "dr")
    await one.make()
    said = codes_in(await one.read((await one.rows("report"))[-1]))
    assert ("Image Quality", "NOT_GRADED") in said
    assert ("Image quality before a person's decision", "RID14") in said
    assert not [name for name, _code in said if name == "Quality Finding"]
    assert [] == await one.rows("advice")

    await one.studies.override(uid, Ruling.LOW, "It is an image", "dr")
    await one.make()
    assert 1 == len(await one.rows("advice"))
    assert [] == await one.rows("rejection")


async def test_without_changes_only_a_close_makes_results(tmp_path: Path) -> None:
    """`on_change = false`: an override after the close waits for the next close."""
    async with ward(tmp_path, on_change=False) as one:
        uid = await one.add(Band.LOW)
        await one.close()
        await one.make()
        await one.studies.override(uid, Ruling.HIGH, "readable", "dr")
        await one.make()
        assert 1 == len(await one.rows("report"))
        await one.add(Band.HIGH)
        await one.make()
        assert 1 == len(await one.rows("report"))
        await one.close()
        await one.make()
        assert 2 == len(await one.rows("report"))


async def test_a_machine_s_low_is_never_a_rejection(one: Ward) -> None:
    """Nobody confirmed it, so the archive hides nothing."""
    await one.add(Band.LOW)
    await one.close()
    await one.make()

    assert [] == await one.rows("rejection")


async def test_a_rejection_is_sent_once_and_taken_back_in_the_report(each: Ward) -> None:
    """An override to low rejects; taken back, its note ends, is not sent, and a report says so."""
    uid = await each.add(Band.HIGH)
    await each.close()
    await each.studies.override(uid, Ruling.LOW, "blurred", "dr")
    await each.make()
    (note,) = await each.rows("rejection")
    assert await each.owed(note)
    await each.studies.revoke_override(uid, "dr")
    await each.make()
    (ended,) = await each.rows("rejection")
    said = codes_in(await each.read((await each.rows("report"))[-1]))

    assert ended.ended_at is not None
    assert not await each.owed(ended)
    assert ("State of the image", "REVOKED") in said
    await each.add(Band.HIGH)
    await each.close()
    await each.make()
    assert 1 == len(await each.rows("rejection"))


async def test_a_person_s_call_rejects_with_a_reason(one: Ward) -> None:
    """The reason is the person's; both steps are in the audit trail."""
    uid = await one.add(Band.HIGH)
    await one.studies.reject(uid, "111210", "dr")
    await one.close()
    await one.make()
    (note,) = await one.rows("rejection")
    await one.studies.revoke_rejection(uid, "chief")
    trail = await one.database.read(lambda tx: tx.audit.all())

    assert ("Document Title Modifier", "111210") in codes_in(await one.read(note))
    assert ["reject", "close", "revoke_rejection"] == [entry.action for entry in trail]
    with pytest.raises(StudyStateError):
        await one.studies.revoke_rejection(uid, "chief")


@pytest.mark.parametrize(("reject_by", "n_rejected"), [("call", 0), ("override", 1), ("policy", 2)])
async def test_the_setting_says_who_rejects(
    tmp_path: Path, reject_by: str, n_rejected: int
) -> None:
    """By policy a replaced low goes too; the only image of its view never does."""
    async with ward(tmp_path, reject_by=reject_by) as one:
        await one.add(Band.LOW, "A")
        await one.add(Band.HIGH, "A")
        await one.add(Band.LOW, "B")
        uid = await one.add(Band.HIGH)
        await one.studies.override(uid, Ruling.LOW, "wrong", "dr")
        await one.close()
        await one.make()
        notes = await one.rows("rejection")
        images = [(await one.read(note)).ContentSequence[-1] for note in notes]

        rejected = {item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in images}
        assert n_rejected == len(notes)
        assert rejected <= {"1.2.3.1", "1.2.3.4"}


async def test_an_override_to_high_keeps_the_policy_away(tmp_path: Path) -> None:
    """What a person calls readable no policy rejects."""
    async with ward(tmp_path, reject_by="policy") as one:
        uid = await one.add(Band.LOW, "A")
        await one.add(Band.HIGH, "A")
        await one.studies.override(uid, Ruling.MEDIUM, "readable", "dr")
        await one.close()
        await one.make()

        assert [] == await one.rows("rejection")


async def test_a_crash_before_the_rows_repeats_the_same_bytes(
    one: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is there, the row is not: made again it is the same object and the same file."""
    await one.add(Band.LOW)
    await one.close()
    real = entering.enter

    def crash(*_arguments: Any, **_named: Any) -> None:
        raise OSError("power cut")

    monkeypatch.setattr(maker_module, "enter", crash)
    await one.make()
    files = {path.name: path.read_bytes() for path in (one.folder / "results").iterdir()}
    assert [] == await one.rows()
    monkeypatch.setattr(maker_module, "enter", real)
    await one.make()

    assert files == {path.name: path.read_bytes() for path in (one.folder / "results").iterdir()}
    assert 2 == len(await one.rows()) == len(files)


async def test_a_change_while_results_are_made_asks_again(
    one: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a person decides while the scribe writes is in the next version, not lost."""
    uid = await one.add(Band.LOW)
    await one.close()

    async def decide(orders: tuple[Order, ...], deadline_seconds: float) -> tuple[Answer, ...]:
        monkeypatch.setattr(maker_module, "write_all", write_here)
        await one.studies.override(uid, Ruling.HIGH, "readable", "dr")
        return await write_here(orders, deadline_seconds)

    monkeypatch.setattr(maker_module, "write_all", decide)
    assert [1, 1, 0] == [await one.make() for _ in range(3)]
    said = codes_in(await one.read((await one.rows("report"))[-1]))

    assert ("State of the image", "BY_PERSON") in said


async def test_what_is_owed_outlives_the_gate(tmp_path: Path) -> None:
    """Closed in one life, made in the next."""
    async with ward(tmp_path) as before:
        await before.add(Band.LOW)
        await before.close()
    async with ward(tmp_path) as after:
        assert 1 == await after.make()
        assert 2 == len(await after.rows())


async def test_a_scribe_that_dies_is_asked_again(
    one: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is owed stays owed, with a longer wait each time."""
    await one.add(Band.LOW)
    await one.close()

    async def die(*_arguments: object) -> None:
        raise ScribeError("exit -9")

    monkeypatch.setattr(maker_module, "write_all", die)
    await one.make()
    await one.make()
    owed = await one.database.read(
        lambda tx: tx.results.due(datetime.now(UTC) + timedelta(days=1), 5)
    )

    assert [2] == [each.attempts for each in owed]
    assert 2 == one.count("sonogate_results_failed_total", reason="scribe")
    monkeypatch.setattr(maker_module, "write_all", write_here)
    await one.make()
    assert 2 == len(await one.rows())


async def test_without_any_object_left_the_last_report_names_the_patient(one: Ward) -> None:
    """Pixels go first; a change later still finds whose study it is; with nothing left, nobody."""
    uid = await one.add(Band.LOW)
    await one.close()
    await one.make()
    (one.folder / "object1").unlink()
    await one.studies.override(uid, Ruling.HIGH, "readable", "dr")
    await one.make()
    assert CANARY == str((await one.read((await one.rows("report"))[-1])).PatientName)
    for path in (one.folder / "results").iterdir():
        path.unlink()
    await one.studies.revoke_override(uid, "dr")
    await one.make()

    assert 2 == len(await one.rows("report"))
    assert 1 <= one.count("sonogate_results_failed_total", reason="no_source")
    assert 0 == await one.make()


async def test_results_are_owed_to_who_wants_them(one: Ward) -> None:
    """One destination has `results = true`, the other has not."""
    await one.add(Band.LOW)
    await one.close()
    await one.make()
    row = (await one.rows("report"))[0]
    now = datetime.now(UTC) + timedelta(hours=1)
    lanes = await one.database.read(
        lambda tx: [
            (name, [item.result for item in tx.forwards.next_of_lane(name, STUDY, now, 9)])
            for name in ("pacs", "images_only")
        ]
    )

    assert {"pacs": 2, "images_only": 0} == {name: len(items) for name, items in lanes}
    sent = {item.sop_instance_uid: item for item in lanes[0][1] if item}
    assert row.file_name == sent[row.sop_instance_uid].file_name


async def test_old_results_go_when_nobody_waits_for_them(each: Ward) -> None:
    """What a destination has not got stays, however old."""
    await each.add(Band.HIGH)
    await each.close()
    await each.make()
    (row,) = await each.rows()
    later = datetime.now(UTC) + timedelta(days=8)
    assert 0 == await each.maker.let_go(later)
    await each.database.write(lambda tx: tx.forwards.withdraw_result(row.result_id, later))
    assert 1 == await each.maker.let_go(later)

    assert [] == list((each.folder / "results").iterdir())
    assert (await each.rows())[0].bytes_gone_at is not None


async def test_the_shelf_sweeps_what_no_row_speaks_of(tmp_path: Path) -> None:
    """A crash between file and row leaves nothing for ever."""
    async with ward(tmp_path) as one:
        await one.add(Band.HIGH)
        await one.close()
        await one.make()
        (tmp_path / "results" / "orphan.dcm").write_bytes(b"x")
        wanted = await one.database.read(lambda tx: tx.results.file_names())
        one.shelf.prepare(wanted)

        assert wanted == {path.name for path in (tmp_path / "results").iterdir()}


def stored_bytes(folder: Path) -> bytes:
    """Return all that the database has written."""
    return b"".join(path.read_bytes() for path in folder.glob("sonogate.db*"))


async def test_the_patient_is_in_the_result_and_nowhere_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not in the database, not in a log, not in a metric."""
    async with ward(tmp_path) as one:
        uid = await one.add(Band.LOW)
        await one.close()
        await one.studies.reject(uid, "111210", "dr")
        await one.make()
        rows = await one.rows()
        assert set(KINDS) == {row.kind for row in rows} | {"advice"}
        assert all([CANARY == str((await one.read(row)).PatientName) for row in rows])
        samples = [
            str(sample) for family in one.metrics.registry.collect() for sample in family.samples
        ]
    written = "".join(capsys.readouterr()) + "".join(samples)
    databases = stored_bytes(tmp_path)

    for secret in (*CANARY.split("^")[:1], "TEST-1"):
        assert secret not in written
        assert secret.encode() not in databases
