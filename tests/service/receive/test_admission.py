"""Who may associate."""

import pytest

from sonogate.domain.identity import AETitle
from sonogate.observe.metrics import REFUSAL_RULES
from sonogate.receive.admission import (
    APPLICATION_CONTEXT,
    REJECTIONS,
    Applicant,
    Rejection,
    Rule,
    broken_rule,
    is_loopback,
)
from sonogate.receive.certificate import PeerCertificate
from sonogate.settings import ListenerSettings

CERTIFICATE = PeerCertificate(sha256="ab" * 32, names=frozenset({"cart.hospital.example"}))


def applicant(
    *,
    calling_ae: str = "CART",
    called_ae: str = "SONOGATE",
    peer_address: str = "127.0.0.1",
    certificate: PeerCertificate | None = None,
    protocol_version: int = 1,
    application_context: str = APPLICATION_CONTEXT,
) -> Applicant:
    """Somebody who asks, admitted by default."""
    return Applicant(
        calling_ae=AETitle(calling_ae),
        called_ae=AETitle(called_ae),
        peer_address=peer_address,
        certificate=certificate,
        protocol_version=protocol_version,
        application_context=application_context,
    )


def listing(*senders: dict[str, object]) -> ListenerSettings:
    """Settings with these senders; files are named, and never read here."""
    tls = {"tls_certificate": "a.pem", "tls_key": "b.pem", "tls_client_ca": "c.pem"}
    return ListenerSettings.model_validate({"senders": senders, **tls})


def test_loopback_is_admitted_by_default() -> None:
    """The defaults let this machine in, whatever it calls us."""
    assert broken_rule(applicant(called_ae="ANY"), ListenerSettings()) is None


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7", "", "not an address"])
def test_beyond_loopback_nobody_is_admitted_by_default(address: str) -> None:
    """Without listed senders one from outside is not recognized."""
    broken = broken_rule(applicant(peer_address=address), ListenerSettings())

    assert Rule.BEYOND_LOOPBACK == broken
    assert Rejection.CALLING_AE_NOT_RECOGNIZED == REJECTIONS[broken]


def test_the_list_decides_alone() -> None:
    """A listed sender comes from anywhere; an unlisted one is refused even on loopback."""
    settings = listing({"ae_title": "CART"})

    assert broken_rule(applicant(peer_address="192.0.2.7"), settings) is None
    assert Rule.CALLING_AE == broken_rule(applicant(calling_ae="X"), settings)


@pytest.mark.parametrize(
    ("address", "broken"),
    [
        ("192.0.2.17", None),
        ("::ffff:192.0.2.17", None),
        ("198.51.100.9", None),
        ("2001:db8::9%eth0", None),
        ("192.0.2.18", Rule.ADDRESS),
        ("127.0.0.1", Rule.ADDRESS),
        ("", Rule.ADDRESS),
    ],
)
def test_a_listed_sender_comes_from_its_addresses(address: str, broken: Rule | None) -> None:
    """Single addresses and networks, IPv4 in either spelling, IPv6 with its zone."""
    settings = listing(
        {"ae_title": "CART", "addresses": ["192.0.2.17", "198.51.100.0/24", "2001:db8::/64"]}
    )

    assert broken == broken_rule(applicant(peer_address=address), settings)


@pytest.mark.parametrize(
    ("identity", "presented", "broken"),
    [
        ("AB:" * 31 + "AB", CERTIFICATE, None),
        ("ab" * 32, CERTIFICATE, None),
        ("sha256 Fingerprint=" + "AB:" * 31 + "AB", CERTIFICATE, None),
        ("Cart.Hospital.Example", CERTIFICATE, None),
        ("hospital.example", CERTIFICATE, Rule.CERTIFICATE),
        ("cd" * 32, CERTIFICATE, Rule.CERTIFICATE),
        ("ab" * 32, None, Rule.CERTIFICATE),
    ],
)
def test_a_listed_sender_presents_its_certificate(
    identity: str, presented: PeerCertificate | None, broken: Rule | None
) -> None:
    """By fingerprint as openssl prints it or in one piece, or by a name in it, whole."""
    settings = listing({"ae_title": "CART", "certificate": identity})

    assert broken == broken_rule(applicant(certificate=presented), settings)


def test_one_table_must_fit_whole() -> None:
    """The certificate of one table does not go with the address of another."""
    settings = listing(
        {"ae_title": "CART", "addresses": ["192.0.2.1"], "certificate": "ab" * 32},
        {"ae_title": "CART", "addresses": ["192.0.2.2"], "certificate": "cd" * 32},
    )
    from_first = applicant(peer_address="192.0.2.1", certificate=CERTIFICATE)
    from_second = applicant(peer_address="192.0.2.2", certificate=CERTIFICATE)

    assert broken_rule(from_first, settings) is None
    assert Rule.CERTIFICATE == broken_rule(from_second, settings)


@pytest.mark.parametrize(
    ("who", "rejection"),
    [
        (applicant(called_ae="OTHER"), Rejection.CALLED_AE_NOT_RECOGNIZED),
        (applicant(protocol_version=2), Rejection.PROTOCOL_VERSION_NOT_SUPPORTED),
        (applicant(application_context="1.2"), Rejection.APPLICATION_CONTEXT_NOT_SUPPORTED),
    ],
)
def test_each_wrong_claim_has_its_reason(who: Applicant, rejection: Rejection) -> None:
    """The A-ASSOCIATE-RJ says what to correct."""
    broken = broken_rule(who, ListenerSettings(check_called_ae=True))

    assert broken is not None
    assert rejection == REJECTIONS[broken]


def test_every_rule_has_its_rejection_and_its_label() -> None:
    """A new rule is answered in the standard's words and counted from zero."""
    assert set(Rule) == set(REJECTIONS)
    assert tuple(rule.value for rule in Rule) == REFUSAL_RULES


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_known_in_every_spelling(address: str) -> None:
    """IPv6 sockets name IPv4 peers in their own way."""
    assert is_loopback(address)
