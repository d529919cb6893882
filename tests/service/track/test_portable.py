"""PostgreSQL is only another URL: nothing the tracker says is SQLite's own dialect."""

from datetime import timedelta
from typing import Any

from sqlalchemy import ClauseElement, event
from sqlalchemy.dialects import postgresql

from sonogate.domain.verdict import Band, Ruling
from sonogate.track.retention import expired

Clinic = Any  # the fixture of conftest.py
STUDY = "1.2.826.1"


async def use_everything(clinic: Clinic) -> None:
    """Run through what the gate does in a day."""
    low = await clinic.send(Band.LOW, seed=1)
    await clinic.send(Band.LOW, seed=1, calipers=True)
    await clinic.send(Band.HIGH, seed=2)
    await clinic.studies.answer(STUDY, 3, 1, replaces=False, by="RN")
    await clinic.receive("1.9", content="a")
    await clinic.receive("1.9", content="b")
    await clinic.studies.override(low.verdict.sop_instance_uid, Ruling.HIGH, "seen", "RN")
    await clinic.studies.revoke_override(low.verdict.sop_instance_uid, "RN")
    await clinic.database.write(lambda tx: tx.objects.claim("gate", clinic.now, 60, 2))
    await clinic.database.write(lambda tx: tx.objects.release_all_of_other_owners("new"))
    await clinic.quiet(1000)
    await clinic.studies.close(STUDY, "RN")
    await clinic.studies.list()
    await clinic.studies.senders()
    later = clinic.now + timedelta(days=30)
    await clinic.database.read(lambda tx: expired(tx, later, 7))
    await clinic.database.read(lambda tx: tx.deliveries.due(later, 10))
    await clinic.database.read(lambda tx: tx.deliveries.backlog())


async def test_every_statement_speaks_postgresql(clinic: Clinic) -> None:
    """Each statement that was really run also compiles for PostgreSQL; none is raw text."""
    spoken: list[ClauseElement] = []

    def note(_connection: object, statement: ClauseElement, *_more: object) -> None:
        spoken.append(statement)

    engines = (clinic.database._write_engine, clinic.database._read_engine)
    for engine in engines:
        event.listen(engine, "before_execute", note)
    await use_everything(clinic)
    for engine in engines:
        event.remove(engine, "before_execute", note)

    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    compiled = {str(statement.compile(dialect=dialect)) for statement in spoken}
    assert len(compiled) > 30
    assert any("FOR UPDATE SKIP LOCKED" in statement for statement in compiled)
