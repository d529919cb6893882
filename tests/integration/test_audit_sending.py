"""The audit trail on its way to repositories: all of it, in order, at least once."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from sonogate.act.audit import sending
from sonogate.observe.metrics import Metrics
from sonogate.outgoing import make_audit_sender
from sonogate.settings import AuditRepositorySettings, Settings
from sonogate.store.database import Database
from sonogate.store.records import AuditEntry
from sonogate.store.transaction import Transaction
from tests.integration.syslog_server import Rsyslog, small_server
from tests.ports import free_port
from tests.service.receive.door import eventually
from tests.service.receive.keys import Authority

pytestmark = pytest.mark.integration
STUDY = "1.2.3.4"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, and trust a connection early."""
    monkeypatch.setattr(sending, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(sending, "SETTLE_SECONDS", 0.3)


@dataclass
class Trail:
    """A trail that grows, and its way to one repository."""

    database: Database
    metrics: Metrics

    async def grow(self, *actors: str, action: str = "read") -> None:
        """Add entries, each of its own actor."""
        entries = [
            AuditEntry(
                at=datetime.now(UTC), by=each, action=action, study_uid=STUDY, object_id=None,
                body={"address": "192.0.2.7"},
            )
            for each in actors
        ]  # fmt: skip

        def append(tx: Transaction) -> None:
            for entry in entries:
                tx.audit.append(entry)

        await self.database.write(append)

    def count(self, name: str, **labels: str) -> float:
        """Value of one metric of the repository."""
        found = self.metrics.registry.get_sample_value(name, {"repository": "arr", **labels})
        return found or 0.0

    @property
    def n_taken(self) -> float:
        """Messages that count as taken."""
        return self.count("sonogate_audit_sent_total", result="sent")


@asynccontextmanager
async def sending_to(folder: Path, **repository: Any) -> AsyncIterator[Trail]:
    """Run the way to a repository over a folder's database; again is a restart."""
    arr = {"name": "arr", "host": "127.0.0.1", "retry_max_seconds": 1, **repository}
    settings = Settings.model_validate({"data_dir": folder, "audit": {"repositories": [arr]}})
    database, metrics = Database(settings.database_url), Metrics()
    await database.open()
    trail = Trail(database, metrics)
    if not await database.read(lambda tx: tx.audit.all()):
        await trail.grow("too early")
        await trail.grow("operator", action="start")
    loop = asyncio.create_task(make_audit_sender(settings, database, metrics).run())
    try:
        yield trail
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        await database.close()


def actors(lines: list[str]) -> list[str]:
    """Return who did it, message by message, as any reader of syslog and of XML finds it."""
    found = []
    for line in lines:
        head, _, xml = line.partition("\ufeff")
        assert re.fullmatch(r"<85>1 \S+Z \S+ sonogate \d+ DICOM\+RFC3881 - ", head), head
        users = ET.fromstring(xml).findall("ActiveParticipant")  # noqa: S314 - our own
        found += [
            user.attrib["UserID"] for user in users if user.attrib["UserIsRequestor"] == "true"
        ]
    return found


async def test_rsyslog_takes_the_trail_over_tls_across_restarts(
    tmp_path: Path, need_tool: Callable[[str], str]
) -> None:
    """From the gate's start on; a gate that stopped goes on where it was, a server too."""
    authority = Authority(tmp_path)
    mine = authority.vouch("gate")
    rsyslog = Rsyslog(need_tool("rsyslogd"), tmp_path / "rsyslog", authority, free_port())
    tls = {
        "port": rsyslog.port, "tls_ca": authority.file,
        "tls_certificate": mine.certificate, "tls_key": mine.key,
    }  # fmt: skip
    async with sending_to(tmp_path, **tls) as trail:
        await trail.grow("a", "b")
        await eventually(lambda: trail.count("sonogate_audit_sent_total", result="failed") > 0)
        with rsyslog.running():
            await eventually(lambda: trail.n_taken == 3, seconds=20)
            await trail.grow("c")
            await eventually(lambda: trail.n_taken == 4, seconds=20)
        await trail.grow("d")
    with rsyslog.running():
        async with sending_to(tmp_path, **tls) as trail:
            await trail.grow("e")
            await eventually(lambda: trail.n_taken == 2, seconds=20)
            await eventually(lambda: trail.count("sonogate_audit_pending") == 0)
    said = actors(rsyslog.lines)

    assert ["operator", "a", "b", "c", "d", "e"] == list(dict.fromkeys(said))
    assert sorted(said) == said or said[0] == "operator"


async def test_rsyslog_takes_the_trail_over_udp(
    tmp_path: Path, need_tool: Callable[[str], str]
) -> None:
    """A message a datagram; while nobody listens, nothing counts as sent."""
    rsyslog = Rsyslog(need_tool("rsyslogd"), tmp_path / "rsyslog", Authority(tmp_path), free_port())
    async with sending_to(tmp_path, transport="udp", port=rsyslog.port) as trail:
        await eventually(lambda: trail.count("sonogate_audit_sent_total", result="failed") > 0)
        assert trail.n_taken == 0
        with rsyslog.running():
            await trail.grow("a", "b")
            await eventually(lambda: trail.n_taken == 3, seconds=20)
            await eventually(lambda: len(rsyslog.lines) >= 3)

    assert ["operator", "a", "b"] == list(dict.fromkeys(actors(rsyslog.lines)))


async def test_what_a_lost_connection_may_have_lost_is_sent_again(tmp_path: Path) -> None:
    """A server that hangs up after each second message has them all in the end, in order."""
    authority = Authority(tmp_path)
    names = [f"n{number:03}" for number in range(12)]
    async with small_server(authority) as server:
        server.hangs_up_after = 2
        async with sending_to(tmp_path, port=server.port, tls_ca=authority.file) as trail:
            await trail.grow(*names)
            await eventually(lambda: server.n_connections > 2, seconds=20)
            taken_early = trail.n_taken
            server.hangs_up_after = None
            await eventually(lambda: trail.n_taken == 13, seconds=20)

    assert 0 == taken_early
    assert ["operator", *names] == list(dict.fromkeys(actors(server.lines)))


async def test_a_stuck_server_holds_nobody_up_and_is_told(tmp_path: Path) -> None:
    """It reads nothing: the trail goes on growing, the lag shows, nothing counts as taken."""
    authority = Authority(tmp_path)
    long_names = [f"{number}".zfill(200) for number in range(400)]
    async with small_server(authority) as server:
        server.reads = False
        tls = {"port": server.port, "tls_ca": authority.file, "answer_seconds": 1.0}
        async with sending_to(tmp_path, **tls) as trail:
            await trail.grow(*long_names)
            await eventually(lambda: trail.count("sonogate_audit_sent_total", result="failed") > 0)
            await eventually(lambda: trail.count("sonogate_audit_pending") == 401)
            age, n_taken = trail.count("sonogate_audit_oldest_seconds"), trail.n_taken
            server.reads = True
            await eventually(lambda: trail.n_taken == 401, seconds=60)

    assert age > 0
    assert 0 == n_taken
    assert ["operator", *long_names] == list(dict.fromkeys(actors(server.lines)))


async def test_a_stranger_who_answers_is_told_nothing(tmp_path: Path) -> None:
    """Its certificate is of another authority."""
    stranger, ours = Authority(tmp_path, "stranger"), Authority(tmp_path)
    async with (
        small_server(stranger) as server,
        sending_to(tmp_path, port=server.port, tls_ca=ours.file) as trail,
    ):
        await eventually(lambda: trail.count("sonogate_audit_sent_total", result="failed") > 1)

    assert [] == server.lines


def test_each_transport_has_its_port() -> None:
    """As registered, unless told otherwise."""
    ports = [
        AuditRepositorySettings.model_validate({"name": "a", "host": "h", **more}).wire_port
        for more in ({}, {"transport": "udp"}, {"transport": "udp", "port": 5140})
    ]

    assert [6514, 514, 5140] == ports


def test_secrets_are_not_promised_over_udp(tmp_path: Path) -> None:
    """TLS files there are a mistake."""
    with pytest.raises(ValueError, match="nothing is encrypted"):
        AuditRepositorySettings(name="a", host="h", transport="udp", tls_ca=tmp_path / "ca.pem")
