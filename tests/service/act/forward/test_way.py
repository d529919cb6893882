"""What passes objects and exam steps on begins, however the database feels at the start."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from sonogate.act.forward import way as way_module
from sonogate.act.forward.carrier import Carrier
from sonogate.act.forward.way import Way
from sonogate.act.network.steps import StepForwarder
from sonogate.errors import SpoolWriteError
from sonogate.observe.metrics import Metrics
from sonogate.settings import DestinationSettings, MppsServerSettings
from sonogate.store.database import Database


class Waking:
    """A database that refuses a few times, then has nothing."""

    def __init__(self, n_refusals: int) -> None:
        self.n_refusals = n_refusals
        self.is_awake = asyncio.Event()

    async def read(self, _work: Callable[[Any], Any]) -> Any:
        """Refuse, or answer."""
        await asyncio.sleep(0)
        if self.n_refusals:
            self.n_refusals -= 1
            raise SpoolWriteError
        is_first = not self.is_awake.is_set()
        self.is_awake.set()
        return None if is_first else []

    write = read


async def outlives(work: Callable[[], Any], database: Waking) -> bool:
    """Whether a loop still runs when the database has woken up."""
    task = asyncio.create_task(work())
    waking = asyncio.create_task(database.is_awake.wait())
    await asyncio.wait((task, waking), timeout=10, return_when=asyncio.FIRST_COMPLETED)
    is_running = not task.done()
    task.cancel()
    waking.cancel()
    await asyncio.gather(task, waking, return_exceptions=True)
    return is_running and database.is_awake.is_set()


async def test_forwarding_begins_when_the_database_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks again what an earlier gate knew of the destination."""
    monkeypatch.setattr(way_module, "UNREADABLE_SECONDS", 0.01)
    database = Waking(3)
    way = Way(
        settings=DestinationSettings(name="pacs", host="127.0.0.1", port=1, ae_title="PACS"),
        carrier=cast(Carrier, None),
        pack=lambda _item: None,
        database=cast(Database, database),
        metrics=Metrics(),
    )

    assert await outlives(way.serve, database)


async def test_exam_steps_are_passed_on_when_the_database_allows() -> None:
    """What is owed to the gone is looked at in a loop of its own."""
    database = Waking(2)
    server = MppsServerSettings(name="ris", host="127.0.0.1", port=1, ae_title="RIS")
    forwarder = StepForwarder(cast(Database, database), (server,), "SONOGATE", Metrics())

    assert await outlives(forwarder.run, database)
