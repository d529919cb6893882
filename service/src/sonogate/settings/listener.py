"""The knobs of the DICOM door: its names, its lock, who may enter and how much of it."""

from typing import Annotated

from pydantic import Field, IPvAnyNetwork, model_validator

from sonogate.settings.kinds import (
    GIB,
    KIB,
    LOOPBACK_HOSTS,
    MIB,
    AETitleText,
    Bytes,
    HomePath,
    Port,
    Seconds,
    Section,
)


class SenderSettings(Section):
    """One admitted sender. Tables of the same AE title are alternatives: one must fit whole."""

    ae_title: AETitleText = Field(examples=["VOLUSON1"])
    """Its AE title."""
    addresses: tuple[IPvAnyNetwork, ...] = Field(
        default=(), examples=[["192.0.2.17", "192.0.2.32/28"]]
    )
    """Where it sends from; empty: from anywhere."""
    certificate: str | None = Field(
        default=None, min_length=1, examples=["voluson1.hospital.example"]
    )
    """Its TLS client certificate: SHA-256 fingerprint, or a name in it (subject common name or a
    DNS name); none: any certificate that tls_client_ca vouches for."""
    port: Port | None = Field(default=None, examples=[11112])
    """Where it awaits Storage Commitment reports once its association is over, at the address that
    it asked from; none: commitment.report_port."""


class ListenerSettings(Section):
    """The DICOM door: Verification, Storage, MPPS and Storage Commitment SCP."""

    ae_title: AETitleText = "SONOGATE"
    """Our AE title."""
    host: str = "127.0.0.1"
    """Address to listen on; loopback until told otherwise."""
    port: Port = 11112
    """DICOM port; 0 picks a free one. 2762 is registered for DICOM over TLS."""
    tls_certificate: HomePath | None = Field(
        default=None, examples=["/etc/sonogate/tls/dicom-chain.pem"]
    )
    """PEM file of the listener's certificate chain; with it the port speaks TLS only."""
    tls_key: HomePath | None = Field(default=None, examples=["/etc/sonogate/tls/dicom-key.pem"])
    """PEM file of its private key, without passphrase."""
    tls_client_ca: HomePath | None = Field(
        default=None, examples=["/etc/sonogate/tls/carts-ca.pem"]
    )
    """PEM file of the authorities that vouch for senders; with it every sender needs a client
    certificate."""
    tls_client_crl: HomePath | None = Field(
        default=None, examples=["/etc/sonogate/tls/carts-crl.pem"]
    )
    """PEM file of those authorities' revocation lists. A sender on one is refused; so is every
    sender whose authority has no list here, or one that is out of date. Read anew as it changes."""
    processes: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes that share the port. 1: the gate's own answers. More: each is a process of its own,
    so that one that crashes ends its own associations only; the system spreads connections over
    them. Worth it where receiving keeps one core busy and others are idle; Linux only."""
    door_silent_seconds: Annotated[float, Field(ge=2, le=300)] = 15.0
    """A process of those that tells the gate nothing for so long, though asked, hangs: it is killed
    and another takes its place. Shorter than most carts wait for an answer, longer than a busy
    machine lets a process wait."""
    check_called_ae: bool = False
    """Reject associations that address another AE title."""
    senders: tuple[SenderSettings, ...] = ()
    """Senders admitted; without any, every one on loopback and none beyond it."""
    max_associations: Annotated[int, Field(gt=0, le=10_000)] = 500
    """Associations held open at once; carts keep theirs open for the whole exam. Connections that
    have not asked for one yet are bounded too: to this many and 64, shared out over `processes`."""
    max_sender_associations: Annotated[int, Field(gt=0, le=10_000)] = 100
    """Associations of one sender (AE title at an address) at once; one that forgets to close leaves
    room for the others."""
    sender_associations_per_minute: Annotated[int, Field(gt=0, le=1_000_000)] = 1200
    """Associations one sender may open a minute, all at once or spread; a cart that opens one for
    each image needs some dozens."""
    max_pdu_bytes: Annotated[int, Field(ge=16 * KIB, le=MIB)] = 256 * KIB
    """Largest P-DATA-TF we take; large PDUs receive a cine 1.3 to 1.6 times faster."""
    max_object_bytes: Bytes = 2 * GIB
    """Byte budget of one object; a 10 s uncompressed colour cine is about 1 GB."""
    max_association_bytes: Bytes = 64 * GIB
    """Byte budget of one association; a whole day of one cart stays under it."""
    artim_seconds: Seconds = 30.0
    """Time for the TLS handshake, then for the peer to ask for an association, and to close the
    connection (PS3.8 ARTIM)."""
    idle_seconds: Seconds = 3600.0
    """An association that says nothing for so long is aborted; an exam rarely takes an hour."""
    pdu_progress_seconds: Seconds = 30.0
    """A PDU or object that stops arriving half-way is given up after this time."""
    keep_seconds: Seconds = 20.0
    """An object that the disk has not kept after this time is answered with 0xA700; carts give up
    after 30 s or more. If the disk keeps it later, it counts, and its repetition is a duplicate."""
    extra_sop_classes: tuple[str, ...] = ()
    """Private SOP class UIDs to keep as well; they are judged not_applicable."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the door."""
        return self.host in LOOPBACK_HOSTS

    @model_validator(mode="after")
    def _a_lock_is_whole(self) -> "ListenerSettings":
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("tls_certificate and tls_key go together; set both or neither")
        if self.tls_client_ca and not self.tls_certificate:
            raise ValueError(
                "tls_client_ca asks senders for certificates over TLS: set tls_certificate and "
                "tls_key as well"
            )
        if self.tls_client_crl and not self.tls_client_ca:
            raise ValueError("tls_client_crl is about senders' certificates: set tls_client_ca")
        named = [sender.ae_title for sender in self.senders if sender.certificate]
        if named and not self.tls_client_ca:
            raise ValueError(
                f"the certificate of sender {named[0]} is never asked for: set tls_client_ca"
            )
        return self
