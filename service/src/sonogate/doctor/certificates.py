"""For whom are our certificates, and until when do they hold?"""

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sonogate.demo.tls import self_trusting_context
from sonogate.doctor.check import Check, fail, ok, warn
from sonogate.errors import SettingFileError
from sonogate.receive.certificate import expires_at, next_update
from sonogate.receive.tls import make_context
from sonogate.receive.tls_files import hardened, load_pair
from sonogate.settings import LOOPBACK_HOSTS, HttpSettings, Settings

SOON = timedelta(days=30)
MAX_NAMES = 5
"""Names told of one certificate."""


def checks(settings: Settings) -> Iterator[Check]:
    """Look at the names of both doors' certificates, and at the end of all others."""
    listener = settings.listener
    if listener.tls_certificate and listener.tls_key and not _is_over(listener.tls_certificate):
        pair = (listener.tls_certificate, listener.tls_key)
        yield _named("certificate's names", "the listener's", pair, (listener.host,))
    if listener.tls_client_crl is not None:
        key = "listener.tls_client_crl"
        yield _list_timed("revocation list", listener.tls_client_crl, key, "senders")
    yield from _of_http(settings.http)
    for destination in settings.forward.destinations:
        key = f"forward.destinations.{destination.name}"
        yield from _of_client(f"destination {destination.name}", key, destination)
    for repository in settings.audit.repositories:
        key = f"audit.repositories.{repository.name}"
        yield from _of_client(f"audit repository {repository.name}", key, repository)
    for server in settings.mpps.forward_to:
        yield from _of_client(
            f"MPPS server {server.name}", f"mpps.forward_to.{server.name}", server
        )


def _of_http(http: HttpSettings) -> Iterator[Check]:
    """Look at the HTTP door's own certificate, and at its clients' revocation lists."""
    if http.tls_certificate and http.tls_key:
        pair = (http.tls_certificate, http.tls_key)
        yield _http_lock(http)
        yield _timed("HTTP certificate", http.tls_certificate, "http.tls_certificate")
        if not _is_over(http.tls_certificate):
            yield _named("HTTP certificate's names", "it", pair, (http.host, *http.allowed_hosts))
    if http.tls_client_crl is not None:
        key = "http.tls_client_crl"
        yield _list_timed("HTTP revocation list", http.tls_client_crl, key, "clients")


def _of_client(whom: str, key: str, peer: Any) -> Iterator[Check]:
    """Look at what we show a peer, and at who vouches for it."""
    for field, what in (("tls_certificate", "our certificate"), ("tls_ca", "its authority")):
        path = getattr(peer, field)
        if path is not None:
            yield _timed(f"{whom}, {what}", path, f"{key}.{field}")


def _timed(name: str, certificate: Path, key: str) -> Check:
    try:
        until = expires_at(certificate)
    except (OSError, ValueError):
        return fail(name, f"{certificate} is no certificate", f"give a PEM file as {key}")
    return end_check(name, key, until, datetime.now(UTC))


def _http_lock(http: HttpSettings) -> Check:
    try:
        make_context(http, "http")
    except SettingFileError as error:
        return fail("HTTP TLS", str(error), "the gate does not start until this is right")
    asks = "asks" if http.tls_client_ca else "does not ask"
    return ok("HTTP TLS", f"the door is locked, and {asks} clients for a certificate")


def _list_timed(name: str, lists: Path, key: str, peers: str) -> Check:
    try:
        until = next_update(lists)
    except (OSError, ValueError):
        return fail(name, f"{lists} holds none", f"give a PEM file as {key}")
    if until - datetime.now(UTC) > timedelta(0):
        return ok(name, f"the oldest is good until {until:%Y-%m-%d %H:%M} UTC")
    return fail(
        name,
        f"out of date since {until:%Y-%m-%d %H:%M} UTC: its authority's {peers} are refused",
        f"fetch it anew into {key}, well before it ends; no restart is needed",
    )


def end_check(name: str, key: str, until: datetime, now: datetime) -> Check:
    """Judge when a certificate ends."""
    remedy = f"put a new one in place of {key}"
    if until <= now:
        return fail(name, f"expired on {until:%Y-%m-%d}: it is not accepted any more", remedy)
    if until - now < SOON:
        return warn(name, f"expires on {until:%Y-%m-%d}, in {(until - now).days} days", remedy)
    return ok(name, f"holds until {until:%Y-%m-%d}")


def _named(name: str, whose: str, pair: tuple[Path, Path], called: tuple[str, ...]) -> Check:
    try:
        names = names_of(*pair)
    except (SettingFileError, OSError) as error:
        return fail(name, f"not to be told: {error}", "see the line above")
    hosts = {host for host in called if host not in {"0.0.0.0", "::"}}  # noqa: S104 - compared
    if hosts <= LOOPBACK_HOSTS:
        hosts |= {socket.gethostname(), socket.getfqdn()}
    return names_check(name, whose, names, hosts)


def names_check(name: str, whose: str, names: frozenset[str], hosts: set[str]) -> Check:
    """Judge whether a certificate names the machine by any name it is called by.

    Args:
        name: of the line.
        whose: certificate it is, in plain words.
        names: in it.
        hosts: names and addresses by which the machine is called, as far as we know.
    """
    some = ", ".join(sorted(names)[:MAX_NAMES]) or "nobody"
    if any(_fits(each, host.lower()) for each in names for host in hosts):
        return ok(name, f"{whose} is for {some}")
    called = " or ".join(sorted(hosts))
    return warn(
        name,
        f"{whose} is for {some}, and this machine is called {called}: who checks names hangs up",
        "make one with the name or address that others call, or let them call a name in it",
    )


def _fits(name: str, host: str) -> bool:
    """Whether a name in a certificate is a host's; `*` stands for its first part."""
    if name.startswith("*."):
        return host.partition(".")[2] == name[2:]
    return name == host


def names_of(certificate: Path, key: Path) -> frozenset[str]:
    """Return the DNS names and addresses in a certificate, lower case, as a client sees them.

    Raises:
        SettingFileError: They are no pair.
        OSError: They can't be used, or are out of time.
    """
    server = hardened(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    load_pair(server, certificate, key)
    here, there = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = self_trusting_context(certificate)
    ends = (client.wrap_bio(here, there), server.wrap_bio(there, here, server_side=True))
    for _round in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    said: Any = ends[0].getpeercert() or {}
    names = [text for kind, text in said.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
    return frozenset(name.lower() for name in names)


def _is_over(certificate: Path) -> bool:
    try:
        return expires_at(certificate) <= datetime.now(UTC)
    except (OSError, ValueError):
        return False  # told by others
