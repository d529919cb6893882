"""A disk that stands still: the cart is told in time, and what is kept late is kept once."""

import os
import threading
from pathlib import Path

import pytest

from sonogate.receive.spool.deposit import BLOCK_BYTES, GATHER_BYTES
from tests.service.receive.door import (
    STORE_CONTEXT,
    connected,
    eventually,
    message,
    open_door,
    p_data,
    pdv,
    store_rq,
)

pytestmark = pytest.mark.integration

A_ASSOCIATE_AC = 2
SUCCESS, OUT_OF_RESOURCES = 0x0000, 0xA700
KEEP_SECONDS = 0.3


class StillDisk:
    """Holds every write and sync until it is well again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
        self.is_well = threading.Event()
        for name in names:
            monkeypatch.setattr(os, name, self._held(getattr(os, name)))

    def _held(self, call: object) -> object:
        def wait(*arguments: object) -> object:
            self.is_well.wait(20)
            return call(*arguments)  # type: ignore[operator]

        return wait


async def test_a_cart_is_told_that_the_disk_stands_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0xA700 instead of silence; when the disk goes on, the object is entered after all."""
    async with open_door(tmp_path, keep_seconds=KEEP_SECONDS) as door, connected(door.port) as peer:
        assert await peer.associate() == A_ASSOCIATE_AC
        disk = StillDisk(monkeypatch, "fdatasync")
        await peer.say(message(store_rq("1.2.3"), b"content"))
        told = await peer.hear_status()
        n_then = len(door.registrar.rows)
        disk.is_well.set()
        await eventually(lambda: len(door.registrar.rows) == 1)
        await peer.say(message(store_rq("1.2.3"), b"content"))
        again = await peer.hear_status()
        rows = len(door.registrar.rows)

    assert [OUT_OF_RESOURCES, SUCCESS] == [told, again]
    assert [0, 1] == [n_then, rows]


async def test_a_large_object_is_refused_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is taken without the disk, and its partial file goes when the disk goes on."""
    async with open_door(tmp_path, keep_seconds=KEEP_SECONDS) as door, connected(door.port) as peer:
        assert await peer.associate() == A_ASSOCIATE_AC
        disk = StillDisk(monkeypatch, "write")
        await peer.say(message(store_rq("1.2.3")))
        for _ in range((GATHER_BYTES + 8 * BLOCK_BYTES) // 200_000):
            await peer.say(p_data(pdv(STORE_CONTEXT, 0, bytes(200_000))))
        await peer.say(p_data(pdv(STORE_CONTEXT, 2, b"end")))
        told = await peer.hear_status()
        disk.is_well.set()
        await eventually(lambda: door.held() == [])

    assert OUT_OF_RESOURCES == told
