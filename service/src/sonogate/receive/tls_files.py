"""The profile of TLS that we speak, and the files it needs: certificates, keys, revocation lists.

Files are read here and nowhere else.
"""

import ssl
from pathlib import Path
from typing import Final

from sonogate.errors import SettingFileError
from sonogate.receive.certificate import expires_at, next_update

TLS_1_2_CIPHERS: Final = (
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
)
"""The suites that RFC 9325 section 4.2 recommends, in OpenSSL's names."""
SECURITY_LEVEL: Final = 2
"""OpenSSL's: keys of less than 112 bits of security (RSA below 2048) are refused (RFC 9325 4.5)."""


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


def load_crl(context: ssl.SSLContext, lists: Path, key: str) -> None:
    """Take revocation lists; from then on every peer's certificate is looked for in one.

    Fails closed: a certificate whose authority has no list here, or an old one, is refused.

    Raises:
        SettingFileError: The file can't be read or holds none.
    """
    _readable(key, lists)
    try:
        next_update(lists)
        context.load_verify_locations(lists)
    except (ValueError, ssl.SSLError) as error:
        raise SettingFileError(
            key,
            f"{lists} holds no PEM revocation list (X509 CRL); convert one with: openssl crl "
            "-inform DER -in OLD -out NEW",
        ) from error
    context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF


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
