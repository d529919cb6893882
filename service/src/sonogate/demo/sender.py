"""Send DICOM objects as a cart does: one association per study, one C-STORE per object.

An object travels in the transfer syntax it has, byte by byte as it lies in its file.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import Verification

from sonogate.demo.checkpoint import hold_answers
from sonogate.demo.objects import DicomFile
from sonogate.demo.tls import tls_failure
from sonogate.errors import GateError

MAX_CONTEXTS = 128
"""Presentation contexts that one association may propose (PS3.8 9.3.2.2: odd ids below 256)."""
ANSWER_SECONDS = 60.0
SUCCESS = 0x0000


class SendError(GateError):
    """The peer could not be reached, or refused the association."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Where to send, and under which names."""

    host: str
    port: int
    called_ae: str
    calling_ae: str = "SONOGATE_DEMO"
    tls: ssl.SSLContext | None = None  #: None speaks in the clear
    answer_seconds: float = ANSWER_SECONDS  #: how long it may take over an answer

    def __str__(self) -> str:
        return f"{self.called_ae}@{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of one object."""

    file: DicomFile
    status: int | None  #: DIMSE status; None if there was no answer
    detail: str  #: plain words
    seconds: float

    @property
    def is_kept(self) -> bool:
        """Whether the peer took responsibility for the object."""
        return self.status == SUCCESS


def echo(peer: Peer) -> float:
    """Send a C-ECHO and return the seconds until its answer.

    Raises:
        SendError: No association, or no Success.
    """
    started = time.perf_counter()
    with _association(peer, [build_context(Verification)]) as association:
        answer = association.send_c_echo()
    if answer.get("Status") != SUCCESS:
        raise SendError(f"{peer} answered the C-ECHO with {_words(_status(answer))}")
    return time.perf_counter() - started


def send_study(
    files: Sequence[DicomFile], peer: Peer, on_sent: Callable[[Sent], None] = lambda _sent: None
) -> list[Sent]:
    """Send one study's objects over one association, and say what became of each.

    Raises:
        SendError: No association could be opened.
    """
    sent: list[Sent] = []
    for part in _parts(files):
        kinds = dict.fromkeys((file.sop_class_uid, file.transfer_syntax_uid) for file in part)
        with _association(peer, [build_context(*kind) for kind in kinds]) as association:
            for file in part:
                sent.append(_store(association, file))
                on_sent(sent[-1])
    return sent


def _parts(files: Sequence[DicomFile]) -> Iterator[list[DicomFile]]:
    """Cut the files so that no part needs more contexts than an association has."""
    part: list[DicomFile] = []
    kinds: set[tuple[str, str]] = set()
    for file in files:
        kind = (file.sop_class_uid, file.transfer_syntax_uid)
        if kind not in kinds and len(kinds) == MAX_CONTEXTS:
            yield part
            part, kinds = [], set()
        part.append(file)
        kinds.add(kind)
    if part:
        yield part


def _store(association: Association, file: DicomFile) -> Sent:
    started = time.perf_counter()
    try:
        status = _status(association.send_c_store(file.path))
        detail = _words(status)
    except ValueError:
        status, detail = None, "the peer takes no such object in this transfer syntax"
    except RuntimeError:
        status, detail = None, "the association ended before this object"
    return Sent(file=file, status=status, detail=detail, seconds=time.perf_counter() - started)


def _status(answer: Dataset) -> int | None:
    return int(answer.Status) if "Status" in answer else None


def _words(status: int | None) -> str:
    if status is None:
        return "no answer: the association was lost"
    if status == SUCCESS:
        return "kept"
    kind = "out of resources, send again later" if status & 0xFF00 == 0xA700 else "refused"
    return f"0x{status:04X} ({kind})"


@contextmanager
def _association(peer: Peer, contexts: list[PresentationContext]) -> Iterator[Association]:
    ae = AE(ae_title=peer.calling_ae)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = peer.answer_seconds
    ae.connection_timeout = 5.0
    association = ae.associate(
        peer.host,
        peer.port,
        contexts=contexts,
        ae_title=peer.called_ae,
        max_pdu=0,
        tls_args=(peer.tls, peer.host) if peer.tls else None,
        evt_handlers=[(evt.EVT_CONN_OPEN, _send_at_once)],
    )
    if not association.is_established:
        raise SendError(_why_not(peer, is_rejected=association.is_rejected))
    hold_answers(association)
    try:
        with _bytes_as_they_are():
            yield association
    finally:
        if association.is_established:
            association.release()
        association.join(timeout=ANSWER_SECONDS)


def _why_not(peer: Peer, *, is_rejected: bool) -> str:
    if is_rejected:
        return (
            f"{peer} refused the association; check the AE title, and that it admits "
            f"{peer.calling_ae}"
        )
    if peer.tls is not None and (failed := tls_failure(peer.tls, peer.host, peer.port)):
        return f"{peer}: no TLS: {failed}"
    return (
        f"{peer} does not answer; check host, port and AE title, and that it admits "
        f"{peer.calling_ae}"
    )


def _send_at_once(event: evt.Event) -> None:
    """Switch Nagle's algorithm off, which holds small PDUs back for 40 ms."""
    connection = event.assoc.dul.socket.socket
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


@contextmanager
def _bytes_as_they_are() -> Iterator[None]:
    """Let pynetdicom stream a file's data set unread, by its module-wide switch."""
    before = _config.STORE_SEND_CHUNKED_DATASET
    _config.STORE_SEND_CHUNKED_DATASET = True
    try:
        yield
    finally:
        _config.STORE_SEND_CHUNKED_DATASET = before
