"""Who may associate."""

import pytest

from sonogate.domain.identity import AETitle
from sonogate.receive.admission import APPLICATION_CONTEXT, Applicant, Rejection, admit, is_loopback
from sonogate.settings import ListenerSettings


def applicant(
    *,
    calling_ae: str = "CART",
    called_ae: str = "SONOGATE",
    peer_address: str = "127.0.0.1",
    protocol_version: int = 1,
    application_context: str = APPLICATION_CONTEXT,
) -> Applicant:
    """Somebody who asks, admitted by default."""
    return Applicant(
        calling_ae=AETitle(calling_ae),
        called_ae=AETitle(called_ae),
        peer_address=peer_address,
        protocol_version=protocol_version,
        application_context=application_context,
    )


def test_loopback_is_admitted_by_default() -> None:
    """The defaults let this machine in, whatever it calls us."""
    assert admit(applicant(called_ae="ANY"), ListenerSettings(), 0) is None


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7", "", "not an address"])
def test_beyond_loopback_nobody_is_admitted_by_default(address: str) -> None:
    """Without an allow list a sender from outside is not recognized."""
    rejection = admit(applicant(peer_address=address), ListenerSettings(), 0)

    assert Rejection.CALLING_AE_NOT_RECOGNIZED == rejection


def test_the_allow_list_decides_alone() -> None:
    """A listed sender comes from anywhere; an unlisted one is refused even on loopback."""
    settings = ListenerSettings(allowed_calling_aes=("CART",))

    assert admit(applicant(peer_address="192.0.2.7"), settings, 0) is None
    assert Rejection.CALLING_AE_NOT_RECOGNIZED == admit(applicant(calling_ae="X"), settings, 0)


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
    assert rejection == admit(who, ListenerSettings(check_called_ae=True), 0)


def test_the_limit_is_transient() -> None:
    """One association too many is told to come again: (2, 3, 2)."""
    settings = ListenerSettings(max_associations=4)

    assert admit(applicant(), settings, 3) is None
    assert Rejection.LOCAL_LIMIT_EXCEEDED == admit(applicant(), settings, 4)
    assert (2, 3, 2) == Rejection.LOCAL_LIMIT_EXCEEDED.value


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_known_in_every_spelling(address: str) -> None:
    """IPv6 sockets name IPv4 peers in their own way."""
    assert is_loopback(address)
