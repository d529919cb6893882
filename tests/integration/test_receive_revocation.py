"""A sender whose certificate was revoked stays outside; the list is read anew without a restart."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from sonogate.doctor import certificates
from sonogate.doctor.check import Level
from sonogate.receive.certificate import next_update
from sonogate.settings import ListenerSettings
from tests.integration.test_receive_tls import assert_open_to, client, quietly
from tests.service.receive.door import Door, open_door
from tests.service.receive.keys import Authority, Pair, lock
from tests.service.receive.test_tls_files import complaint
from tests.service.test_doctor import named, settings_with

pytestmark = pytest.mark.integration
DAY = timedelta(days=1)


def revoke(
    authority: Authority, *pairs: Pair, into: Path, next_update_in: timedelta | None = DAY
) -> Path:
    """Write an authority's list with the certificates of these pairs on it."""
    now = datetime.now(UTC)
    key = serialization.load_pem_private_key(authority._ca.private_key_pem.bytes(), None)
    made = x509.load_pem_x509_certificate(authority.file.read_bytes())
    built = x509.CertificateRevocationListBuilder().issuer_name(made.subject)
    built = built.last_update(now - 2 * DAY).next_update(now + (next_update_in or DAY))
    for pair in pairs:
        serial = x509.load_pem_x509_certificate(pair.certificate.read_bytes()).serial_number
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - DAY)
        built = built.add_revoked_certificate(entry.build())
    signed = built.sign(key, hashes.SHA256())  # type: ignore[arg-type]
    into.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return into


async def refusal_of(door: Door, context: ssl.SSLContext) -> str:
    """Knock; return why it came to nothing, or nothing."""
    reasons = ("certificate_revoked", "revocation_unknown", "certificate_not_trusted")
    before = {each: door.count("sonogate_tls_refused_total", reason=each) for each in reasons}
    await asyncio.to_thread(quietly, context, door.port)
    async with asyncio.timeout(10):
        while True:
            for each in reasons:
                if door.count("sonogate_tls_refused_total", reason=each) > before[each]:
                    return each
            await asyncio.sleep(0.01)


async def test_a_revoked_sender_stays_outside(tmp_path: Path) -> None:
    """The other one of the same authority is let in; a new list counts without a restart."""
    authority = Authority(tmp_path)
    lost, kept = authority.vouch("lost"), authority.vouch("kept")
    crl = revoke(authority, lost, into=tmp_path / "crl.pem")
    async with open_door(tmp_path, **lock(authority.door(), authority), tls_client_crl=crl) as door:
        revoked = await refusal_of(door, client(authority, lost))
        await assert_open_to(door, client(authority, kept))
        revoke(authority, lost, kept, into=crl)
        await door.listener.certificates.look()
        later = await refusal_of(door, client(authority, kept))

    assert ("certificate_revoked", "certificate_revoked") == (revoked, later)


async def test_who_can_not_be_looked_up_stays_outside(tmp_path: Path) -> None:
    """An old list, or one of another authority, says nothing of a sender; health tells of it."""
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    cart, crl = authority.vouch("cart"), tmp_path / "crl.pem"
    revoke(other, into=crl)
    async with open_door(tmp_path, **lock(authority.door(), authority), tls_client_crl=crl) as door:
        foreign = await refusal_of(door, client(authority, cart))
        revoke(authority, into=crl, next_update_in=-DAY)
        await door.listener.certificates.look()
        old, health = await refusal_of(door, client(authority, cart)), door.listener.certificates
        told = health.check()
        crl.write_text("no list")
        await health.look()
        kept = health.check()
        revoke(authority, into=crl)
        await health.look()
        await assert_open_to(door, client(authority, cart))

    assert ("revocation_unknown", "revocation_unknown") == (foreign, old)
    assert (False, "the revocation list is out of date: senders are refused") == (
        told.ok,
        told.detail,
    )
    assert "listener.tls_client_crl" in kept.detail


def test_a_file_without_a_list_is_named(tmp_path: Path) -> None:
    """The setting's line, and how to make a PEM of what authorities publish."""
    authority = Authority(tmp_path)
    door = authority.door()
    said = complaint(
        tmp_path,
        tls_certificate=door.certificate,
        tls_key=door.key,
        tls_client_ca=authority.file,
        tls_client_crl=authority.file,
    )

    assert said.startswith(f"{tmp_path / 'gate.toml'}:6: listener.tls_client_crl: ")
    assert "openssl crl" in said


def test_a_list_needs_senders_certificates(tmp_path: Path) -> None:
    """Nobody is asked for one without an authority."""
    with pytest.raises(ValueError, match="set tls_client_ca"):
        ListenerSettings(tls_client_crl=tmp_path / "crl.pem")


def test_the_doctor_tells_of_an_old_list(tmp_path: Path) -> None:
    """Carts are refused by then; before that it says until when."""
    authority, crl = Authority(tmp_path), tmp_path / "crl.pem"
    listener = {"port": 0, **lock(authority.door(), authority), "tls_client_crl": crl}
    found = []
    for days in (1, -1):
        revoke(authority, into=crl, next_update_in=days * DAY)
        checks = certificates.checks(settings_with(tmp_path, listener=listener))
        found.append(named(checks, "revocation list").level)

    assert [Level.OK, Level.FAIL] == found


def test_the_first_of_several_lists_to_end_counts(tmp_path: Path) -> None:
    """One file holds the lists of all authorities."""
    one = revoke(Authority(tmp_path), into=tmp_path / "one", next_update_in=9 * DAY)
    two = revoke(Authority(tmp_path, "b"), into=tmp_path / "two", next_update_in=3 * DAY)
    both = tmp_path / "both"
    both.write_bytes(one.read_bytes() + two.read_bytes())

    assert 2 == (next_update(both) - datetime.now(UTC)).days
