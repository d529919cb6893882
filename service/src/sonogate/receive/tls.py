"""DICOM TLS: the BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile (PS3.15 B.12).

TLS 1.2 and 1.3, 1.3 where the peer offers it; no renegotiation, no compression, no tickets. (Python
can't switch TLS 1.2's sessions by id off; one that is resumed has the certificate it began with.)
"""

import ssl
from pathlib import Path

from sonogate.receive.alerts import AlertingContext
from sonogate.receive.tls_files import hardened, load_authorities, load_crl, load_pair
from sonogate.settings import (
    AdviceSettings,
    AuditRepositorySettings,
    DestinationSettings,
    HttpSettings,
    ListenerSettings,
    MppsServerSettings,
    Settings,
)


def make_context(
    settings: ListenerSettings | HttpSettings, door: str = "listener"
) -> ssl.SSLContext | None:
    """Read the certificate, its key, the peers' authorities and their lists; None without TLS.

    Args:
        settings: Of the door.
        door: Their section, for errors.

    Raises:
        SettingFileError: One of the files is not what it must be.
    """
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    context = hardened(AlertingContext(ssl.PROTOCOL_TLS_SERVER))
    names = (f"{door}.tls_certificate", f"{door}.tls_key")
    load_pair(context, settings.tls_certificate, settings.tls_key, names)
    if settings.tls_client_ca is not None:
        load_authorities(context, settings.tls_client_ca, f"{door}.tls_client_ca")
        context.verify_mode = ssl.CERT_REQUIRED
    if settings.tls_client_crl is not None:
        load_crl(context, settings.tls_client_crl, f"{door}.tls_client_crl")
    return context


def client_context(
    authorities: Path | None,
    certificate: Path | None,
    key: Path | None,
    names: tuple[str, str, str],
) -> ssl.SSLContext:
    """Make what we speak TLS with as a client; the peer is checked under the name we call.

    Args:
        authorities: Who vouches for the peer; None: the machine's own trust store.
        certificate: The chain we show; None: none.
        key: Its key.
        names: The settings these came from, for errors.

    Raises:
        SettingFileError: One of the files is not what it must be.
    """
    context = hardened(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    if authorities is not None:
        load_authorities(context, authorities, names[0])
    else:
        context.load_default_certs()
    if certificate is not None and key is not None:
        load_pair(context, certificate, key, (names[1], names[2]))
    return context


def check_files(settings: Settings) -> None:
    """Look whether the certificates and keys that the settings name can be used.

    Raises:
        SettingFileError: One can't.
    """
    make_context(settings.listener)
    make_context(settings.http, "http")
    for destination in settings.forward.destinations:
        destination_context(destination)
    for server in settings.mpps.forward_to:
        server_context(server)
    for repository in settings.audit.repositories:
        repository_context(repository)
    if settings.advice.enabled and settings.advice.kind == "endpoint":
        adviser_context(settings.advice)


def destination_context(destination: DestinationSettings) -> ssl.SSLContext | None:
    """Make what we speak TLS with to a destination; None if it is spoken to in the clear.

    Raises:
        SettingFileError: One of its files is not what it must be.
    """
    if destination.kind == "folder" or (destination.kind == "dicom" and not destination.tls_ca):
        return None
    key = f"forward.destinations.{destination.name}"
    names = (f"{key}.tls_ca", f"{key}.tls_certificate", f"{key}.tls_key")
    return client_context(
        destination.tls_ca, destination.tls_certificate, destination.tls_key, names
    )


def server_context(server: MppsServerSettings) -> ssl.SSLContext | None:
    """Make what we speak TLS with to an MPPS server; None if it is spoken to in the clear.

    Raises:
        SettingFileError: One of its files is not what it must be.
    """
    if server.tls_ca is None:
        return None
    key = f"mpps.forward_to.{server.name}"
    names = (f"{key}.tls_ca", f"{key}.tls_certificate", f"{key}.tls_key")
    return client_context(server.tls_ca, server.tls_certificate, server.tls_key, names)


def repository_context(repository: AuditRepositorySettings) -> ssl.SSLContext | None:
    """Make what we speak TLS with to an audit record repository; None over UDP.

    Raises:
        SettingFileError: One of its files is not what it must be.
    """
    if repository.transport == "udp":
        return None
    key = f"audit.repositories.{repository.name}"
    names = (f"{key}.tls_ca", f"{key}.tls_certificate", f"{key}.tls_key")
    return client_context(repository.tls_ca, repository.tls_certificate, repository.tls_key, names)


def adviser_context(advice: AdviceSettings) -> ssl.SSLContext:
    """Make what we speak TLS with to the adviser's endpoint.

    Raises:
        SettingFileError: The file of its authorities is not what it must be.
    """
    names = ("advice.tls_ca", "advice.tls_ca", "advice.tls_ca")
    return client_context(advice.tls_ca, None, None, names)
