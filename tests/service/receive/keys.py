"""Certificates for a test, made for its time: an authority, a door, carts."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trustme


@dataclass(frozen=True)
class Pair:
    """A certificate chain and its key, in files."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    """Vouches for pairs that lie in a folder."""

    folder: Path
    name: str = "ca"
    _ca: trustme.CA = field(default_factory=trustme.CA)

    @property
    def file(self) -> Path:
        """Its own certificate."""
        path = self.folder / f"{self.name}.pem"
        if not path.exists():
            self._ca.cert_pem.write_to_path(path)
        return path

    def vouch(self, name: str, *identities: str, for_days: float = 90.0) -> Pair:
        """Make a pair; the name is its common name and its files', identities are DNS and IP."""
        until = datetime.now(UTC) + timedelta(days=for_days)
        made = self._ca.issue_cert(
            *(identities or (f"{name}.hospital.example",)),
            common_name=name,
            not_before=min(until, datetime.now(UTC)) - timedelta(days=1),
            not_after=until,
        )
        pair = Pair(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        made.private_key_pem.write_to_path(pair.key)
        pair.certificate.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        return pair

    def door(self) -> Pair:
        """Make a pair for a listener on this machine."""
        return self.vouch("door", "127.0.0.1", "localhost")


def lock(door: Pair, authority: Authority | None = None) -> dict[str, Any]:
    """Return the listener's settings for a locked door; with an authority senders are asked."""
    client_ca = {"tls_client_ca": authority.file} if authority else {}
    return {"tls_certificate": door.certificate, "tls_key": door.key, **client_ca}
