"""Joins what passing on needs of other rooms: the spool's places, TLS, the decoding process."""

import socket
from typing import Final

from sonogate.act.audit.sending import AuditSender
from sonogate.act.forward.carrier import Carrier
from sonogate.act.forward.carriers import make_carrier
from sonogate.act.forward.decoding import Decoding
from sonogate.act.forward.forwarder import Forwarder
from sonogate.observe.metrics import Metrics
from sonogate.receive.spool import Spool
from sonogate.receive.tls import check_files, destination_context, repository_context
from sonogate.settings import DestinationSettings, Settings
from sonogate.store.database import Database

DECODED: Final = "outgoing"
"""Folder below data_dir of objects decoded to be sent, each for as long as it is being sent."""


def make_forwarder(
    settings: Settings, database: Database, spool: Spool, metrics: Metrics
) -> Forwarder:
    """Make what passes objects on to the destinations of the settings.

    Raises:
        SettingFileError: a destination's certificate can't be used.
    """
    check_files(settings)
    decode = Decoding(settings.data_dir / DECODED)

    def carrier(destination: DestinationSettings) -> Carrier:
        return make_carrier(destination, settings.listener.ae_title, destination_context, decode)

    return Forwarder(
        database,
        settings.forward.destinations,
        carrier,
        spool.place_of,
        settings.results_dir,
        metrics,
    )


def make_audit_sender(settings: Settings, database: Database, metrics: Metrics) -> AuditSender:
    """Make what sends the audit trail to the repositories of the settings."""
    host = socket.gethostname()
    return AuditSender(
        database,
        settings.audit.repositories,
        source=f"{settings.listener.ae_title}@{host}",
        host=host,
        metrics=metrics,
        make_tls=repository_context,
    )


def prepare_outgoing(settings: Settings) -> None:
    """Make the folder of decoded objects, or empty it after a crash; blocking."""
    Decoding(settings.data_dir / DECODED).prepare()
