"""Joins what the gate does on the network beside receiving objects: exam steps, commitment."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sonogate.act.network.commitments import CommitmentDesk
from sonogate.act.network.deciding import Demand
from sonogate.act.network.reporting import ReportCaller
from sonogate.act.network.steps import StepForwarder
from sonogate.observe.metrics import Metrics
from sonogate.receive.commitment import report_set
from sonogate.receive.tls import client_context, server_context
from sonogate.receive.tls_files import load_crl
from sonogate.settings import ListenerSettings, Settings
from sonogate.store.database import Database
from sonogate.store.records import DeliveryTargets
from sonogate.track.steps import StepBook


@dataclass(frozen=True)
class Networking:
    """The ports behind the DICOM door, and the loops that go with them."""

    steps: StepBook | None
    commitments: CommitmentDesk | None
    forwarder: StepForwarder

    @classmethod
    def of(  # noqa: PLR0917 - what it joins
        cls,
        settings: Settings,
        database: Database,
        targets: DeliveryTargets,
        metrics: Metrics,
        on_change: Callable[[], None],
        caught_up: Callable[[], Awaitable[None]],
    ) -> "Networking":
        """Join the parts that the settings ask for."""
        mpps, own_ae = settings.mpps, settings.listener.ae_title
        forwarder = StepForwarder(database, mpps.forward_to, own_ae, metrics, server_context)
        steps = StepBook(
            database,
            targets,
            metrics,
            on_change,
            max_in_progress=mpps.max_in_progress,
            servers=forwarder.names,
        )
        desk = CommitmentDesk(
            database,
            settings.commitment,
            demand_of(settings),
            make_caller(settings),
            metrics,
            caught_up,
        )
        return cls(
            steps=steps if mpps.accept else None,
            commitments=desk if settings.commitment.accept else None,
            forwarder=forwarder,
        )

    async def run(self) -> None:
        """Run the loops until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.forwarder.run())
            if self.commitments is not None:
                tasks.create_task(self.commitments.run())


def demand_of(settings: Settings) -> Demand:
    """Return what must be true of an object before it is said to be committed."""
    names = (each.name for each in settings.forward.destinations)
    is_stored = settings.commitment.means == "stored"
    return Demand(
        wait_seconds=settings.commitment.wait_seconds,
        destinations=frozenset(names if is_stored else ()),
    )


def make_caller(settings: Settings) -> ReportCaller:
    """Return who calls senders back: over TLS where they come to us over TLS."""
    listener = settings.listener
    return ReportCaller(
        settings.commitment, listener.senders, report_set, lambda: sender_context(listener)
    )


def sender_context(listener: ListenerSettings) -> ssl.SSLContext | None:
    """Trust the senders that our authorities vouch for, at whatever address; None in the clear."""
    if not (listener.tls_certificate and listener.tls_key and listener.tls_client_ca):
        return None
    names = ("listener.tls_client_ca", "listener.tls_certificate", "listener.tls_key")
    context = client_context(
        listener.tls_client_ca, listener.tls_certificate, listener.tls_key, names
    )
    if listener.tls_client_crl:
        load_crl(context, listener.tls_client_crl, "listener.tls_client_crl")
    context.check_hostname = False  # a sender is known by its authority; it has an address, no name
    return context
