"""Who may associate, and what to tell those who may not (PS3.8 section 9.3.4).

An AE title is a name tag, not proof of identity: a sender may be tied to addresses and to a TLS
client certificate as well. How often and how many at once is `quota`'s.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address

from sonogate.domain.identity import AETitle
from sonogate.receive.certificate import PeerCertificate
from sonogate.settings import ListenerSettings, SenderSettings

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
PROTOCOL_VERSION_BIT = 0x0001


class Rejection(Enum):
    """(result, source, reason) of an A-ASSOCIATE-RJ (PS3.8 Table 9-21)."""

    APPLICATION_CONTEXT_NOT_SUPPORTED = (1, 1, 2)
    CALLING_AE_NOT_RECOGNIZED = (1, 1, 3)
    CALLED_AE_NOT_RECOGNIZED = (1, 1, 7)
    PROTOCOL_VERSION_NOT_SUPPORTED = (1, 2, 2)
    TEMPORARY_CONGESTION = (2, 3, 1)
    LOCAL_LIMIT_EXCEEDED = (2, 3, 2)


class Rule(Enum):
    """The rule that an applicant broke; the label in logs and metrics."""

    PROTOCOL_VERSION = "protocol_version"
    APPLICATION_CONTEXT = "application_context"
    CALLED_AE = "called_ae"
    BEYOND_LOOPBACK = "beyond_loopback"  #: nobody is listed, and it comes from another machine
    CALLING_AE = "calling_ae"  #: it is not listed
    ADDRESS = "address"  #: it is listed, but sends from elsewhere
    CERTIFICATE = "certificate"  #: it is listed, but with another certificate
    ASSOCIATIONS = "associations"  #: all places are taken
    SENDER_ASSOCIATIONS = "sender_associations"  #: this sender has too many open
    SENDER_RATE = "sender_rate"  #: this sender opens too many a minute


REJECTIONS: Mapping[Rule, Rejection] = {
    Rule.PROTOCOL_VERSION: Rejection.PROTOCOL_VERSION_NOT_SUPPORTED,
    Rule.APPLICATION_CONTEXT: Rejection.APPLICATION_CONTEXT_NOT_SUPPORTED,
    Rule.CALLED_AE: Rejection.CALLED_AE_NOT_RECOGNIZED,
    Rule.BEYOND_LOOPBACK: Rejection.CALLING_AE_NOT_RECOGNIZED,
    Rule.CALLING_AE: Rejection.CALLING_AE_NOT_RECOGNIZED,
    Rule.ADDRESS: Rejection.CALLING_AE_NOT_RECOGNIZED,
    Rule.CERTIFICATE: Rejection.CALLING_AE_NOT_RECOGNIZED,
    Rule.ASSOCIATIONS: Rejection.LOCAL_LIMIT_EXCEEDED,
    Rule.SENDER_ASSOCIATIONS: Rejection.LOCAL_LIMIT_EXCEEDED,
    Rule.SENDER_RATE: Rejection.TEMPORARY_CONGESTION,
}
"""What the peer is told; which of the four rules on identity it broke stays with us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicant:
    """What an A-ASSOCIATE-RQ and its connection say about its sender."""

    calling_ae: AETitle
    called_ae: AETitle
    peer_address: str  #: IP address, no port
    certificate: PeerCertificate | None = None
    protocol_version: int  #: bit field; bit 0 is version 1
    application_context: str


def broken_rule(applicant: Applicant, settings: ListenerSettings) -> Rule | None:
    """Return the first rule that the applicant breaks, or None if it may associate."""
    for rule, is_broken in _CHECKS:
        if is_broken(applicant, settings):
            return rule
    return _broken_by_sender(applicant, settings) if settings.senders else None


def is_loopback(address: str) -> bool:
    """Whether an IP address, IPv4-mapped ones included, is this machine's own."""
    parsed = to_address(address)
    return parsed is not None and parsed.is_loopback


def to_address(text: str) -> IPv4Address | IPv6Address | None:
    """Read the address of a socket; an IPv4 peer of an IPv6 socket is an IPv4 peer."""
    try:
        parsed = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


def _broken_by_sender(applicant: Applicant, settings: ListenerSettings) -> Rule | None:
    """Find the table that fits whole; else say how far the nearest fits."""
    named = [each for each in settings.senders if each.ae_title.strip() == applicant.calling_ae]
    if not named:
        return Rule.CALLING_AE
    placed = [each for each in named if _sends_from(each, applicant.peer_address)]
    if not placed:
        return Rule.ADDRESS
    if not any(_presents(each, applicant.certificate) for each in placed):
        return Rule.CERTIFICATE
    return None


def _sends_from(sender: SenderSettings, peer_address: str) -> bool:
    if not sender.addresses:
        return True
    address = to_address(peer_address)
    return address is not None and any(address in network for network in sender.addresses)


def _presents(sender: SenderSettings, certificate: PeerCertificate | None) -> bool:
    if sender.certificate is None:
        return True
    return certificate is not None and certificate.is_named(sender.certificate)


def _speaks_another_version(applicant: Applicant, _settings: ListenerSettings) -> bool:
    return not applicant.protocol_version & PROTOCOL_VERSION_BIT


def _means_another_application(applicant: Applicant, _settings: ListenerSettings) -> bool:
    return applicant.application_context != APPLICATION_CONTEXT


def _calls_another(applicant: Applicant, settings: ListenerSettings) -> bool:
    return settings.check_called_ae and applicant.called_ae != settings.ae_title.strip()


def _comes_from_outside(applicant: Applicant, settings: ListenerSettings) -> bool:
    return not settings.senders and not is_loopback(applicant.peer_address)


_CHECKS: tuple[tuple[Rule, Callable[[Applicant, ListenerSettings], bool]], ...] = (
    (Rule.PROTOCOL_VERSION, _speaks_another_version),
    (Rule.APPLICATION_CONTEXT, _means_another_application),
    (Rule.CALLED_AE, _calls_another),
    (Rule.BEYOND_LOOPBACK, _comes_from_outside),
)
