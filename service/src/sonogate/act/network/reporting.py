"""A report on storage commitment over an association of our own (PS3.4 J.3.3)."""

import ssl
from collections.abc import Callable, Iterable
from functools import partial
from ipaddress import ip_address
from typing import Final

from pydicom.dataset import Dataset

from sonogate.act.network.calling import CallError, Peer, associated, status_of
from sonogate.act.network.hanging_up import aside
from sonogate.domain.commitment import CommitmentReport, CommitmentRequest
from sonogate.settings import CommitmentSettings, SenderSettings

STORAGE_COMMITMENT: Final = "1.2.840.10008.1.20.1"
PUSH_MODEL_INSTANCE: Final = "1.2.840.10008.1.20.1.1"
ALL_COMMITTED, SOME_FAILED = 1, 2
"""Event Type IDs (PS3.4 J.3.3)."""

MakeSet = Callable[[CommitmentReport], Dataset]


class ReportCaller:
    """Calls a sender back.

    Args:
        settings: how long to wait, and the port of those who have none of their own.
        senders: ports by AE title and address.
        make_set: makes the data set of a report.
        tls: shown and trusted where the listener speaks TLS only; None: in the clear.
    """

    def __init__(
        self,
        settings: CommitmentSettings,
        senders: Iterable[SenderSettings],
        make_set: MakeSet,
        tls: Callable[[], ssl.SSLContext | None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._senders = tuple(senders)
        self._make_set = make_set
        self._tls = tls

    async def send(self, request: CommitmentRequest, report: CommitmentReport) -> int:
        """Send a report and return the status it was answered with.

        Raises:
            CallError: No port is known, or no association or no answer was had.
        """
        port = port_of(request, self._senders, self._settings.report_port)
        if not port:
            raise CallError("no_port")
        peer = Peer(
            host=request.peer_address,
            port=port,
            called_ae=request.calling_ae,
            calling_ae=request.called_ae,
            answer_seconds=self._settings.answer_seconds,
            tls=self._tls(),
        )
        return await aside(partial(self._send, peer, report))

    def _send(self, peer: Peer, report: CommitmentReport) -> int:
        with associated(peer, STORAGE_COMMITMENT, as_scp=True) as association:
            try:
                answer, _reply = association.send_n_event_report(
                    self._make_set(report),
                    ALL_COMMITTED if report.is_complete else SOME_FAILED,
                    STORAGE_COMMITMENT,
                    PUSH_MODEL_INSTANCE,
                )
            except (RuntimeError, ValueError) as error:
                raise CallError("lost") from error
            return status_of(answer)


def port_of(request: CommitmentRequest, senders: Iterable[SenderSettings], default: int) -> int:
    """Return where a sender awaits its reports: of the table that fits it best."""
    named = [each for each in senders if each.ae_title.strip() == request.calling_ae]
    placed = [each for each in named if _sends_from(each, request.peer_address)]
    ports = [each.port for each in placed if each.port is not None]
    return ports[0] if ports else default


def _sends_from(sender: SenderSettings, peer_address: str) -> bool:
    address = ip_address(peer_address.partition("%")[0])
    plain = getattr(address, "ipv4_mapped", None) or address
    return not sender.addresses or any(plain in network for network in sender.addresses)
