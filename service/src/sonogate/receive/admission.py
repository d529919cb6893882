"""Who may associate, and what to tell those who may not (PS3.8 section 9.3.4).

An AE title is a name tag, not proof of identity; beyond loopback it is paired with the network
around the gate.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv6Address, ip_address

from sonogate.domain.identity import AETitle
from sonogate.settings import ListenerSettings

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
PROTOCOL_VERSION_BIT = 0x0001


class Rejection(Enum):
    """(result, source, reason) of an A-ASSOCIATE-RJ (PS3.8 Table 9-21)."""

    APPLICATION_CONTEXT_NOT_SUPPORTED = (1, 1, 2)
    CALLING_AE_NOT_RECOGNIZED = (1, 1, 3)
    CALLED_AE_NOT_RECOGNIZED = (1, 1, 7)
    PROTOCOL_VERSION_NOT_SUPPORTED = (1, 2, 2)
    LOCAL_LIMIT_EXCEEDED = (2, 3, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicant:
    """What an A-ASSOCIATE-RQ says about its sender."""

    calling_ae: AETitle
    called_ae: AETitle
    peer_address: str  #: IP address, no port
    protocol_version: int  #: bit field; bit 0 is version 1
    application_context: str


def admit(
    applicant: Applicant, settings: ListenerSettings, n_associations: int
) -> Rejection | None:
    """Return why the applicant is rejected, or None if it is admitted.

    Args:
        applicant: Who asks.
        settings: The listener's.
        n_associations: Associations established now, without this one.
    """
    for reason, is_wrong in _CHECKS:
        if is_wrong(applicant, settings):
            return reason
    if n_associations >= settings.max_associations:
        return Rejection.LOCAL_LIMIT_EXCEEDED
    return None


def is_loopback(address: str) -> bool:
    """Whether an IP address, IPv4-mapped ones included, is this machine's own."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped.is_loopback
    return parsed.is_loopback


def _speaks_another_version(applicant: Applicant, _settings: ListenerSettings) -> bool:
    return not applicant.protocol_version & PROTOCOL_VERSION_BIT


def _means_another_application(applicant: Applicant, _settings: ListenerSettings) -> bool:
    return applicant.application_context != APPLICATION_CONTEXT


def _calls_another(applicant: Applicant, settings: ListenerSettings) -> bool:
    return settings.check_called_ae and applicant.called_ae != settings.ae_title.strip()


def _is_unknown(applicant: Applicant, settings: ListenerSettings) -> bool:
    if not settings.allowed_calling_aes:
        return not is_loopback(applicant.peer_address)
    return applicant.calling_ae not in {ae.strip() for ae in settings.allowed_calling_aes}


_CHECKS: tuple[tuple[Rejection, Callable[[Applicant, ListenerSettings], bool]], ...] = (
    (Rejection.PROTOCOL_VERSION_NOT_SUPPORTED, _speaks_another_version),
    (Rejection.APPLICATION_CONTEXT_NOT_SUPPORTED, _means_another_application),
    (Rejection.CALLED_AE_NOT_RECOGNIZED, _calls_another),
    (Rejection.CALLING_AE_NOT_RECOGNIZED, _is_unknown),
)
