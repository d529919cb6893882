"""Why a TLS handshake came to nothing, in words of our own."""

import ssl
from collections.abc import Mapping
from enum import Enum
from typing import Final


class TlsRefusal(Enum):
    """Why a TLS handshake came to nothing; the label in logs and metrics."""

    NOT_TLS = "not_tls"  #: plain DICOM or HTTP
    PROTOCOL_VERSION = "protocol_version"  #: below TLS 1.2
    NO_COMMON_CIPHER = "no_common_cipher"
    NO_CERTIFICATE = "no_certificate"
    CERTIFICATE_EXPIRED = "certificate_expired"  #: or not valid yet
    CERTIFICATE_NOT_TRUSTED = "certificate_not_trusted"  #: of an authority that isn't ours
    CERTIFICATE_REVOKED = "certificate_revoked"  #: by the door's tls_client_crl
    REVOCATION_UNKNOWN = "revocation_unknown"  #: no list of its authority, or one out of date
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
_BY_VERIFY_CODE: Final[Mapping[int, TlsRefusal]] = {
    3: TlsRefusal.REVOCATION_UNKNOWN,  # X509_V_ERR_UNABLE_TO_GET_CRL
    8: TlsRefusal.REVOCATION_UNKNOWN,  # X509_V_ERR_CRL_SIGNATURE_FAILURE
    9: TlsRefusal.CERTIFICATE_EXPIRED,  # X509_V_ERR_CERT_NOT_YET_VALID
    10: TlsRefusal.CERTIFICATE_EXPIRED,  # X509_V_ERR_CERT_HAS_EXPIRED
    11: TlsRefusal.REVOCATION_UNKNOWN,  # X509_V_ERR_CRL_NOT_YET_VALID
    12: TlsRefusal.REVOCATION_UNKNOWN,  # X509_V_ERR_CRL_HAS_EXPIRED
    23: TlsRefusal.CERTIFICATE_REVOKED,  # X509_V_ERR_CERT_REVOKED
}
"""OpenSSL's verdict on a certificate to ours; others are about trust."""


def refusal_of(error: OSError) -> TlsRefusal:
    """Say why a handshake failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _BY_VERIFY_CODE.get(error.verify_code, TlsRefusal.CERTIFICATE_NOT_TRUSTED)
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "").upper().replace(" ", "_")
        if reason not in _BY_REASON and "ALERT" in reason:
            return TlsRefusal.REFUSED_BY_PEER
        return _BY_REASON.get(reason, TlsRefusal.OTHER)
    if isinstance(error, ConnectionAbortedError):  # asyncio's word for its handshake timeout
        return TlsRefusal.TIMED_OUT
    return TlsRefusal.LOST
