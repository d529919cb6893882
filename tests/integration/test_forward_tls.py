"""Passing on over DICOM TLS, to DCMTK's storescp: with our certificate, and never in the clear."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydicom import dcmread

from sonogate.errors import SettingFileError
from tests.integration.forwarding import pacs, station, study, uids
from tests.ports import free_port
from tests.service.receive.keys import Authority, Pair

pytestmark = pytest.mark.integration

Tool = Callable[[str], str]


@asynccontextmanager
async def storescp(
    tool: str, folder: Path, port: int, door: Pair, authority: Authority
) -> AsyncIterator[None]:
    """Run storescp over TLS; whoever associates must show a certificate of the authority."""
    process = await asyncio.create_subprocess_exec(
        tool, "+tls", str(door.key), str(door.certificate), "+cf", str(authority.file),
        "-B", "-od", str(folder), str(port),
    )  # fmt: skip
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def test_an_archive_is_sent_to_over_tls(need_tool: Tool, tmp_path: Path) -> None:
    """It sees our certificate, we check its name; a new certificate of ours counts at once."""
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    mine = authority.vouch("gate")
    wrong = stranger.vouch("wrong")
    shown = Pair(tmp_path / "shown.crt", tmp_path / "shown.key")
    show(shown, wrong)
    images, port, out = study(2), free_port(), tmp_path / "out"
    out.mkdir()
    tls = {"tls_ca": authority.file, "tls_certificate": shown.certificate, "tls_key": shown.key}
    async with (
        storescp(need_tool("storescp"), out, port, authority.door(), authority),
        station(tmp_path, pacs(port, **tls)) as gate,
    ):
        await gate.keep(*images)
        refused = await gate.until(lambda report: report.breaker.n_failed > 1)
        show(shown, mine)
        await gate.delivered()

    assert refused.breaker.reason in {"tls", "lost"}
    assert set(uids(images)) == {str(dcmread(path).SOPInstanceUID) for path in files_in(out)}


async def test_a_stranger_who_answers_gets_nothing(need_tool: Tool, tmp_path: Path) -> None:
    """An archive whose certificate another authority made is not spoken to."""
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    port, out = free_port(), tmp_path / "out"
    out.mkdir()
    async with (
        storescp(need_tool("storescp"), out, port, stranger.door(), authority),
        station(tmp_path, pacs(port, tls_ca=authority.file)) as gate,
    ):
        await gate.keep(*study(1))
        report = await gate.until(lambda report: report.breaker.reason == "tls")

    assert (1, []) == (report.owed, files_in(out))


async def test_a_gate_with_a_broken_file_does_not_start(tmp_path: Path) -> None:
    """The setting is named, and what is wrong with its file."""
    broken = tmp_path / "ca.pem"
    await asyncio.to_thread(broken.write_text, "no certificate")

    with pytest.raises(SettingFileError, match=r"forward\.destinations\.pacs\.tls_ca"):
        async with station(tmp_path, pacs(104, tls_ca=broken)):
            pass


def show(shown: Pair, pair: Pair) -> None:
    """Put a pair where the settings look for it."""
    shown.certificate.write_bytes(pair.certificate.read_bytes())
    shown.key.write_bytes(pair.key.read_bytes())


def files_in(folder: Path) -> list[Path]:
    """Return the files in a folder."""
    return sorted(folder.iterdir())
