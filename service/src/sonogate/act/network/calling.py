"""Associations that the gate opens for a few short messages; blocking, so run in threads.

pynetdicom's requestor: it costs a thread or two while it lasts; reports and exam steps are rare.
"""

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from pydicom.dataset import Dataset
from pynetdicom import AE, build_role
from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.presentation import build_context

CONNECT_SECONDS: Final = 10.0
UNCOMPRESSED: Final = (
    "1.2.840.10008.1.2.1",  # Explicit VR Little Endian
    "1.2.840.10008.1.2",  # Implicit VR Little Endian
    "1.2.840.10008.1.2.2",  # Explicit VR Big Endian
)


T = TypeVar("T")


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
        tls_args=(peer.tls, peer.host) if peer.tls else None,
    )
    if not association.is_established:
        raise CallError(_why_not(association))
    try:
        if as_scp and not all(context.as_scp for context in association.accepted_contexts):
            raise CallError("role_not_accepted")
        yield association
    except GeneratorExit:  # the gate ends, and nobody leaves in the proper way
        association.dul.kill_dul()
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


async def aside(work: Callable[[], T]) -> T:
    """Run what blocks in a thread that nobody waits for once this is cancelled.

    A gate that ends waits for the threads of `asyncio.to_thread`, and a peer may stay silent for
    all of its `answer_seconds`.

    Raises:
        Exception: whatever the work raised.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as raised:  # noqa: BLE001 - handed to the caller
            error = raised
        with suppress(RuntimeError):  # the loop is gone, and with it who waited
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="call", daemon=True).start()
    try:
        return await future
    except asyncio.CancelledError:
        hang_up()
        raise


def hang_up() -> None:
    """Let no association of ours outlive the gate: the process would wait for pynetdicom's threads.

    Only an association that is established can be aborted; one that waits to be can't be had.
    """
    for thread in threading.enumerate():
        if isinstance(thread, DULServiceProvider):
            thread.kill_dul()
