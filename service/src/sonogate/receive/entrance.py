"""From an A-ASSOCIATE-RQ to an admitted sender, or the rule that keeps it out; and its leaving."""

from dataclasses import dataclass

from sonogate.domain.identity import AETitle
from sonogate.observe.logs import get_logger
from sonogate.receive.acceptor import Acceptor
from sonogate.receive.admission import Rule, broken_rule
from sonogate.receive.c_store import Sender
from sonogate.receive.negotiation import Acceptance, AssociateRequest, accept

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An admitted sender and what was agreed with it."""

    sender: Sender
    acceptance: Acceptance
    max_peer_pdu_bytes: int


def enter(acceptor: Acceptor, request: AssociateRequest) -> Entry | Rule:
    """Admit a sender and take one of its places, or return the first rule that it breaks.

    Raises:
        ProtocolViolationError: The proposal can't be answered.
    """
    applicant = request.applicant
    broken = broken_rule(applicant, acceptor.settings)
    if broken is not None:
        return broken
    acceptance = accept(request, acceptor.contexts, acceptor.settings.max_pdu_bytes)
    broken = acceptor.quota.open((applicant.calling_ae, applicant.peer_address))
    if broken is not None:
        return broken
    acceptor.metrics.associations.inc()
    sender = Sender(
        calling_ae=applicant.calling_ae,
        called_ae=applicant.called_ae,
        peer_address=applicant.peer_address,
    )
    return Entry(sender=sender, acceptance=acceptance, max_peer_pdu_bytes=request.max_pdu_bytes)


def leave(acceptor: Acceptor, sender: Sender) -> None:
    """Give a sender's place back."""
    acceptor.quota.close((sender.calling_ae, sender.peer_address))
    acceptor.changed.set()
    acceptor.metrics.associations.dec()


def note_end(
    acceptor: Acceptor, calling_ae: AETitle | str, peer_address: str, result: str, reason: str
) -> None:
    """Count and log how an association, or the attempt at one, ended."""
    acceptor.metrics.associations_ended.labels(result).inc()
    if result == "rejected":
        acceptor.on_refused("association_refused", calling_ae, peer_address, reason)
    log.info(
        "association_ended",
        calling_ae=calling_ae,
        peer_address=peer_address,
        result=result,
        reason=reason,
    )
