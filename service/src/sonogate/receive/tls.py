"""DICOM TLS: the BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile (PS3.15 B.12).

TLS 1.2 and 1.3, 1.3 where the peer offers it; no renegotiation, no compression, no tickets. (Python
can't switch TLS 1.2's sessions by id off; one that is resumed has the certificate it began with.)
Files are read here and nowhere else.
"""

import asyncio
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Final

from sonogate.errors import SettingFileError
from sonogate.observe.health import Check
from sonogate.observe.logs import get_logger
from sonogate.receive.alerts import AlertingContext
from sonogate.receive.certificate import expires_at
from sonogate.settings import DestinationSettings, ListenerSettings, MppsServerSettings, Settings

TLS_1_2_CIPHERS: Final = (
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
)
"""The suites that RFC 9325 section 4.2 recommends, in OpenSSL's names."""
SECURITY_LEVEL: Final = 2
"""OpenSSL's: keys of less than 112 bits of security (RSA below 2048) are refused (RFC 9325 4.5)."""

KEYS: Final = ("tls_certificate", "tls_key", "tls_client_ca")

log = get_logger()


class TlsRefusal(Enum):
    """Why a TLS handshake came to nothing; the label in logs and metrics."""

    NOT_TLS = "not_tls"  #: plain DICOM or HTTP
    PROTOCOL_VERSION = "protocol_version"  #: below TLS 1.2
    NO_COMMON_CIPHER = "no_common_cipher"
    NO_CERTIFICATE = "no_certificate"
    CERTIFICATE_EXPIRED = "certificate_expired"  #: or not valid yet
    CERTIFICATE_NOT_TRUSTED = "certificate_not_trusted"  #: of an authority that isn't ours
    REFUSED_BY_PEER = "refused_by_peer"  #: it doesn't trust our certificate
    TIMED_OUT = "timed_out"
    LOST = "lost"  #: the peer closed
    OTHER = "other"


_BY_REASON: Final[Mapping[str, TlsRefusal]] = {
    "HTTP_REQUEST": TlsRefusal.NOT_TLS,
    "HTTPS_PROXY_REQUEST": TlsRefusal.NOT_TLS,
    "WRONG_VERSION_NUMBER": TlsRefusal.NOT_TLS,
    "RECORD_LAYER_FAILURE": TlsRefusal.NOT_TLS,
    "PACKET_LENGTH_TOO_LONG": TlsRefusal.NOT_TLS,
    "UNSUPPORTED_PROTOCOL": TlsRefusal.PROTOCOL_VERSION,
    "VERSION_TOO_LOW": TlsRefusal.PROTOCOL_VERSION,
    "TLSV1_ALERT_PROTOCOL_VERSION": TlsRefusal.PROTOCOL_VERSION,
    "NO_SHARED_CIPHER": TlsRefusal.NO_COMMON_CIPHER,
    "NO_SUITABLE_SIGNATURE_ALGORITHM": TlsRefusal.NO_COMMON_CIPHER,
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": TlsRefusal.NO_CERTIFICATE,
    "UNEXPECTED_EOF_WHILE_READING": TlsRefusal.LOST,
}
"""OpenSSL's reason of a failed handshake to ours; its other alerts are the peer's refusals."""
_NOT_YET_VALID, _EXPIRED = 9, 10  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED


def refusal_of(error: OSError) -> TlsRefusal:
    """Say why a handshake failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        in_time = error.verify_code not in (_NOT_YET_VALID, _EXPIRED)
        return TlsRefusal.CERTIFICATE_NOT_TRUSTED if in_time else TlsRefusal.CERTIFICATE_EXPIRED
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "").upper().replace(" ", "_")
        if reason not in _BY_REASON and "ALERT" in reason:
            return TlsRefusal.REFUSED_BY_PEER
        return _BY_REASON.get(reason, TlsRefusal.OTHER)
    if isinstance(error, ConnectionAbortedError):  # asyncio's word for its handshake timeout
        return TlsRefusal.TIMED_OUT
    return TlsRefusal.LOST


def make_context(settings: ListenerSettings) -> ssl.SSLContext | None:
    """Read the certificate, its key and the senders' authorities; None without TLS.

    Raises:
        SettingFileError: One of the files is not what it must be.
    """
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    context = hardened(AlertingContext(ssl.PROTOCOL_TLS_SERVER))
    load_pair(context, settings.tls_certificate, settings.tls_key)
    if settings.tls_client_ca is not None:
        load_authorities(context, settings.tls_client_ca, "listener.tls_client_ca")
        context.verify_mode = ssl.CERT_REQUIRED
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
    for destination in settings.forward.destinations:
        destination_context(destination)
    for server in settings.mpps.forward_to:
        server_context(server)


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


def hardened(context: ssl.SSLContext) -> ssl.SSLContext:
    """Bring a context to the profile."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join((f"@SECLEVEL={SECURITY_LEVEL}", *TLS_1_2_CIPHERS)))
    context.options |= (
        ssl.OP_NO_COMPRESSION
        | ssl.OP_NO_RENEGOTIATION
        | ssl.OP_NO_TICKET
        | ssl.OP_CIPHER_SERVER_PREFERENCE
    )
    if context.protocol == ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0
    return context


def load_pair(
    context: ssl.SSLContext,
    certificate: Path,
    key: Path,
    names: tuple[str, str] = ("listener.tls_certificate", "listener.tls_key"),
) -> None:
    """Take a certificate chain and its key.

    Raises:
        SettingFileError: A file can't be read or is no PEM of its kind, or they are no pair.
    """
    of_certificate, of_key = names
    _readable(of_certificate, certificate)
    _readable(of_key, key)
    try:
        expires_at(certificate)
    except ValueError as error:
        raise SettingFileError(
            of_certificate, f"{certificate} holds no PEM certificate; give the chain, its own first"
        ) from error
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except _PassphraseWantedError as error:
        raise SettingFileError(
            of_key, f"{key} has a passphrase; write it without one: openssl pkey -in OLD -out NEW"
        ) from error
    except ssl.SSLError as error:
        raise SettingFileError(of_key, _wrong_pair(error, certificate, key)) from error


def load_authorities(context: ssl.SSLContext, authorities: Path, key: str) -> None:
    """Take the certificates of those who vouch for the peer.

    Raises:
        SettingFileError: The file can't be read or holds none.
    """
    _readable(key, authorities)
    try:
        context.load_verify_locations(authorities)
    except ssl.SSLError as error:
        raise SettingFileError(
            key, f"{authorities} holds no PEM certificate; give the authority's own"
        ) from error


class _PassphraseWantedError(Exception):
    """OpenSSL asked for one; without this it would ask the terminal."""


def _no_passphrase() -> str:
    raise _PassphraseWantedError


def _readable(key: str, path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        remedy = "give an existing file that the gate's user may read"
        raise SettingFileError(key, f"{path}: {error.strerror}; {remedy}") from error


def _wrong_pair(error: ssl.SSLError, certificate: Path, key: Path) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"{key} is not the key of {certificate}; give the two that were made together"
    if error.reason in ("EE_KEY_TOO_SMALL", "CA_MD_TOO_WEAK", "CA_KEY_TOO_SMALL"):
        return f"{certificate} is too weak; make one with RSA of 2048 bits or more, or ECDSA P-256"
    return f"{certificate} and {key} can't be used ({error.reason or 'not PEM'}); make them again"


class Certificates:
    """The TLS context in force; made anew when its files change, kept while new ones are broken."""

    def __init__(self, settings: ListenerSettings) -> None:
        self._settings = settings
        self.context: ssl.SSLContext | None = None
        self.problem = ""  #: why the newest files are not in use
        self._expires_at = datetime.max.replace(tzinfo=UTC)
        self._seen = self._stamps()
        self._read()

    async def look(self) -> None:
        """Take the files anew if one changed."""
        if self.context is not None:
            await asyncio.to_thread(self._look)

    def _look(self) -> None:
        if self._stamps() != self._seen:
            self.reload()

    def reload(self) -> None:
        """Take the files anew; if they are broken, keep what is in force and say so."""
        if self.context is None:
            return
        self._seen = self._stamps()
        try:
            self._read()
        except SettingFileError as error:
            self.problem = str(error)
            log.error("certificates_not_reloaded", reason=self.problem)
        else:
            self.problem = ""
            log.info("certificates_reloaded")

    def _read(self) -> None:
        self.context = make_context(self._settings)
        if self._settings.tls_certificate:
            self._expires_at = expires_at(self._settings.tls_certificate)

    def check(self) -> Check:
        """Say whether the door's certificate holds; not required, since senders may still come."""
        if self.problem:
            return Check(ok=False, detail=f"old certificate in use: {self.problem}", required=False)
        if self._expires_at <= datetime.now(UTC):
            return Check(ok=False, detail="the certificate has expired", required=False)
        detail = f"the certificate holds until {self._expires_at:%Y-%m-%d}"
        return Check(ok=True, detail=detail, required=False)

    def _stamps(self) -> tuple[tuple[int, int, int] | None, ...]:
        """Return what changes with each file: identity, time and size."""
        return tuple(_stamp(getattr(self._settings, key)) for key in KEYS)


def _stamp(path: Path | None) -> tuple[int, int, int] | None:
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size) if found else None
