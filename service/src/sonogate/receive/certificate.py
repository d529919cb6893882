"""X.509 certificates, as far as a door must know them: whose it is, and until when it holds."""

import base64
import hashlib
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_VERSION, _INTEGER, _UTC_TIME, _GENERALIZED_TIME = 0xA0, 0x02, 0x17, 0x18


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


def next_update(lists: Path) -> datetime:
    """Return when the first of the revocation lists in a PEM file is out of date.

    Raises:
        OSError: It can't be read.
        ValueError: It holds none.
    """
    text = lists.read_text("ascii", "replace")
    found = re.findall(r"-----BEGIN X509 CRL-----(.*?)-----END X509 CRL-----", text, re.DOTALL)
    if not found:
        raise ValueError(f"{lists} holds no revocation list")
    return min(_list_ends(base64.b64decode(each)) for each in found)


def _list_ends(revocations: bytes) -> datetime:
    """Walk to a list's next update (RFC 5280 section 5.1); without one it never ends."""
    try:
        _, signed = next(_elements(revocations))
        _, to_be_signed = next(_elements(signed))
        fields = [each for each in _elements(to_be_signed) if each[0] != _INTEGER]
        kind, until = fields[3]  # after algorithm, issuer and this update
    except (StopIteration, IndexError) as error:
        raise ValueError("this is no X.509 revocation list") from error
    if kind not in (_UTC_TIME, _GENERALIZED_TIME):
        return datetime.max.replace(tzinfo=UTC)
    return _time(kind, until)


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
    return _time(kind, until)


def _time(kind: int, octets: bytes) -> datetime:
    """Read a time (RFC 5280 section 4.1.2.5)."""
    text = octets.decode("ascii")
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
