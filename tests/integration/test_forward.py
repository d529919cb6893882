"""Objects passed on by associations, HTTP and folders: as received, in order, exactly once."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pydicom import dcmread
from pydicom.uid import UID, ComprehensiveSRStorage

from sonogate.settings import DestinationSettings
from sonogate.testing import make_instance
from tests.integration.forwarding import (
    Archive,
    archive,
    dicom_bytes,
    instances_in,
    orthanc,
    pacs,
    station,
    study,
    uids,
)
from tests.integration.stow_server import stow_server
from tests.ports import free_port

pytestmark = pytest.mark.integration

Tool = Callable[[str], str]


async def test_a_study_goes_in_order_over_one_association_as_received(tmp_path: Path) -> None:
    """What waits of a study leaves in one association, byte for byte, under our own AE title."""
    images = study(5)
    with archive() as there:
        async with station(tmp_path, pacs(there.port)) as gate:
            there.stop()
            await gate.keep(*images)
            await gate.until(lambda report: report.breaker.state != "closed")
            there.start()
            report = await gate.delivered()

    assert uids(images) == there.instances
    assert ("closed", 0) == (report.breaker.state, report.refused)
    assert (["SONOGATE"], 1) == (there.calling_aes, there.n_associations)
    for image in images:
        assert dicom_bytes(image).endswith(there.data_sets[str(image.SOPInstanceUID)])
        assert len(there.data_sets[str(image.SOPInstanceUID)]) > 32 * 32


async def test_an_object_may_be_sent_under_its_sender_s_name(tmp_path: Path) -> None:
    """`calling_ae = "original"`: the archive sees the carts, each in associations of its own."""
    images = study(3)
    with archive() as there:
        async with station(tmp_path, pacs(there.port, calling_ae="original")) as gate:
            await gate.keep(images[0], calling_ae="CART1")
            await gate.keep(images[1], images[2], calling_ae="CART2")
            await gate.delivered()

    assert uids(images) == there.instances
    assert {"CART1", "CART2"} == set(there.calling_aes)


@pytest.mark.slow
async def test_orthanc_ends_with_one_instance_of_each(need_tool: Tool, tmp_path: Path) -> None:
    """Down at first, then up, the gate restarted in between: every UID is there once."""
    images, port = study(6), free_port()
    report_of_sr = make_instance(height=32, width=32)
    report_of_sr.file_meta.MediaStorageSOPClassUID = report_of_sr.SOPClassUID = (
        ComprehensiveSRStorage
    )
    async with station(tmp_path, pacs(port)) as gate:
        await gate.keep(*images[:3])
        await gate.until(lambda report: report.breaker.n_failed > 0)
    async with orthanc(need_tool("Orthanc"), tmp_path / "pacs", port) as http:
        async with station(tmp_path, pacs(port)) as gate:
            await gate.keep(*images, report_of_sr)
            await gate.delivered()
            await gate.database.write(lambda tx: tx.forwards.retry("pacs", datetime.now(UTC)))
        found = await instances_in(http)

    assert dict.fromkeys(uids([*images, report_of_sr]), 1) == dict(found)


@pytest.mark.slow
async def test_dcmtk_s_storescp_takes_every_object(need_tool: Tool, tmp_path: Path) -> None:
    """Bit-preserving storescp writes the very bytes that came in, a large cine among them."""
    port, out = free_port(), tmp_path / "dcmtk"
    out.mkdir()
    large = make_instance(height=2000, width=3000)
    images = [*study(2), large]
    process = await asyncio.create_subprocess_exec(
        need_tool("storescp"), "-B", "-od", str(out), "+xa", str(port)
    )
    try:
        async with station(tmp_path, pacs(port)) as gate:
            await gate.keep(*images)
            await gate.delivered()
    finally:
        process.kill()
        await process.wait()
    found = {str(dcmread(path).SOPInstanceUID): path.read_bytes() for path in out.iterdir()}

    assert set(uids(images)) == set(found)
    for image in images:
        assert found[str(image.SOPInstanceUID)].endswith(dicom_bytes(image)[400:])


async def test_a_folder_holds_whole_files_under_our_own_names(tmp_path: Path) -> None:
    """A UID that climbs out of folders is never part of a path; a second try writes no second."""
    target = tmp_path / "archive"
    target.mkdir()
    evil = make_instance(height=32, width=32)
    evil.SOPInstanceUID = evil.file_meta.MediaStorageSOPInstanceUID = UID("1.22.333.4444")
    content = dicom_bytes(evil).replace(b"1.22.333.4444", b"../../../evil")
    folder = DestinationSettings(name="files", kind="folder", folder=target)
    async with station(tmp_path, folder) as gate:
        (object_id,) = await gate.keep(content)
        await gate.delivered("files")
        now = datetime.now(UTC)
        await gate.database.write(lambda tx: _owe_again(tx, now))
        gate.forwarder.wake()
        await gate.delivered("files")
    (written,) = files_below(target)

    assert f"{object_id}.dcm" == written.name
    assert [] == [path for path in files_below(tmp_path) if "evil" in path.name]
    assert written.read_bytes().endswith(content[600:])


def files_below(folder: Path) -> list[Path]:
    """Return every file below a folder."""
    return [path for path in folder.rglob("*") if path.is_file()]


def _owe_again(tx: Any, now: datetime) -> None:
    """As after a kill between the answer and its row."""
    from sqlalchemy import update

    from sonogate.store.tables import forwards

    tx._connection.execute(update(forwards).values(state="owed", next_attempt_at=now))


async def test_a_folder_that_is_not_mounted_is_not_made(tmp_path: Path) -> None:
    """Nothing is written beside the disk that is missing; it is tried until it is there."""
    target = tmp_path / "mount"
    folder = DestinationSettings(name="files", kind="folder", folder=target, retry_max_seconds=1.0)
    async with station(tmp_path, folder) as gate:
        await gate.keep(*study(1))
        report = await gate.until(lambda report: report.breaker.n_failed > 1, "files")
        assert ("not_written", False) == (report.breaker.reason, target.exists())
        target.mkdir()
        await gate.delivered("files")

    assert 1 == len(list(target.rglob("*.dcm")))


async def test_stow_stores_each_object_once(tmp_path: Path) -> None:
    """One request each, whole files, with the token; answers that fail are tried again or rest."""
    images = study(3)
    refusal = {"00081198": {"Value": [{"00081197": {"vr": "US", "Value": [0x0122]}}]}}
    with stow_server() as there:
        there.answers = [(503, {}), (200, None), (409, refusal)]
        destination = DestinationSettings(
            name="web", kind="stow", url=f"http://127.0.0.1:{there.port}/dicom-web",
            token=SecretStr("a word"), retry_max_seconds=1.0,
        )  # fmt: skip
        async with station(tmp_path, destination) as gate:
            await gate.keep(*images)
            report = await gate.delivered("web")

    assert uids([images[0], images[2]]) == list(there.files)
    assert {"sop_class": 1} == report.refusals
    assert {"Bearer a word"} == set(there.tokens)
    for uid, file in there.files.items():
        (image,) = [each for each in images if each.SOPInstanceUID == uid]
        assert file.endswith(dicom_bytes(image)[600:])


STATUSES = {
    0xB000: ("warning", 1), 0xB007: ("warning", 1), 0x0111: ("duplicate", 0),
    0x0122: ("refused", 0), 0xA771: ("refused", 0),
}  # fmt: skip


@pytest.mark.parametrize("status", STATUSES)
async def test_an_answer_counts_as_the_standard_says(tmp_path: Path, status: int) -> None:
    """Warnings are stored, a duplicate is there, a refusal rests; none is sent a second time."""
    result, n_stored = STATUSES[status]
    asked: list[int] = []

    def answer(_archive: Archive, _event: Any) -> int:
        asked.append(status)
        return status

    with archive(answer=answer) as there:
        async with station(tmp_path, pacs(there.port)) as gate:
            await gate.keep(*study(1))
            report = await gate.delivered()
            count = gate.count(result)

    assert ([status], n_stored, 1) == (asked, len(there.instances), count)
    assert (result == "refused") == (report.refused == 1)
