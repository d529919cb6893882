"""Archives that are full, dead, slow, choosy or odd: nothing is lost, hammered or looped."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from sonogate.act.forward.book import ForwardBook
from sonogate.settings import DestinationSettings
from sonogate.store.forward_records import BreakerRow
from tests.integration.forwarding import (
    PATIENCE_SECONDS,
    Archive,
    Station,
    archive,
    pacs,
    station,
    study,
    uids,
)
from tests.ports import free_port

pytestmark = pytest.mark.integration

Tool = Callable[[str], str]


async def test_a_full_archive_is_waited_for_in_order(tmp_path: Path) -> None:
    """0xA700 stops the study where it is: nothing overtakes, and the archive is not hammered."""
    images, asked = study(3), Counter[str]()

    def answer(_archive: Archive, event: Any) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        asked[uid] += 1
        return 0xA700 if uid == str(images[1].SOPInstanceUID) and asked[uid] < 3 else 0x0000

    with archive(answer=answer) as there:
        async with station(tmp_path, pacs(there.port)) as gate:
            await gate.keep(*images)
            report = await gate.delivered()

    assert uids(images) == there.instances
    assert [1, 3, 1] == [asked[uid] for uid in uids(images)]
    assert "closed" == report.breaker.state


async def test_one_bad_object_holds_up_no_other(tmp_path: Path) -> None:
    """What the archive can't understand is tried a few times beside the rest, then it rests."""
    images, asked = study(3), Counter[str]()

    def answer(_archive: Archive, event: Any) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        asked[uid] += 1
        return 0xC000 if uid == str(images[0].SOPInstanceUID) else 0x0000

    with archive(answer=answer) as there:
        async with station(tmp_path, pacs(there.port, max_attempts=2)) as gate:
            await gate.keep(*images)
            report = await gate.delivered()
            there.answer = lambda _archive, _event: 0x0000
            await ForwardBook(gate.database, gate.forwarder).retry("pacs", "lead")
            after = await gate.delivered()

    assert {"cannot_understand": 1} == report.refusals
    assert [2, 1, 1] == [asked[uid] for uid in uids(images)]
    assert uids([images[1], images[2], images[0]]) == there.instances
    assert 0 == after.refused


async def test_an_archive_that_hangs_up_under_one_object_gets_the_others(tmp_path: Path) -> None:
    """An object that crashes its archive at each try steps aside; the rest of its study passes."""
    images = study(2)

    def answer(_archive: Archive, event: Any) -> int:
        if event.request.AffectedSOPInstanceUID == images[0].SOPInstanceUID:
            event.assoc.abort()
        return 0x0000

    with archive(answer=answer) as there:
        async with station(tmp_path, pacs(there.port)) as gate:
            await gate.keep(*images)
            report = await gate.until(lambda report: report.owed == 1)

    assert str(images[1].SOPInstanceUID) in there.instances
    assert 1 == report.owed


async def test_a_dead_archive_is_probed_not_hammered(tmp_path: Path) -> None:
    """Ten studies wait: one attempt at a time, ever rarer; after its return all arrive."""
    n_knocks = 0

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal n_knocks
        n_knocks += 1
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    images = [study(1)[0] for _ in range(10)]
    async with station(tmp_path, pacs(port, retry_max_seconds=30)) as gate:
        await gate.keep(*images)
        await asyncio.sleep(3)
        report = await gate.report()
        knocked = n_knocks
        server.close()
        await server.wait_closed()
        with archive(port=port) as there:
            await ForwardBook(gate.database, gate.forwarder).retry("pacs", "lead")
            await gate.delivered()

    assert 1 < knocked <= 5  # two at once at first, then after about 1, 3 and 7 seconds
    assert (10, "lost") == (report.owed, report.breaker.reason)
    assert sorted(uids(images)) == sorted(there.instances)


async def kept_rest(gate: Station) -> BreakerRow | None:
    """Return what the database has of the archive's rest."""
    return await gate.database.read(lambda tx: tx.forward_queues.breaker("pacs"))


async def test_a_rest_survives_a_restart(tmp_path: Path) -> None:
    """A gate started again doesn't knock at once where it had just failed."""
    port = free_port()
    async with station(tmp_path, pacs(port, retry_max_seconds=600)) as gate:
        await gate.keep(*study(1))
        before = await gate.until(lambda report: report.breaker.n_failed >= 3)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (row := await kept_rest(gate)) is None or row.n_failed < 3:  # noqa: ASYNC110 - a row
                await asyncio.sleep(0.01)
    async with station(tmp_path, pacs(port, retry_max_seconds=600)) as gate:
        await asyncio.sleep(0.2)
        after = await gate.report()

    assert before.breaker.since == after.breaker.since
    assert before.breaker.rest_until == after.breaker.rest_until


async def test_a_slow_archive_holds_up_no_other_destination(tmp_path: Path) -> None:
    """Each destination has a way of its own."""
    target = tmp_path / "archive"
    target.mkdir()
    folder = DestinationSettings(name="files", kind="folder", folder=target)
    port = free_port()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until we are left
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", port)
    async with station(tmp_path, pacs(port, answer_seconds=0.5), folder) as gate:
        await gate.keep(*study(3))
        await gate.delivered("files")
        report = await gate.until(lambda report: report.breaker.n_failed > 0)
        server.close()
        await asyncio.sleep(0.1)

    assert ("timed_out", 3) == (report.breaker.reason, report.owed)


async def test_fresh_images_pass_a_backlog(tmp_path: Path) -> None:
    """After an outage today's first image doesn't wait for last night's hundred."""
    old = [study(1)[0] for _ in range(20)]
    fresh, port = study(1)[0], free_port()
    async with station(tmp_path, pacs(port, associations=1)) as gate:
        await gate.keep(*old, at=datetime.now(UTC) - timedelta(hours=9))
        await gate.keep(fresh)
        await gate.until(lambda report: report.breaker.n_failed > 0)
        with archive(port=port) as there:
            await gate.delivered()

    assert str(fresh.SOPInstanceUID) == there.instances[0]
    assert uids(old) == there.instances[1:]


async def run_length_coded(image: Dataset, dcmcrle: str, folder: Path) -> bytes:
    """Return the file of an image in RLE Lossless, as DCMTK codes it."""
    path, coded = folder / "plain.dcm", folder / "rle.dcm"
    image.save_as(path, enforce_file_format=True)
    process = await asyncio.create_subprocess_exec(dcmcrle, str(path), str(coded))
    assert await process.wait() == 0
    return coded.read_bytes()


async def test_a_refused_syntax_is_decoded_without_loss(need_tool: Tool, tmp_path: Path) -> None:
    """An archive that takes no RLE gets the same samples under the same UID."""
    plain, coded = study(2)
    rle = await run_length_coded(coded, need_tool("dcmcrle"), tmp_path)
    with archive() as there:
        async with station(tmp_path, pacs(there.port)) as gate:
            await gate.keep(plain, rle)
            await gate.delivered()
            leftovers = sorted((gate.settings.data_dir / "outgoing").iterdir())

    assert uids([plain, coded]) == there.instances
    assert coded.PixelData in there.data_sets[str(coded.SOPInstanceUID)]
    assert [] == leftovers


async def test_a_refused_syntax_rests_with_an_alarm_where_decoding_is_not_wanted(
    need_tool: Tool, tmp_path: Path
) -> None:
    """`decompress = "never"`: refused at once, counted, never tried in a loop; the rest passes."""
    plain, coded = study(2)
    rle = await run_length_coded(coded, need_tool("dcmcrle"), tmp_path)
    with archive() as there:
        async with station(tmp_path, pacs(there.port, decompress="never")) as gate:
            await gate.keep(rle, plain)
            report = await gate.delivered()
            n_refused = gate.count("refused")

    assert uids([plain]) == there.instances
    assert ({"transfer_syntax": 1}, 1) == (report.refusals, n_refused)
