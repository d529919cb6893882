"""From an A-ASSOCIATE-RQ to an admitted sender, or the rule that keeps it out; and its leaving."""

from collections.abc import Callable
from dataclasses import dataclass

from sonogate.domain.identity import AETitle
from sonogate.observe.logs import get_logger
from sonogate.receive.acceptor import Acceptor
from sonogate.receive.admission import Rule, broken_rule
from sonogate.receive.c_store import Sender
from sonogate.receive.negotiation import Acceptance, AssociateRequest, accept
from sonogate.receive.porter import Counted

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An admitted sender and what was agreed with it."""

    sender: Sender
    acceptance: Acceptance
    max_peer_pdu_bytes: int


def enter(
    acceptor: Acceptor, request: AssociateRequest, then: Callable[[Entry | Rule], None]
) -> None:
    """Admit a sender and take one of its places; `then` gets the entry, or the rule it breaks.

    Whoever is told of an entry gives it back by `leave`.

    Raises:
        ProtocolViolationError: The proposal can't be answered.
    """
    applicant = request.applicant
    broken = broken_rule(applicant, acceptor.settings)
    if broken is not None:
        then(broken)
        return
    acceptance = accept(request, acceptor.contexts, acceptor.settings.max_pdu_bytes)
    sender = Sender(
        calling_ae=applicant.calling_ae,
        called_ae=applicant.called_ae,
        peer_address=applicant.peer_address,
    )
    entry = Entry(sender=sender, acceptance=acceptance, max_peer_pdu_bytes=request.max_pdu_bytes)
    acceptor.porter.admit(
        (applicant.calling_ae, applicant.peer_address), lambda broken: then(broken or entry)
    )


def leave(acceptor: Acceptor, sender: Sender) -> None:
    """Give a sender's place back."""
    acceptor.porter.see_off((sender.calling_ae, sender.peer_address))
    acceptor.changed.set()


def note_end(
    acceptor: Acceptor, calling_ae: AETitle | str, peer_address: str, result: str, reason: str
) -> None:
    """Count and log how an association, or the attempt at one, ended."""
    acceptor.porter.count(Counted.ASSOCIATION_ENDED, result)
    if result == "rejected":
        acceptor.porter.refused("association_refused", calling_ae, peer_address, reason)
    log.info(
        "association_ended",
        calling_ae=calling_ae,
        peer_address=peer_address,
        result=result,
        reason=reason,
    )
