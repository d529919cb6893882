"""X.509 certificates, as far as a door must know them: whose it is, and until when it holds."""

import hashlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_SEQUENCE, _VERSION, _UTC_TIME = 0x30, 0xA0, 0x17


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerCertificate:
    """The client certificate of a TLS connection, vouched for by our authorities."""

    sha256: str  #: fingerprint, lower-case hex
    names: frozenset[str]  #: subject common name and DNS names, lower case

    def is_named(self, identity: str) -> bool:
        """Whether this is the certificate that a setting means.

        Args:
            identity: SHA-256 fingerprint (in one piece, with colons, or the whole line that
                `openssl x509 -fingerprint` prints), or a name.
        """
        wanted = identity.rpartition("=")[2].strip().lower()
        return wanted.replace(":", "") == self.sha256 or wanted in self.names


def peer_certificate(tls: ssl.SSLObject | None) -> PeerCertificate | None:
    """Return what the peer presented; None without TLS or where it wasn't asked."""
    presented = tls.getpeercert(binary_form=True) if tls else None
    if tls is None or presented is None:
        return None
    said: Any = tls.getpeercert() or {}
    common = [text for part in said.get("subject", ()) for kind, text in part if _is_name(kind)]
    dns = [text for kind, text in said.get("subjectAltName", ()) if kind == "DNS"]
    return PeerCertificate(
        sha256=hashlib.sha256(presented).hexdigest(),
        names=frozenset(name.lower() for name in (*common, *dns)),
    )


def _is_name(kind: str) -> bool:
    return kind == "commonName"


def expires_at(chain: Path) -> datetime:
    """Return when the first certificate of a PEM file ends.

    Raises:
        OSError: It can't be read.
        ValueError: It holds no certificate.
    """
    text = chain.read_text("ascii", "replace")
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    if begin not in text or end not in text:
        raise ValueError(f"{chain} holds no certificate")
    first = text[text.index(begin) : text.index(end) + len(end)]
    return _not_after(ssl.PEM_cert_to_DER_cert(first))


def _not_after(certificate: bytes) -> datetime:
    """Walk to the validity of a certificate (RFC 5280 section 4.1)."""
    try:
        _, signed = next(_elements(certificate))
        _, to_be_signed = next(_elements(signed))
        fields = [each for each in _elements(to_be_signed) if each[0] != _VERSION]
        _, validity = fields[3]  # after serial number, algorithm and issuer
        kind, until = list(_elements(validity))[1]
    except (StopIteration, IndexError) as error:
        raise ValueError("this is no X.509 certificate") from error
    text = until.decode("ascii")
    if kind == _UTC_TIME:  # two digits of the year: below 50 is 20xx
        text = ("20" if int(text[:2]) < 50 else "19") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _elements(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of the DER elements that stand one after the other."""
    at = 0
    while at < len(octets):
        tag, length, at = octets[at], octets[at + 1], at + 2
        if length & 0x80:
            n_octets = length & 0x7F
            length, at = int.from_bytes(octets[at : at + n_octets], "big"), at + n_octets
        yield tag, octets[at : at + length]
        at += length
