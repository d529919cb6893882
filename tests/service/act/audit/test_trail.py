"""What is noted, by whom, and how little of it when much happens."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sonogate.act.audit import trail as trail_module
from sonogate.act.audit.trail import Note, Trail
from sonogate.settings import Settings
from sonogate.store.database import Database
from sonogate.store.records import AuditEntry
from tests.service.track.conftest import STUDY, Clinic

pytestmark = pytest.mark.integration
READ = Note("read", "http.token", "192.0.2.7")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """An SQLite database."""
    database = Database(f"sqlite:///{tmp_path / 'sonogate.db'}")
    await database.open()
    yield database
    await database.close()


async def actions(database: Database) -> list[str]:
    """Return what the trail says was done."""
    return [entry.action for entry in await entries(database)]


async def entries(database: Database) -> list[AuditEntry]:
    """Return the trail."""
    return await database.read(lambda tx: tx.audit.all())


async def test_a_study_read_often_is_one_entry_per_reader_and_window(database: Database) -> None:
    """Two images' thumbnails and their study are one reading; the next window notes it again."""
    clinic, trail = Clinic(database), Trail(database, Settings())
    for uid in ("1.2.3.1", "1.2.3.2"):
        await clinic.judge(await clinic.receive(uid))
    for uid in ("1.2.3.1", "1.2.3.2", "1.2.3.1"):
        trail.note(Note("read", "http.token", "192.0.2.7", instance_uid=uid))
        trail.note(Note("read", "http.token", "192.0.2.7", study_uid=STUDY))
        trail.note(Note("read", "http.token", "192.0.2.8", study_uid=STUDY))
        await trail.write_waiting()
    assert [(STUDY, "192.0.2.7"), (STUDY, "192.0.2.8")] == [
        (entry.study_uid, entry.body["address"]) for entry in await entries(database)
    ]
    await trail.turn_window()
    trail.note(Note("read", "http.token", "192.0.2.7", instance_uid="1.2.3.2"))
    await trail.write_waiting()
    assert 3 == len(await entries(database))


async def test_an_image_read_before_its_verdict_is_told_by_its_study_later(
    database: Database,
) -> None:
    """Its study is not known yet: the entry names the object, and the trail its study."""
    clinic, trail = Clinic(database), Trail(database, Settings())
    received = await clinic.receive("1.2.3.1")
    trail.note(Note("read", "http.token", "192.0.2.7", instance_uid="1.2.3.1"))
    await trail.write_waiting()
    assert [(None, str(received.object_id))] == [
        (one.study_uid, one.object_id) for one in await entries(database)
    ]
    await clinic.judge(received)

    assert [STUDY] == [one.study_uid for one in await entries(database)]


async def test_a_study_that_is_not_here_is_not_named(database: Database) -> None:
    """A wrong address may hold a name; it would go to an audit record repository with the trail."""
    clinic, trail = Clinic(database), Trail(database, Settings())
    await clinic.judge(await clinic.receive("1.2.3.1"))
    for study_uid in ("Canary^Name", "1.2.3.999", STUDY):
        trail.note(Note("read", "http.token", "192.0.2.7", study_uid=study_uid))
    await trail.write_waiting()

    assert [None, STUDY] == [entry.study_uid for entry in await entries(database)]


async def test_refusals_are_counted_not_listed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand refusals are two entries; made-up names beyond the bound are a number."""
    monkeypatch.setattr(trail_module, "MAX_NOTES", 5)
    trail = Trail(database, Settings())
    for _ in range(1000):
        trail.refused("association_refused", "EVIL", "192.0.2.9", "calling_ae")
    for number in range(10):
        trail.refused("association_refused", f"EVIL{number}", "192.0.2.9", "calling_ae")
    await trail.write_waiting()
    await trail.turn_window()
    said = [(one.action, one.by, one.body.get("n")) for one in await entries(database)]

    assert [("association_refused", "EVIL", None)] == said[:1]
    assert ("association_refused", "EVIL", 999) in said
    assert ("not_noted", "sonogate", 6) in said
    assert 7 == len(said)


async def test_who_sent_is_counted_once_across_a_crash(database: Database) -> None:
    """An entry per sender and study, from the rows; a new gate goes on where the old one ended."""
    began = datetime.now(UTC) - timedelta(days=1)
    clinic = Clinic(database, now=began)
    clock = [began]
    trail = Trail(database, Settings(), now=lambda: clock[0])
    await trail.started()
    for ae in ("CART1", "CART1", "CART2"):
        await clinic.judge(await clinic.receive(ae=ae))
    clock[0] += timedelta(minutes=10)
    await trail.turn_window()
    again = Trail(database, Settings(), now=lambda: clock[0])
    clinic.now = clock[0]
    await clinic.judge(await clinic.receive(ae="CART1"))
    clock[0] += timedelta(minutes=10)
    await again.turn_window()
    await again.turn_window()

    assert [("CART1", STUDY, 2), ("CART2", STUDY, 1), ("CART1", STUDY, 1)] == [
        (one.by, one.study_uid, one.body["n_objects"])
        for one in await entries(database)
        if one.action == "receive"
    ]


async def test_changed_settings_are_named_and_never_told(database: Database) -> None:
    """The keys that differ from the last start's, lists and secrets too; no value is kept."""
    first = Settings.model_validate({"http": {"token": "canary-one-0123456789abcdef"}})
    second = Settings.model_validate(
        {
            "http": {"token": "canary-two-0123456789abcdef"},
            "listener": {"port": 104, "ae_title": "CANARY"},
            "webhooks": [{"url": "https://ris.example/canary", "secret": "canary-2"}],
        }
    )
    for settings in (first, first, second):
        await Trail(database, settings).started()
    trail = await entries(database)

    assert ["start", "settings_changed", "start", "start", "settings_changed"] == [
        one.action for one in trail
    ]
    assert ["http.token", "listener.ae_title", "listener.port", "webhooks"] == trail[-1].body[
        "keys"
    ]
    assert "canary" not in str([one.body for one in trail]).lower()


async def test_what_could_not_be_written_waits(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that refuses once loses no note."""
    trail = Trail(database, Settings())
    trail.note(READ)
    with monkeypatch.context() as patched:
        patched.setattr(database, "write", _refuse)
        with pytest.raises(OSError, match="full"):
            await trail.write_waiting()
    await trail.write_waiting()

    assert ["read"] == await actions(database)


async def _refuse(*_arguments: object) -> None:
    raise OSError("disk full")
