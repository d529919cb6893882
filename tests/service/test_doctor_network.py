"""What the doctor says of certificates, MPPS servers and those who await commitment reports."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sonogate.doctor import certificates, network
from sonogate.doctor.check import Level
from tests.integration.syslog_server import small_server
from tests.integration.test_mpps_forward import Ris, running
from tests.integration.ward import Heard, awaiting_reports
from tests.ports import free_port
from tests.service.receive.keys import Authority
from tests.service.receive.keys import lock as locked
from tests.service.test_doctor import named, settings_with

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def server(port: int, **more: object) -> dict[str, object]:
    """The settings of an MPPS server on this machine."""
    ris = {"name": "ris", "host": "127.0.0.1", "port": port, "ae_title": "RIS", **more}
    return {"forward_to": [ris]}


def test_an_mpps_server_that_takes_steps_is_told(tmp_path: Path) -> None:
    """It is asked for the very service, under our own name."""
    with running(Ris()) as port:
        check = named(network.checks(settings_with(tmp_path, mpps=server(port))), "MPPS server ris")

    assert (Level.OK, "it takes exam steps") == (check.level, check.said)


def test_an_mpps_server_that_does_not_is_told_with_what_to_do(tmp_path: Path) -> None:
    """One that is down, and one that answers but knows no exam steps."""
    down = named(
        network.checks(settings_with(tmp_path, mpps=server(free_port()))), "MPPS server ris"
    )
    with awaiting_reports(Heard()) as port:
        other = named(network.checks(settings_with(tmp_path, mpps=server(port))), "MPPS server ris")

    assert (Level.WARN, Level.WARN) == (down.level, other.level)
    assert "nothing answers there" in down.said
    assert "does not take this service" in other.said
    assert "admits SONOGATE" in other.remedy


def test_who_awaits_commitment_reports_is_called(tmp_path: Path) -> None:
    """At its one address; a sender that may come from many is not called."""
    with awaiting_reports(Heard()) as port:
        senders = [
            {"ae_title": "CART", "addresses": ["127.0.0.1"], "port": port},
            {"ae_title": "DEAF", "addresses": ["127.0.0.1"], "port": free_port()},
            {"ae_title": "MANY", "addresses": ["192.0.2.0/24"], "port": port},
        ]
        listener = {"port": 0, "senders": senders}
        checks = list(network.checks(settings_with(tmp_path, listener=listener)))

    assert [
        ("commitment reports to CART", Level.OK),
        ("commitment reports to DEAF", Level.WARN),
    ] == [(check.name, check.level) for check in checks]


async def test_an_audit_repository_is_shaken_hands_with(tmp_path: Path) -> None:
    """One that answers, a stranger, one that is down; UDP can't be asked."""
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    async with small_server(authority) as server:
        ways = [
            {"port": server.port, "tls_ca": authority.file},
            {"port": server.port, "tls_ca": stranger.file},
            {"port": free_port(), "tls_ca": authority.file},
            {"port": server.port, "transport": "udp"},
        ]
        audit = {
            "repositories": [
                {"name": f"r{n}", "host": "127.0.0.1", **way} for n, way in enumerate(ways)
            ]
        }
        settings = settings_with(tmp_path, audit=audit)
        checks = await asyncio.to_thread(lambda: list(network.checks(settings)))

    assert [Level.OK, Level.WARN, Level.WARN, Level.WARN] == [check.level for check in checks]
    assert "not trusted" in checks[1].said
    assert "nothing answers there" in checks[2].said


def test_the_names_in_a_certificate_are_told(tmp_path: Path) -> None:
    """As a client sees them."""
    good = Authority(tmp_path).vouch("gate", "gate.hospital.example", "192.0.2.7")

    assert {"gate.hospital.example", "192.0.2.7"} == certificates.names_of(
        good.certificate, good.key
    )


@pytest.mark.parametrize(
    ("names", "level"),
    [
        ({"gate.hospital.example"}, Level.OK),
        ({"*.hospital.example"}, Level.OK),
        ({"*.example"}, Level.WARN),
        ({"other.hospital.example"}, Level.WARN),
        (set(), Level.WARN),
    ],
)
def test_a_certificate_for_another_machine_is_told(names: set[str], level: Level) -> None:
    """Who checks names hangs up; the remedy says both ways out."""
    check = certificates.names_check("n", "it", frozenset(names), {"Gate.hospital.example"})

    assert level == check.level


def test_every_certificate_of_the_settings_is_looked_at(tmp_path: Path) -> None:
    """The HTTP door's, what we show others, and who vouches for them."""
    authority = Authority(tmp_path)
    door, soon = authority.door(), authority.vouch("soon", for_days=10)
    over = authority.vouch("over", for_days=-1)
    pair = {"tls_certificate": soon.certificate, "tls_key": soon.key, "tls_ca": authority.file}
    settings = settings_with(
        tmp_path,
        listener={"port": 0, **locked(door)},
        http={"port": 0, "tls_certificate": over.certificate, "tls_key": over.key},
        mpps=server(free_port(), **pair),
    )

    found = {check.name: check.level for check in certificates.checks(settings)}

    assert {
        "certificate's names": Level.OK,
        "HTTP TLS": Level.OK,
        "HTTP certificate": Level.FAIL,
        "MPPS server ris, our certificate": Level.WARN,
        "MPPS server ris, its authority": Level.OK,
    } == found


def test_the_end_of_a_certificate_is_told_a_month_before() -> None:
    """And with the setting that names it."""
    check = certificates.end_check("n", "http.tls_certificate", NOW + timedelta(days=3), NOW)

    assert (Level.WARN, "expires on 2026-11-25, in 3 days") == (check.level, check.said)
    assert "http.tls_certificate" in check.remedy
