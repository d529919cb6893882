"""Answer an A-ASSOCIATE-RQ (PS3.7 Annex D, PS3.8 section 9.3) with pynetdicom's PDU items."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final

from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)
from pynetdicom.presentation import PresentationContext

from sonogate.domain.identity import AETitle
from sonogate.receive.admission import Applicant, Rejection
from sonogate.receive.c_store import AcceptedContext
from sonogate.receive.certificate import PeerCertificate
from sonogate.receive.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from sonogate.receive.upper_layer import AbortReason, ProtocolViolationError

_PDU_HEADER = b"\x01\x00"
REMEMBERED: Final = 16
"""Proposals whose meaning is kept. A cart proposes the same, byte by byte, as often as it comes,
some for every image; reading 128 contexts holds up all other carts for 6 ms."""


class ContextResult(IntEnum):
    """What became of a proposed presentation context (PS3.8 Table 9-18)."""

    ACCEPTANCE = 0
    ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
    TRANSFER_SYNTAXES_NOT_SUPPORTED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateRequest:
    """A decoded A-ASSOCIATE-RQ."""

    applicant: Applicant
    primitive: A_ASSOCIATE
    max_pdu_bytes: int  #: largest P-DATA-TF the peer takes; 0 is any


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """An association as agreed."""

    pdu: bytes  #: the A-ASSOCIATE-AC
    contexts: Mapping[int, AcceptedContext]  #: by presentation context id


def read_associate_rq(
    body: bytes, peer_address: str, certificate: PeerCertificate | None = None
) -> AssociateRequest:
    """Decode an A-ASSOCIATE-RQ.

    Args:
        body: The PDU without its 6-byte header.
        peer_address: IP address of the requestor.
        certificate: What it presented over TLS.

    Raises:
        ProtocolViolationError: It can't be decoded.
    """
    with _hostile_bytes():
        primitive, protocol_version = _decoded(body)
        applicant = Applicant(
            calling_ae=AETitle(primitive.calling_ae_title.strip()),
            called_ae=AETitle(primitive.called_ae_title.strip()),
            peer_address=peer_address,
            certificate=certificate,
            protocol_version=protocol_version,
            application_context=str(primitive.application_context_name or ""),
        )
        max_pdu_bytes = primitive.maximum_length_received or 0
    return AssociateRequest(applicant=applicant, primitive=primitive, max_pdu_bytes=max_pdu_bytes)


@lru_cache(REMEMBERED)
def _decoded(body: bytes) -> tuple[A_ASSOCIATE, int]:
    """Return the proposal, which nobody may change, and the protocol version it speaks."""
    pdu = A_ASSOCIATE_RQ()
    pdu.decode(_PDU_HEADER + len(body).to_bytes(4, "big") + body)
    return pdu.to_primitive(), pdu.protocol_version


def accept(
    request: AssociateRequest, supported: Mapping[str, Container[str]], max_pdu_bytes: int
) -> Acceptance:
    """Negotiate the presentation contexts and write the A-ASSOCIATE-AC.

    Args:
        request: What the peer proposed.
        supported: The transfer syntaxes we accept, by abstract syntax.
        max_pdu_bytes: Largest P-DATA-TF we take.

    Raises:
        ProtocolViolationError: The proposal can't be answered.
    """
    proposed = request.primitive.presentation_context_definition_list
    with _hostile_bytes():
        results = [_result_of(context, supported) for context in proposed]
        pdu = _associate_ac(request.primitive, results, max_pdu_bytes)
    return Acceptance(
        pdu=pdu,
        contexts={
            context.context_id: AcceptedContext(
                abstract_syntax=str(context.abstract_syntax),
                transfer_syntax=str(context.transfer_syntax[0]),
            )
            for context in results
            if context.result == ContextResult.ACCEPTANCE
        },
    )


def _result_of(
    proposed: PresentationContext, supported: Mapping[str, Container[str]]
) -> PresentationContext:
    """Take the sender's first syntax that we take: nothing is converted for our sake."""
    result = copy(proposed)
    syntaxes = supported.get(str(proposed.abstract_syntax))
    taken = [uid for uid in proposed.transfer_syntax if syntaxes and str(uid) in syntaxes]
    result.transfer_syntax = (taken or proposed.transfer_syntax)[:1]
    if syntaxes is None:
        result.result = ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED
    elif taken:
        result.result = ContextResult.ACCEPTANCE
    else:
        result.result = ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED
    return result


def reject(rejection: Rejection) -> bytes:
    """Write an A-ASSOCIATE-RJ."""
    primitive = A_ASSOCIATE()
    primitive.result, primitive.result_source, primitive.diagnostic = rejection.value
    return bytes(A_ASSOCIATE_RJ(primitive).encode())


@contextmanager
def _hostile_bytes() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # pynetdicom's codec raises anything on hostile bytes: struct, index, key and value errors.
        raise ProtocolViolationError(
            AbortReason.INVALID_PARAMETER, f"A-ASSOCIATE-RQ: {type(error).__name__}"
        ) from error


def _associate_ac(
    request: A_ASSOCIATE, results: Sequence[PresentationContext], max_pdu_bytes: int
) -> bytes:
    primitive = A_ASSOCIATE()
    primitive.application_context_name = request.application_context_name
    primitive.calling_ae_title = request.calling_ae_title
    primitive.called_ae_title = request.called_ae_title
    primitive.result = 0
    primitive.result_source = 1
    primitive.presentation_context_definition_results_list = list(results)
    primitive.user_information = [
        *_own_user_information(max_pdu_bytes),
        *_declined_window(request.user_information),
        *_roles(request.user_information, results),
    ]
    return bytes(A_ASSOCIATE_AC(primitive).encode())


def _own_user_information(max_pdu_bytes: int) -> list[object]:
    length = MaximumLengthNotification()
    length.maximum_length_received = max_pdu_bytes
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    return [length, implementation, version]


def _declined_window(user_information: Iterable[object]) -> list[object]:
    """Answer a proposed asynchronous operations window with (1, 1): one operation at a time."""
    if not any(
        isinstance(item, AsynchronousOperationsWindowNegotiation) for item in user_information
    ):
        return []
    return [AsynchronousOperationsWindowNegotiation()]


def _roles(
    user_information: Iterable[object], results: Iterable[PresentationContext]
) -> list[SCP_SCU_RoleSelectionNegotiation]:
    """Answer each proposed role: the requestor may be SCU, and we are always the SCP.

    Only for what is accepted (PS3.7 D.3.3.4). Without an answer a peer takes the default roles,
    which are the same; some give up where an item they proposed stays unanswered.
    """
    accepted = {
        str(context.abstract_syntax)
        for context in results
        if context.result == ContextResult.ACCEPTANCE
    }
    answers = []
    for item in user_information:
        if not isinstance(item, SCP_SCU_RoleSelectionNegotiation):
            continue
        if str(item.sop_class_uid) not in accepted:
            continue
        answer = SCP_SCU_RoleSelectionNegotiation()
        answer.sop_class_uid = item.sop_class_uid
        answer.scu_role, answer.scp_role = bool(item.scu_role), False
        answers.append(answer)
    return answers
