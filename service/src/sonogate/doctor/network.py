"""Do those answer whom the gate calls: MPPS servers, senders that await reports, audit servers?"""

import socket
from collections.abc import Iterator

from sonogate.act.network.calling import CallError, Peer, associated
from sonogate.act.network.reporting import STORAGE_COMMITMENT
from sonogate.act.network.steps import PROCEDURE_STEP
from sonogate.demo.tls import tls_failure
from sonogate.doctor.check import Check, fail, ok, warn
from sonogate.errors import SettingFileError
from sonogate.networking import sender_context
from sonogate.receive.tls import repository_context, server_context
from sonogate.settings import (
    AuditRepositorySettings,
    MppsServerSettings,
    SenderSettings,
    Settings,
)

DICOM_SECONDS = 5.0
WHY = {
    "unreachable": "nothing answers there, or over TLS it does not trust us, nor we it",
    "rejected": "it refuses the association",
    "not_offered": "it answers, but does not take this service",
    "role_not_accepted": "it answers, but takes no reports from others",
}
"""A `CallError`'s reason in plain words."""


def checks(settings: Settings) -> Iterator[Check]:
    """Call each MPPS server, and each sender of which is known where it awaits its reports."""
    for server in settings.mpps.forward_to:
        yield _mpps(settings, server)
    if settings.commitment.accept:
        for sender in settings.listener.senders:
            yield from _commitment(settings, sender)
    for repository in settings.audit.repositories:
        yield _audit(repository)


def _audit(repository: AuditRepositorySettings) -> Check:
    """Shake hands; nothing is said."""
    name, place = f"audit repository {repository.name}", (repository.host, repository.wire_port)
    remedy = "check host, port and tls_ca; messages wait in the database meanwhile"
    try:
        context = repository_context(repository)
        if context is None:
            return warn(name, "over UDP nobody answers, and anybody can read", "use tls if it can")
        failed = tls_failure(context, *place)
        socket.create_connection(place, DICOM_SECONDS).close()
    except SettingFileError as error:
        return fail(name, str(error), "give the file that the setting asks for")
    except OSError as error:
        return warn(name, f"nothing answers there ({error.strerror or 'no answer'})", remedy)
    return warn(name, f"no TLS: {failed}", remedy) if failed else ok(name, "it answers over TLS")


def _mpps(settings: Settings, server: MppsServerSettings) -> Check:
    name = f"MPPS server {server.name}"
    try:
        peer = Peer(
            host=server.host,
            port=server.port,
            called_ae=server.ae_title,
            calling_ae=settings.listener.ae_title,
            answer_seconds=DICOM_SECONDS,
            tls=server_context(server),
        )
        with associated(peer, PROCEDURE_STEP):
            pass
    except SettingFileError as error:
        return fail(name, str(error), "give the file that the setting asks for")
    except CallError as error:
        why = WHY.get(str(error), str(error))
        whom = f"{server.ae_title}@{server.host}:{server.port}"
        remedy = f"check host, port, ae_title and TLS, and that it admits {peer.calling_ae}"
        if server.calling_ae == "original":
            remedy += "; carts' own AE titles are used for their messages"
        return warn(name, f"{whom}: {why}; steps wait here meanwhile", remedy)
    return ok(name, "it takes exam steps")


def _commitment(settings: Settings, sender: SenderSettings) -> Iterator[Check]:
    """Only a sender at one known address can be called before it asked."""
    port = sender.port or settings.commitment.report_port
    for network in sender.addresses:
        if network.num_addresses == 1 and port:
            yield _reported(settings, sender, str(network.network_address), port)


def _reported(settings: Settings, sender: SenderSettings, host: str, port: int) -> Check:
    name = f"commitment reports to {sender.ae_title}"
    try:
        peer = Peer(
            host=host,
            port=port,
            called_ae=sender.ae_title,
            calling_ae=settings.listener.ae_title,
            answer_seconds=DICOM_SECONDS,
            tls=sender_context(settings.listener),
        )
        with associated(peer, STORAGE_COMMITMENT, as_scp=True):
            pass
    except SettingFileError as error:
        return fail(name, str(error), "see the DICOM TLS line above")
    except CallError as error:
        why = WHY.get(str(error), str(error))
        return warn(
            name,
            f"{sender.ae_title}@{host}:{port}: {why}; it is told only while its association lasts",
            "switch its commitment port on, or set port in its [[listener.senders]] table; if it "
            "waits for reports within its association, nothing is wrong",
        )
    return ok(name, f"{host}:{port} takes them")
