"""The knobs of what carts say beside their objects: exam steps and requests for commitment."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sonogate.settings.kinds import AETitleText, HomePath, Port, Seconds, Section


class MppsServerSettings(Section):
    """One MPPS server of the site (RIS or PACS); a cart usually can address one only."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$", examples=["ris"])
    """Our name for it, in metrics and logs: lower-case letters, digits, - and _."""
    host: str = Field(examples=["ris.hospital.example"])
    """Its name or address."""
    port: Annotated[int, Field(ge=1, le=65535)] = Field(examples=[11112])
    """Its port."""
    ae_title: AETitleText = Field(examples=["RIS_MPPS"])
    """Its AE title."""
    calling_ae: Literal["own", "original"] = "original"
    """Call as listener.ae_title, or as the cart that the message came from; servers tell carts
    apart by it."""
    tls_ca: HomePath | None = Field(default=None, examples=["/etc/sonogate/tls/ris-ca.pem"])
    """PEM file of the authorities that vouch for it; with it TLS only is spoken."""
    tls_certificate: HomePath | None = Field(
        default=None, examples=["/etc/sonogate/tls/gate-client.pem"]
    )
    """PEM file of our client certificate chain."""
    tls_key: HomePath | None = Field(default=None, examples=["/etc/sonogate/tls/gate-client.key"])
    """PEM file of its private key, without passphrase."""
    answer_seconds: Seconds = 30.0
    """How long it may take over an answer."""
    retry_max_seconds: Annotated[float, Field(ge=1, le=86_400)] = 300.0
    """Longest wait before a message is sent again; waits double up to it."""

    @model_validator(mode="after")
    def _a_lock_is_whole(self) -> "MppsServerSettings":
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("tls_certificate and tls_key go together; set both or neither")
        if self.tls_certificate and not self.tls_ca:
            raise ValueError("tls_certificate is shown over TLS only: set tls_ca as well")
        return self


class MppsSettings(Section):
    """Modality Performed Procedure Step: the cart says when an exam is over."""

    accept: bool = True
    """Serve MPPS on the DICOM port."""
    max_in_progress: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Steps in progress above which no more are created; carts forget to end some, so this is years
    of forgetting."""
    forward_to: tuple[MppsServerSettings, ...] = ()
    """Where every message is passed on, in order; without any, it stays here."""

    @model_validator(mode="after")
    def _names_differ(self) -> "MppsSettings":
        names = [each.name for each in self.forward_to]
        if len(set(names)) < len(names):
            raise ValueError("two MPPS servers have the same name; give each its own")
        return self


class CommitmentSettings(Section):
    """Storage Commitment: the cart asks whether it may delete its copy."""

    accept: bool = True
    """Serve Storage Commitment on the DICOM port."""
    means: Literal["kept", "stored"] = "stored"
    """kept: it is durable on this gate's disk, which keeps it for spool.retention_days only;
    stored: besides, every forward destination has taken it. Without destinations the two are the
    same."""
    wait_seconds: Annotated[float, Field(gt=0, le=7 * 86_400)] = 3600.0
    """How long a request waits for objects on their way to a destination, or held back; then they
    are reported as failed (0x0110), and the cart keeps its copy."""
    report_port: Port = 104
    """Port of senders that have none in listener.senders, for the report to a sender whose
    association is over; 104 is DICOM's registered port. 0: don't try."""
    retry_max_seconds: Annotated[float, Field(ge=1, le=86_400)] = 900.0
    """Longest wait before a report is sent again; waits double up to it."""
    give_up_seconds: Annotated[float, Field(gt=0)] = 3 * 86_400.0
    """A sender that can't be told for so long is given up; it may ask again. A weekend."""
    answer_seconds: Seconds = 30.0
    """How long a sender may take over its answer to a report."""
    max_open: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Requests not answered yet above which no more are taken (0x0213)."""
