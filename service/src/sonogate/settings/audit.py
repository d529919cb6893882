"""The knobs of the audit trail, and of those it is sent to."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sonogate.settings.kinds import HomePath, Seconds, Section

_PORTS = {"tls": 6514, "udp": 514}


class AuditRepositorySettings(Section):
    """One audit record repository (syslog server) to which the trail is sent as it grows."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$", examples=["arr"])
    """Our name for it, in metrics and logs: lower-case letters, digits, - and _. How far the trail
    was sent is remembered under this name: keep it when the address changes."""
    host: str = Field(examples=["audit.hospital.example"])
    """Its name or address."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = Field(default=None, examples=[6514])
    """Its port; none: 6514 over TLS, 514 over UDP."""
    transport: Literal["tls", "udp"] = "tls"
    """tls: RFC 5425, at least once; udp: RFC 5426, neither secret nor sure to arrive."""
    tls_ca: HomePath | None = Field(default=None, examples=["/etc/sonogate/tls/audit-ca.pem"])
    """PEM file of the authorities that vouch for it; none: the machine's own trust store."""
    tls_certificate: HomePath | None = Field(
        default=None, examples=["/etc/sonogate/tls/gate-client.pem"]
    )
    """PEM file of our client certificate chain."""
    tls_key: HomePath | None = Field(default=None, examples=["/etc/sonogate/tls/gate-client.key"])
    """PEM file of its private key, without passphrase."""
    answer_seconds: Seconds = 30.0
    """How long it may take to be connected to, or to take some messages."""
    retry_max_seconds: Annotated[float, Field(ge=1, le=86_400)] = 300.0
    """Longest wait before it is tried again; waits double up to it."""

    @property
    def wire_port(self) -> int:
        """The port that counts."""
        return self.port or _PORTS[self.transport]

    @model_validator(mode="after")
    def _a_lock_is_whole(self) -> "AuditRepositorySettings":
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("tls_certificate and tls_key go together; set both or neither")
        if self.transport == "udp" and (self.tls_ca or self.tls_certificate):
            raise ValueError("over UDP nothing is encrypted: take tls_* away, or set transport")
        return self


class AuditSettings(Section):
    """Who sent, read, decided and changed settings."""

    window_seconds: Annotated[float, Field(ge=1, le=3600)] = 300.0
    """One entry per reader and study, per sender and study, and per refused peer in so much time,
    however often they come: a page left open would fill the trail. DICOM asks for no more."""
    retention_days: Annotated[float, Field(ge=366)] = 3650.0
    """Entries go after this time: ten years, as long as pictures are kept in many places. Within a
    year the database itself refuses to let go of one."""
    repositories: tuple[AuditRepositorySettings, ...] = ()
    """Where the trail is sent to, from the gate's start on at which a repository is named first."""

    @model_validator(mode="after")
    def _names_differ(self) -> "AuditSettings":
        names = [each.name for each in self.repositories]
        if len(set(names)) < len(names):
            raise ValueError("two audit repositories have the same name; give each its own")
        return self
