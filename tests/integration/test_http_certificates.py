"""The HTTP door's certificates: asked for, revoked, and taken anew while the gate runs."""

import asyncio
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from sonogate.api.server import serving_http
from sonogate.doctor import certificates as doctor
from sonogate.doctor import doors
from sonogate.doctor.check import Level
from sonogate.errors import SettingsError
from sonogate.receive.certificates import Certificates
from sonogate.receive.tls import check_files
from sonogate.settings import HttpSettings
from sonogate.settings.loading import load_checked
from tests.integration.test_receive_revocation import DAY, revoke
from tests.integration.test_receive_tls import client
from tests.service.api.conftest import Door
from tests.service.receive.keys import Authority, Pair, lock
from tests.service.test_doctor import named, settings_with

pytestmark = pytest.mark.integration
HEAD = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@dataclass(frozen=True)
class Locked:
    """A served door."""

    port: int
    certificates: Certificates
    door: Door

    async def status(self, context: ssl.SSLContext) -> int:
        """Ask whether it lives, on a connection of its own."""
        async with httpx.AsyncClient(verify=context, trust_env=False) as one:
            return (await one.get(f"https://127.0.0.1:{self.port}/health/live")).status_code

    async def refusal(self, context: ssl.SSLContext) -> str:
        """Knock in vain; return why it came to nothing."""
        before = self.refusals()
        with pytest.raises((httpx.TransportError, ssl.SSLError)):
            await self.status(context)
        async with asyncio.timeout(10):
            while True:
                if new := [why for why, n in self.refusals().items() if n > before.get(why, 0)]:
                    return new[0]
                await asyncio.sleep(0.01)

    def refusals(self) -> dict[str, float]:
        """Return how often each was counted."""
        (family,) = self.door.metrics.http_tls_refused.collect()
        samples = [each for each in family.samples if each.name.endswith("_total")]
        return {each.labels["reason"]: each.value for each in samples}


@asynccontextmanager
async def locked_door(folder: Path, **settings: Any) -> AsyncIterator[Locked]:
    """Serve HTTPS with these settings for the time of the block."""
    door = Door(upload_dir=folder, settings=HttpSettings(port=0, **settings))
    certificates = Certificates(door.settings, "http", "clients")
    async with serving_http(door.ports, door.settings, certificates) as port:
        yield Locked(port, certificates, door)


def put_in_place(new: Pair, old: Pair) -> None:
    """Replace a certificate and its key, as a renewal does."""
    new.certificate.replace(old.certificate)
    new.key.replace(old.key)


async def test_a_client_needs_a_certificate_of_the_authority(tmp_path: Path) -> None:
    """With one it is served; without, or with a stranger's, it never comes as far as HTTP."""
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    person, stranger = authority.vouch("person"), other.vouch("stranger")
    async with locked_door(tmp_path, **lock(authority.door(), authority)) as served:
        assert 200 == await served.status(client(authority, person))
        refused = [
            await served.refusal(client(authority)),
            await served.refusal(client(authority, stranger)),
        ]

    assert ["no_certificate", "certificate_not_trusted"] == refused


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_new_authority_takes_the_old_ones_place(
    tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """Whom the old one vouched for is refused from then on; what it held open goes on."""
    old, new, servers = (Authority(tmp_path, name) for name in ("old", "new", "servers"))
    before, after = (client(servers, of.vouch(of.name)) for of in (old, new))
    for each in (before, after):
        each.maximum_version = version
    async with locked_door(tmp_path, **lock(servers.door(), old)) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port, ssl=before)
        first = await served.refusal(after)
        new.file.replace(old.file)
        await served.certificates.look()
        statuses, second = [await served.status(after)], await served.refusal(before)
        writer.write(HEAD)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)
        writer.close()

    assert ("certificate_not_trusted", "certificate_not_trusted") == (first, second)
    assert ([200], b"HTTP/1.1 200 OK\r\n") == (statuses, head)


async def test_the_containers_health_check_shows_a_certificate(tmp_path: Path) -> None:
    """One file of certificate and key; without it the container would count as unhealthy."""
    authority, both = Authority(tmp_path), tmp_path / "both.pem"
    probe = authority.vouch("probe")
    both.write_bytes(probe.key.read_bytes() + probe.certificate.read_bytes())
    codes = []
    async with locked_door(tmp_path, **lock(authority.door(), authority)) as served:
        url = {"GATE_HEALTH_URL": f"https://127.0.0.1:{served.port}/health/live"}
        for environment in (url, url | {"GATE_HEALTH_CERTIFICATE": str(both)}):
            codes.append(await asyncio.to_thread(code_of_health_check, environment))  # noqa: PERF401

    assert [1, 0] == codes


def code_of_health_check(environment: dict[str, str]) -> int:
    """Run the script of the image as the image runs it."""
    script = Path(__file__).parents[2] / "docker" / "healthcheck.py"
    command = [sys.executable, "-I", str(script)]
    return subprocess.run(
        command, env=environment, capture_output=True, timeout=20, check=False
    ).returncode


async def test_a_new_certificate_is_shown_to_new_connections(tmp_path: Path) -> None:
    """`openssl s_client` sees the new one; a broken one after it changes nothing and is told."""
    authority = Authority(tmp_path)
    door = authority.door()
    async with locked_door(tmp_path, **lock(door)) as served:
        shown = [await asyncio.to_thread(subject_shown, served.port)]
        put_in_place(authority.vouch("renewed", "127.0.0.1"), door)
        await served.certificates.look()
        shown.append(await asyncio.to_thread(subject_shown, served.port))
        door.key.write_text("no key")
        await served.certificates.look()
        shown.append(await asyncio.to_thread(subject_shown, served.port))
        health = served.certificates.check()

    assert ["door", "renewed", "renewed"] == shown
    assert (False, False) == (health.ok, health.required)
    assert health.detail.startswith("old certificate in use: http.tls_key: ")


def subject_shown(port: int) -> str:
    """Return the common name that OpenSSL's client is shown."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}"]
    said = subprocess.run(
        command, input=b"", capture_output=True, timeout=20, check=False
    ).stdout.decode()
    (subject,) = [line for line in said.splitlines() if line.startswith("subject=")]
    return subject.rpartition("=")[2].strip()


async def test_a_revoked_client_stays_outside(tmp_path: Path) -> None:
    """A new list counts without a restart, in both directions; without one nobody is let in."""
    authority = Authority(tmp_path)
    lost, kept = authority.vouch("lost"), authority.vouch("kept")
    crl = revoke(authority, lost, into=tmp_path / "crl.pem")
    locks = {**lock(authority.door(), authority), "tls_client_crl": crl}
    async with locked_door(tmp_path, **locks) as served:
        refused = [await served.refusal(client(authority, lost))]
        served_one = await served.status(client(authority, kept))
        revoke(authority, kept, into=crl)
        await served.certificates.look()
        refused.append(await served.refusal(client(authority, kept)))
        served_other = await served.status(client(authority, lost))
        revoke(authority, into=crl, next_update_in=-DAY)
        await served.certificates.look()
        refused.append(await served.refusal(client(authority, lost)))
        told = served.certificates.check()

    assert ["certificate_revoked", "certificate_revoked", "revocation_unknown"] == refused
    assert (200, 200) == (served_one, served_other)
    assert "the revocation list is out of date: clients are refused" == told.detail


async def test_what_never_shakes_hands_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A silent connection and plain HTTP; the others are served meanwhile, and it stops at once."""
    monkeypatch.setattr("sonogate.api.doorway.HANDSHAKE_SECONDS", 0.3)
    authority = Authority(tmp_path)
    async with locked_door(tmp_path, **lock(authority.door())) as served:
        silent = await asyncio.open_connection("127.0.0.1", served.port)
        plain = await asyncio.open_connection("127.0.0.1", served.port)
        plain[1].write(HEAD)
        await asyncio.wait_for(plain[0].read(), 5)
        assert 200 == await served.status(client(authority))
        await asyncio.wait_for(silent[0].read(), 5)
        told = {why: n for why, n in served.refusals().items() if n}
        monkeypatch.setattr("sonogate.api.doorway.HANDSHAKE_SECONDS", 60)
        late = await asyncio.open_connection("127.0.0.1", served.port)
        await asyncio.sleep(0.05)
        began = asyncio.get_running_loop().time()
    took = asyncio.get_running_loop().time() - began
    for _reader, writer in (silent, plain, late):
        writer.close()

    assert {"not_tls": 1.0, "timed_out": 1.0} == told
    assert took < 2


@pytest.mark.parametrize(
    ("key", "line"), [("tls_key", 4), ("tls_client_ca", 5), ("tls_client_crl", 6)]
)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, key: str, line: int) -> None:
    """As at the DICOM door; nothing starts with it."""
    authority = Authority(tmp_path)
    files = {**lock(authority.door(), authority), "tls_client_crl": tmp_path / "crl.pem"}
    revoke(authority, into=files["tls_client_crl"])
    files[key].write_text("nothing")
    config = tmp_path / "gate.toml"
    lines = [f'{name} = "{path}"' for name, path in files.items()]
    config.write_text("\n".join(["# a door", "[http]", *lines, ""]), "utf-8")
    with pytest.raises(SettingsError) as caught:
        load_checked(config, check_files)

    assert str(caught.value).startswith(f"{config}:{line}: http.{key}: ")


def test_a_list_needs_clients_certificates(tmp_path: Path) -> None:
    """And those need TLS."""
    with pytest.raises(ValueError, match="set tls_client_ca"):
        HttpSettings(tls_client_crl=tmp_path / "crl.pem")
    with pytest.raises(ValueError, match="set tls_certificate and tls_key as well"):
        HttpSettings(tls_client_ca=tmp_path / "ca.pem")


def test_the_doctor_looks_at_the_http_doors_files(tmp_path: Path) -> None:
    """An old list refuses clients; a key of another keeps the gate from starting."""
    authority, crl = Authority(tmp_path), tmp_path / "crl.pem"
    http = {"port": 0, **lock(authority.door(), authority), "tls_client_crl": crl}
    levels = []
    for ends_in in (DAY, -DAY):
        revoke(authority, into=crl, next_update_in=ends_in)
        checks = doctor.checks(settings_with(tmp_path, http=http))
        levels.append(named(checks, "HTTP revocation list").level)
    fits = named(doctor.checks(settings_with(tmp_path, http=http)), "HTTP TLS")
    http["tls_key"] = authority.vouch("other").key
    broken = named(doctor.checks(settings_with(tmp_path, http=http)), "HTTP TLS")

    assert [Level.OK, Level.FAIL] == levels
    assert (Level.OK, Level.FAIL) == (fits.level, broken.level)
    assert "asks clients for a certificate" in fits.said
    assert "http.tls_key" in broken.said


async def test_the_doctor_knows_our_gate_without_a_certificate_of_its_own(tmp_path: Path) -> None:
    """By what the port shows: the doctor has no client certificate to be let in with."""
    authority = Authority(tmp_path)
    locks = lock(authority.door(), authority)
    async with locked_door(tmp_path, **locks) as served:
        ours = settings_with(tmp_path, http={"port": served.port, **locks})
        theirs = settings_with(
            tmp_path, http={"port": served.port, **lock(authority.vouch("a", "b"), authority)}
        )
        found = [
            named(iter(await asyncio.to_thread(list, doors.checks(each))), "HTTP port").level
            for each in (ours, theirs)
        ]

    assert [Level.OK, Level.FAIL] == found
