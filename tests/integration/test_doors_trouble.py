"""Several processes on one DICOM port in trouble: floods, signals, one that stands still."""

import asyncio
import os
import signal
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import generate_uid
from sqlalchemy import Connection, event

from sonogate.receive.acceptor import LEAST_WAITING, SPARE_CONNECTIONS
from sonogate.store import registrar as registrar_module
from sonogate.store.database import Database
from tests.acceptance.cart import Cart
from tests.acceptance.serving import Served
from tests.acceptance.test_kill_doors import left_of
from tests.integration.test_doors import all_open, damaged, doors_of, open_doors, rows_of
from tests.integration.test_receive_tls import A_ASSOCIATE_AC, client, shown_by
from tests.integration.ward import image, store
from tests.service.receive.door import Peer, connected, eventually
from tests.service.receive.keys import Authority

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(120)]

SOON_SECONDS = 1.0
"""Well below the seconds in which processes look for new certificates unasked."""
TLS = """
tls_certificate = "{pair.certificate}"
tls_key = "{pair.key}"
[scoring]
workers = 1
model = "dct-manifold/1.0.0"
"""


async def is_held(peer: Peer) -> bool:
    """Whether a connection that says nothing stays open for a moment."""
    with suppress(TimeoutError):
        async with asyncio.timeout(2):
            with suppress(ConnectionError):
                await peer.reader.read(1)
            return False
    return True


async def test_silent_connections_are_bounded_for_the_whole_gate(tmp_path: Path) -> None:
    """However many doors there are; who asks for an association is let in nevertheless."""
    most = 3 + SPARE_CONNECTIONS
    async with (
        open_doors(tmp_path, {"max_associations": 3}) as ward,
        AsyncExitStack() as stack,
    ):
        peers = [await stack.enter_async_context(connected(ward.port)) for _ in range(3 * most)]
        held = await asyncio.gather(*(is_held(peer) for peer in peers))
        free = [peer for peer, stays in zip(peers, held, strict=True) if stays]
        for peer in free[:30]:
            peer.writer.close()
        await asyncio.sleep(0.3)
        answers = [await peer.associate() for peer in free[30:33]]

    assert most - 2 <= held.count(True) <= most + 2
    assert [A_ASSOCIATE_AC] * 3 == answers


async def test_a_few_may_wait_at_each_of_many_doors(tmp_path: Path) -> None:
    """The system may send all carts of a moment to the same process."""
    async with (
        open_doors(tmp_path, {"max_associations": 1, "processes": 12}) as ward,
        AsyncExitStack() as stack,
    ):
        peers = [await stack.enter_async_context(connected(ward.port)) for _ in range(36)]
        held = await asyncio.gather(*(is_held(peer) for peer in peers))

    assert (1 + SPARE_CONNECTIONS) // 12 < LEAST_WAITING
    assert all(held)


def certificates_at(served: Served, authority: Authority) -> set[bytes]:
    """What a dozen connections are shown: by both doors, all but surely."""
    context = client(authority)
    return {shown_by(served.dicom_port, context) for _ in range(12)}


def test_sighup_has_every_door_take_its_certificates_anew(tmp_path: Path) -> None:
    """The signal itself, to the gate and to its whole group: at once, and no process ends by it."""
    authority = Authority(tmp_path)
    served = Served(tmp_path, processes=2)
    pair = authority.door()
    served.write_config = lambda: with_tls(served, TLS.format(pair=pair))  # type: ignore[method-assign]
    served.start()
    try:
        assert served.process is not None
        doors = served.door_ids()
        shown = [certificates_at(served, authority)]
        for send in (os.kill, os.killpg):
            authority.door()
            send(served.process.pid, signal.SIGHUP)
            time.sleep(SOON_SECONDS)
            shown.append(certificates_at(served, authority))
        assert doors == served.door_ids()
    finally:
        served.stop()

    assert [1, 1, 1] == [len(each) for each in shown]
    assert 3 == len(set.union(*shown))
    assert 0 == served.process.returncode


def with_tls(served: Served, tls: str) -> Path:
    """Write the gate's settings, with a lock on its DICOM port."""
    path = Served.write_config(served)
    text = path.read_text()
    first, _, rest = text.partition("[http]")
    keys, _, more = tls.partition("[scoring]")
    path.write_text(f"{first}{keys}[http]{rest}\n[scoring]{more}")
    return path


# pynetdicom forgets the socket of a refused connection without closing it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_door_that_stands_still_in_the_middle_of_objects(tmp_path: Path) -> None:
    """Stopped with objects in hand: it is ended, and what it had acknowledged is there, once."""
    async with open_doors(tmp_path, {"door_silent_seconds": 2.0, "keep_seconds": 5.0}) as ward:
        carts, is_over = [Cart(ward.port, f"CART{number}") for number in range(4)], asyncio.Event()

        async def push(cart: Cart) -> None:
            while not is_over.is_set():
                await asyncio.to_thread(cart.push, [image(generate_uid()) for _ in range(5)])

        pushing = [asyncio.create_task(push(cart)) for cart in carts]
        await eventually(lambda: all(len(cart.acknowledged) > 2 for cart in carts), 60)
        victim = doors_of(ward).process_ids[0]
        os.kill(victim, signal.SIGSTOP)
        await all_open(ward, but=victim)
        is_over.set()
        await asyncio.gather(*pushing)
        rows = await rows_of(ward)
        acknowledged = {uid for cart in carts for uid in cart.acknowledged}

        assert set() == acknowledged - {row.sop_instance_uid for row in rows}
        assert [] == damaged(ward, rows)
        assert len(rows) == len({row.object_id for row in rows})
        assert 1 == ward.count("sonogate_door_silences_total")
        assert [] == left_of([victim])
        assert {0} == set(await asyncio.to_thread(store, ward.port, [image(generate_uid())]))


@dataclass
class Bound:
    """How far a gate's database may grow; SQLite says beyond that its disk is full."""

    database: Database
    n_pages: int = 1 << 30

    def __post_init__(self) -> None:
        """Say it anew in each transaction: what was refused costs its connection."""
        event.listen(self.database._write_engine, "begin", self._say)

    def _say(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {self.n_pages}")

    async def end_here(self) -> None:
        """Let it grow no further."""
        self.n_pages = await self.database.read(n_pages)


def n_pages(tx: Any) -> int:
    """How large a database is."""
    return int(tx.spooled_bytes._connection.exec_driver_sql("PRAGMA page_count").scalar())


def n_refusals(said: str) -> int:
    """How often the database said that it is full."""
    return said.count("database refused objects")


async def test_dead_doors_are_taken_over_once_the_database_has_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """SQLite says that its disk is full: other doors answer, and every row is there after all."""
    monkeypatch.setattr(registrar_module, "CAUGHT_UP_SECONDS", 0.5)
    async with open_doors(tmp_path) as ward:
        takeover, carts = doors_of(ward)._takeover, [Cart(ward.port, "CART1")]
        bound = Bound(ward.database)
        await bound.end_here()

        async def push() -> None:
            await asyncio.to_thread(carts[0].push, [image(generate_uid()) for _ in range(20)])

        async with asyncio.timeout(60):
            said = ""
            while not n_refusals(said):
                await push()
                said += "".join(capfd.readouterr())
        victims = doors_of(ward).process_ids
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        await eventually(lambda: set(victims).isdisjoint(doors_of(ward).process_ids), 30)
        await eventually(lambda: 2 == len(doors_of(ward).process_ids), 30)
        await push()
        await asyncio.sleep(3)
        was_busy, said = takeover.is_busy, said + "".join(capfd.readouterr())
        bound.n_pages = 1 << 30
        await eventually(lambda: not takeover.is_busy, 30)
        rows = await rows_of(ward)

    assert was_busy
    assert "door_not_taken_over" in said
    assert carts[0].acknowledged <= {str(row.sop_instance_uid) for row in rows}
    assert len(rows) == len({row.sop_instance_uid for row in rows})
    assert [] == damaged(ward, rows)
