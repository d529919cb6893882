"""DICOM TLS as a client (PS3.15 B.12): what it trusts, what it shows, why a handshake failed."""

import socket
import ssl
from pathlib import Path
from typing import Final

from sonogate.errors import GateError
from sonogate.receive.tls_files import hardened, load_authorities, load_pair

CONNECT_SECONDS: Final = 5.0
ALERT_SECONDS: Final = 1.0
"""In TLS 1.3 the server refuses a client's certificate after the client's own handshake."""

_MAYBE: Final = "it may want another --cert and --key, or speak no TLS"


def client_context(
    authorities: Path | None, certificate: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """Trust servers that these authorities vouch for under the name they are addressed by.

    Args:
        authorities: PEM file, `--ca`.
        certificate: PEM chain to show, `--cert`.
        key: Its key, `--key`.

    Raises:
        GateError: No authority is named, or a file is not what it must be.
    """
    if authorities is None:
        raise GateError("TLS needs --ca FILE, the authority that vouches for the receiver")
    if key is not None and certificate is None:
        raise GateError("--key needs --cert FILE, the certificate that it belongs to")
    context = hardened(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    load_authorities(context, authorities, "--ca")
    if certificate is not None:
        load_pair(context, certificate, key or certificate, ("--cert", "--key"))
    return context


def self_trusting_context(certificate: Path) -> ssl.SSLContext:
    """Trust exactly the server that shows this certificate, under any name."""
    context = hardened(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    context.check_hostname = False
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(certificate)
    return context


def tls_failure(context: ssl.SSLContext, host: str, port: int) -> str:
    """Shake hands once and say in words why it failed; empty if it did not."""
    try:
        with (
            socket.create_connection((host, port), CONNECT_SECONDS) as connection,
            context.wrap_socket(connection, server_hostname=host) as tls,
        ):
            tls.settimeout(ALERT_SECONDS)
            closed = not tls.recv(1)
    except TimeoutError:
        return ""
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not trusted ({error.verify_message}); check --ca and the name"
    except ssl.SSLError as error:
        reason = (error.reason or "no reason").replace("_", " ").lower()
        return f"the handshake failed ({reason}); {_MAYBE}"
    except ConnectionResetError:
        closed = True
    except OSError:
        return ""
    return f"it closed after the handshake; {_MAYBE}" if closed else ""
