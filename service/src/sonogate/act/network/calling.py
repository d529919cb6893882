"""Associations that the gate opens for a few short messages; blocking, so run in threads.

pynetdicom's requestor: it costs a thread or two while it lasts; reports and exam steps are rare.
"""

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from sonogate.act.network.hanging_up import hang_up, remember

CONNECT_SECONDS: Final = 10.0
UNCOMPRESSED: Final = (
    "1.2.840.10008.1.2.1",  # Explicit VR Little Endian
    "1.2.840.10008.1.2",  # Implicit VR Little Endian
    "1.2.840.10008.1.2.2",  # Explicit VR Big Endian
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Whom to call, and under which names."""

    host: str
    port: int
    called_ae: str
    calling_ae: str
    answer_seconds: float
    tls: ssl.SSLContext | None = None  #: None speaks in the clear


class CallError(Exception):
    """There was no association, or no answer; the reason is a label of a closed set."""


@contextmanager
def associated(peer: Peer, abstract_syntax: str, *, as_scp: bool = False) -> Iterator[Association]:
    """Hold an association for the time of the block.

    Args:
        peer: Whom to call.
        abstract_syntax: What to speak of.
        as_scp: Take the SCP's role, as a report does (PS3.7 D.3.3.4).

    Raises:
        CallError: "unreachable", "rejected", or "not_offered" there.
    """
    ae = AE(ae_title=peer.calling_ae)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = peer.answer_seconds
    ae.connection_timeout = CONNECT_SECONDS
    roles = [build_role(abstract_syntax, scp_role=True)] if as_scp else []
    association = ae.associate(
        peer.host,
        peer.port,
        contexts=[build_context(abstract_syntax, list(UNCOMPRESSED))],
        ae_title=peer.called_ae,
        ext_neg=roles,
        evt_handlers=[(evt.EVT_ACSE_SENT, remember)],
        tls_args=(peer.tls, peer.host) if peer.tls else None,
    )
    if not association.is_established:
        raise CallError(_why_not(association))
    try:
        if as_scp and not all(context.as_scp for context in association.accepted_contexts):
            raise CallError("role_not_accepted")
        yield association
    except GeneratorExit:  # the gate ends, and nobody leaves in the proper way
        hang_up(lambda: (association,))
        raise
    except BaseException:
        _leave(association, peer)
        raise
    _leave(association, peer)


def _leave(association: Association, peer: Peer) -> None:
    if association.is_established:
        association.release()
    association.join(timeout=peer.answer_seconds)


def status_of(answer: Dataset) -> int:
    """Return the status of an answer.

    Raises:
        CallError: There was none.
    """
    if "Status" not in answer:
        raise CallError("no_answer")
    return int(answer.Status)


def _why_not(association: Association) -> str:
    if association.is_rejected:
        return "rejected"
    return "not_offered" if _has_answered(association.rejected_contexts) else "unreachable"


def _has_answered(rejected: Sequence[object]) -> bool:
    return bool(rejected)
