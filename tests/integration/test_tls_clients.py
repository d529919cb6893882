"""Real software at the locked door: DCMTK, Orthanc, and the gate's own command line."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Protocol

import httpx
import pytest

from tests.integration.test_receive_dcmtk import EXPLICIT, JPEG, assert_kept, run, write_object
from tests.integration.test_receive_tls import client
from tests.ports import free_port
from tests.service.receive.door import eventually, open_door
from tests.service.receive.keys import Authority, Pair, lock

pytestmark = pytest.mark.integration

Tool = Callable[[str], str]


class HasPort(Protocol):
    """What listens."""

    @property
    def port(self) -> int:
        """Where to knock."""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Who vouches for the door and for the carts."""
    return Authority(tmp_path)


def dcmtk(authority: Authority, shown: Pair | None) -> list[str]:
    """DCMTK's options: what it shows (nothing is "anonymous") and whom it trusts."""
    shows = ["+tls", str(shown.key), str(shown.certificate)] if shown else ["+tla"]
    return [*shows, "+cf", str(authority.file)]


@pytest.mark.parametrize("profile", ["--profile-bcp195-nd", "--profile-bcp195-ex"])
@pytest.mark.parametrize("shows", [False, True])
async def test_dcmtk_echoes_and_stores_over_tls(
    authority: Authority, need_tool: Tool, tmp_path: Path, profile: str, *, shows: bool
) -> None:
    """With and without a client certificate, under DCMTK's usual and its stricter profile."""
    shown = authority.vouch("cart") if shows else None
    options = [*dcmtk(authority, shown), profile]
    paths = {write_object(tmp_path, syntax, n_bytes=84_000 // 256 * 256): syntax
             for syntax in (EXPLICIT, f"{JPEG}50")}  # fmt: skip
    async with open_door(tmp_path, **lock(authority.door(), authority if shows else None)) as door:
        to = ["127.0.0.1", str(door.port)]
        code, said = await run(need_tool("echoscu"), *options, "--repeat", "3", *to)
        assert (0, "") == (code, said)
        code, said = await run(need_tool("storescu"), *options, "-xy", *to, *map(str, paths))
        assert code == 0, said
        for path, syntax in paths.items():
            assert_kept(door, path, syntax)
        assert door.count("sonogate_associations_ended_total", result="released") == 2


async def test_dcmtk_without_a_card_or_in_the_clear_stays_outside(
    authority: Authority, need_tool: Tool, tmp_path: Path
) -> None:
    """Anonymous, with a stranger's certificate, and plain: all fail; the right cart then stores."""
    cart, stranger = authority.vouch("cart"), Authority(tmp_path, "other").vouch("stranger")
    path = write_object(tmp_path, EXPLICIT)
    wrong = [dcmtk(authority, None), dcmtk(authority, stranger), []]
    async with open_door(tmp_path, **lock(authority.door(), authority)) as door:
        to = ["127.0.0.1", str(door.port)]
        for options in wrong:
            code, _said = await run(need_tool("storescu"), *options, *to, str(path))
            assert code != 0
        assert [] == door.held()
        code, said = await run(need_tool("storescu"), *dcmtk(authority, cart), *to, str(path))
        assert code == 0, said
        for reason in ("no_certificate", "certificate_not_trusted", "not_tls"):
            assert door.count("sonogate_tls_refused_total", reason=reason) == 1


async def test_dcmtk_reads_why_it_is_rejected(
    authority: Authority, need_tool: Tool, tmp_path: Path
) -> None:
    """One association more than its sender may open is told so in the standard's words."""
    cart = authority.vouch("cart")
    locked = lock(authority.door(), authority)
    async with open_door(tmp_path, sender_associations_per_minute=2, **locked) as door:
        echo = [need_tool("echoscu"), *dcmtk(authority, cart), "127.0.0.1", str(door.port)]
        assert [0, 0] == [(await run(*echo))[0] for _ in range(2)]
        code, said = await run(*echo)

        assert code != 0
        assert "Temporary Congestion" in said
        assert door.count("sonogate_associations_refused_total", rule="sender_rate") == 1


@asynccontextmanager
async def orthanc(
    tool: str, folder: Path, door: HasPort, config: dict[str, object]
) -> AsyncIterator[httpx.AsyncClient]:
    """Orthanc, with the door as a modality, for the time of the block."""
    settings = folder / "orthanc.json"
    port = free_port()
    modality = {"AET": "SONOGATE", "Host": "127.0.0.1", "Port": door.port, "UseDicomTls": True}
    settings.write_text(
        json.dumps(
            {
                "StorageDirectory": str(folder), "IndexDirectory": str(folder), "Plugins": [],
                "DicomServerEnabled": False, "HttpPort": port, "RemoteAccessAllowed": False,
                "AuthenticationEnabled": False, "DicomModalities": {"gate": modality}, **config,
            }
        )
    )  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        tool, str(settings),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, timeout=20, trust_env=False) as http:
            await answering(http, "/system")
            yield http
    finally:
        process.terminate()
        await process.wait()


async def answering(http: httpx.AsyncClient, path: str) -> None:
    """Wait until a server answers."""
    async with asyncio.timeout(60):
        while True:
            with suppress(httpx.TransportError):
                if (await http.get(path)).is_success:
                    return
            await asyncio.sleep(0.05)


async def test_orthanc_sends_through_the_locked_door(
    authority: Authority, need_tool: Tool, tmp_path: Path
) -> None:
    """Orthanc shows its certificate, trusts ours, and its objects are kept byte for byte."""
    card = authority.vouch("orthanc")
    tls: dict[str, object] = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(card.certificate),
        "DicomTlsPrivateKey": str(card.key),
        "DicomTlsTrustedCertificates": str(authority.file),
    }
    path = write_object(tmp_path, EXPLICIT, n_bytes=25_600)
    senders = [{"ae_title": "ORTHANC", "addresses": ["127.0.0.0/8"], "certificate": "orthanc"}]
    async with (
        open_door(tmp_path, senders=senders, **lock(authority.door(), authority)) as door,
        orthanc(need_tool("Orthanc"), tmp_path, door, tls) as http,
    ):
        assert (await http.post("/modalities/gate/echo")).is_success
        taken = (await http.post("/instances", content=path.read_bytes())).json()
        sent = await http.post("/modalities/gate/store", content=taken["ID"])
        assert sent.is_success, sent.text
        assert_kept(door, path, EXPLICIT)


@pytest.mark.slow  # a whole gate starts, and stops
async def test_a_locked_gate_from_the_command_line(authority: Authority, tmp_path: Path) -> None:
    """It serves, is sent to by `sonogate send --tls`, examined, and given new keys by SIGHUP."""
    door, cart = authority.door(), authority.vouch("cart")
    page = authority.vouch("page", "127.0.0.1")
    config = tmp_path / "gate.toml"
    config.write_text(
        f'data_dir = "{tmp_path / "data"}"\n[listener]\nport = 0\ntls_certificate = '
        f'"{door.certificate}"\ntls_key = "{door.key}"\ntls_client_ca = "{authority.file}"\n'
        f'[http]\nport = 0\ntls_certificate = "{page.certificate}"\ntls_key = "{page.key}"\n'
        f'tls_client_ca = "{authority.file}"\n'
        "[scoring]\nworkers = 1\n[spool]\nmin_free_bytes = 1000000\n",
        "utf-8",
    )
    path = write_object(tmp_path, EXPLICIT)
    sonogate = [sys.executable, "-m", "sonogate"]
    process = await asyncio.create_subprocess_exec(
        *sonogate, "serve", "-c", str(config), stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr
    said: list[str] = []

    def n_lines(event: str) -> int:
        return sum(event in line for line in said)

    async def listen(stderr: asyncio.StreamReader) -> None:
        async for line in stderr:
            said.append(line.decode())  # noqa: PERF401 - one at a time, as they come

    listening = asyncio.create_task(listen(process.stderr))
    try:
        await eventually(lambda: any(line.startswith("ready:") for line in said), 60)
        ready = next(line for line in said if line.startswith("ready:"))
        port = ready.split()[2].rpartition(":")[2]
        url = ready.split()[-1]
        send = [*sonogate, "send", str(path), "--to", f"127.0.0.1:{port}", "--called-ae", "X"]
        tls = ["--tls", "--ca", str(authority.file)]
        shown = ["--cert", str(cart.certificate), "--key", str(cart.key)]

        assert 0 == (await run(*send, *tls, *shown))[0]
        code, without = await run(*send, *tls)
        assert code == 1
        assert "it may want another --cert and --key" in without

        async with httpx.AsyncClient(
            base_url=url, trust_env=False, verify=client(authority, cart)
        ) as http:
            checks = (await http.get("/health/ready")).json()["checks"]
            for each in ("tls", "http_tls"):
                assert "holds until" in checks[each]["detail"]
            for broken in (door, page):
                broken.key.write_text("broken")
            process.send_signal(signal.SIGHUP)
            await eventually(lambda: n_lines("certificates_not_reloaded") == 2)
            checks = (await http.get("/health/ready")).json()["checks"]
            assert not any(checks[each]["ok"] for each in ("tls", "http_tls"))
            # without a signal: the files are looked at
            authority.door(), authority.vouch("page", "127.0.0.1")
            await eventually(lambda: n_lines("certificates_reloaded") == 2, 10)
            assert (await http.get("/health/ready")).json()["checks"]["http_tls"]["ok"]
            assert 0 == (await run(*send, *tls, *shown))[0]
    finally:
        process.terminate()
        await process.wait()
        await listening
    assert not [line for line in said if "PRIVATE" in line or "Traceback" in line]
