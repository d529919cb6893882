"""The flow, when the disk or the database does not play along."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sonogate import pipeline as pipeline_module
from sonogate.domain.job import Examination, Job
from sonogate.domain.verdict import Status
from sonogate.errors import SpoolWriteError, UnreadableError
from sonogate.judge.policy import Policy
from sonogate.observe.metrics import Metrics
from sonogate.pipeline import READ_ATTEMPTS, Pipeline, refused
from sonogate.receive.spool import Spool
from sonogate.settings import Settings
from sonogate.store.database import Database
from sonogate.store.records import ClaimedObject
from sonogate.store.transaction import Transaction
from sonogate.track.tracker import DeliveryTargets
from tests.service.store.conftest import MakeReceived, make_received

__all__ = ["make_received"]


@dataclass
class Blind:
    """An examiner to which the disk gives nothing back."""

    async def examine(self, job: Job) -> Examination:
        """Say so."""
        return refused(job, UnreadableError())


@dataclass
class Moody(Database):
    """A database that refuses some writes."""

    n_refusals: int = 0
    n_asked: int = field(default=0, init=False)

    async def write(self, work: Callable[[Transaction], Any]) -> Any:
        """Refuse, or write."""
        self.n_asked += 1
        if self.n_asked <= self.n_refusals:
            raise SpoolWriteError
        return await super().write(work)


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """A flow over a database that is not open yet."""
    settings = Settings(data_dir=tmp_path)
    database = Moody()
    Database.__init__(database, settings.database_url)
    return Pipeline(
        settings=settings,
        owner="gate",
        database=database,
        spool=Spool(settings.spool_dir, settings.spool, settings.listener),
        examiner=Blind(),
        policy=Policy.from_settings(60, 40, settings.judge),
        targets=DeliveryTargets(),
        metrics=Metrics(),
        on_recorded=lambda: None,
    )


async def test_an_unreadable_object_waits_before_that_is_its_verdict(
    pipeline: Pipeline, make_received: MakeReceived
) -> None:
    """A disk that is gone for minutes costs no verdict; one that stays gone is told in the end."""
    received = make_received(spool_name="files/1")
    await pipeline.database.open()
    try:
        await pipeline.database.write(lambda tx: tx.objects.keep(received))
        now = datetime.now(UTC)
        for attempts in range(1, READ_ATTEMPTS):
            claimed = ClaimedObject(received=received, attempts=attempts, claimed_at=now)
            with pytest.raises(UnreadableError):
                await pipeline.judge(claimed)
        last = ClaimedObject(received=received, attempts=READ_ATTEMPTS, claimed_at=now)
        verdict = await pipeline.judge(last)
    finally:
        await pipeline.database.close()

    assert Status.UNSCORABLE == verdict.status


async def test_a_verdict_is_recorded_when_the_database_takes_it(
    pipeline: Pipeline, make_received: MakeReceived, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not examined again, nor left until its lease is over."""
    monkeypatch.setattr(pipeline_module, "IDLE_SECONDS", 0.01)
    received = make_received(spool_name="files/1")
    database = pipeline.database
    assert isinstance(database, Moody)
    await database.open()
    try:
        await database.write(lambda tx: tx.objects.keep(received))
        database.n_refusals = database.n_asked + 3
        claimed = ClaimedObject(
            received=received, attempts=READ_ATTEMPTS, claimed_at=datetime.now(UTC)
        )
        verdict = await pipeline.judge(claimed)
    finally:
        await database.close()

    assert Status.UNSCORABLE == verdict.status
    assert database.n_refusals + 1 == database.n_asked
