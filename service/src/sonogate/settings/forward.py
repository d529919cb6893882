"""The knobs of passing on: where objects go after they are kept, and how."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator

from sonogate.settings.kinds import AETitleText, HomePath, Seconds, Section

_NEEDS = {"dicom": ("host", "port", "ae_title"), "stow": ("url",), "folder": ("folder",)}


class DestinationSettings(Section):
    """One destination of every kept object: an archive (PACS), a DICOMweb server or a folder."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$", examples=["pacs"])
    """Our name for it, in metrics, REST and logs: lower-case letters, digits, - and _. What is owed
    is owed to this name: keep it when the address changes."""
    kind: Literal["dicom", "stow", "folder"] = "dicom"
    """dicom: C-STORE; stow: STOW-RS over HTTP; folder: one file for each object."""
    mode: Literal["all", "tag", "hold_low_until_decided"] = "all"
    """all: every object at once; tag: likewise, and our results after them; hold_low_until_decided:
    an object waits for its verdict, and a low one until it is taken again, overridden, its study
    closed, or hold_seconds are over."""
    hold_seconds: Annotated[float, Field(gt=0, le=86_400)] = 1800.0
    """Longest time that hold_low_until_decided holds anything; longer than most exams, shorter than
    a reader's patience."""
    results: bool = False
    """Send our results (SR, KOS) as well; tag does so anyway."""
    host: str | None = Field(default=None, examples=["pacs.hospital.example"])
    """dicom: its name or address."""
    port: int | None = Field(default=None, ge=1, le=65535, examples=[11112])
    """dicom: its port."""
    ae_title: AETitleText | None = Field(default=None, examples=["PACS"])
    """dicom: its AE title."""
    calling_ae: Literal["own", "original"] = "own"
    """dicom: call as listener.ae_title, or as the sender that the object came from."""
    tls_ca: HomePath | None = Field(default=None, examples=["/etc/sonogate/tls/pacs-ca.pem"])
    """PEM file of the authorities that vouch for it; dicom: with it TLS only is spoken; stow:
    without it the machine's own trust store counts."""
    tls_certificate: HomePath | None = Field(
        default=None, examples=["/etc/sonogate/tls/gate-client.pem"]
    )
    """PEM file of our client certificate chain."""
    tls_key: HomePath | None = Field(default=None, examples=["/etc/sonogate/tls/gate-client.key"])
    """PEM file of its private key, without passphrase."""
    url: str | None = Field(
        default=None,
        examples=["https://pacs.hospital.example/dicom-web"],
        pattern=r"^https?://[^/\s]+",
    )
    """stow: base of its DICOMweb service; /studies is added."""
    token: SecretStr | None = Field(default=None, examples=["write its bearer token here"])
    """stow: sent as Authorization: Bearer."""
    folder: HomePath | None = Field(default=None, examples=["/mnt/archive/sonogate"])
    """folder: where to write; an existing folder, else a disk that is not mounted would go
    unnoticed."""
    decompress: Literal["never", "lossless"] = "lossless"
    """What to do if it refuses an object's transfer syntax: never: the object is refused, an alarm
    says so; lossless: decode it to Explicit VR Little Endian where its coding lost nothing, else
    refuse it likewise."""
    associations: Annotated[int, Field(ge=1, le=16)] = 2
    """Associations or requests open at once, each for another study; two, so that a cine does not
    hold up the next room's stills."""
    batch_objects: Annotated[int, Field(ge=1, le=500)] = 50
    """Objects of one study sent in one association before others have their turn."""
    answer_seconds: Seconds = 60.0
    """How long it may take over an answer, or over taking the next piece of an object."""
    retry_max_seconds: Annotated[float, Field(ge=1, le=86_400)] = 300.0
    """Longest wait before a failed destination or object is tried again; waits double up to it."""
    max_attempts: Annotated[int, Field(ge=1, le=1000)] = 8
    """Tries of an object that the destination itself finds fault with; then it is refused."""

    @property
    def wants_results(self) -> bool:
        """Whether our own results go there too."""
        return self.results or self.mode == "tag"

    @model_validator(mode="after")
    def _names_its_place(self) -> "DestinationSettings":
        missing = [key for key in _NEEDS[self.kind] if getattr(self, key) is None]
        if missing:
            raise ValueError(f"kind {self.kind} needs {' and '.join(missing)}")
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("tls_certificate and tls_key go together; set both or neither")
        if self.kind == "dicom" and self.tls_certificate and not self.tls_ca:
            raise ValueError("tls_certificate is shown over TLS only: set tls_ca as well")
        return self


class ForwardSettings(Section):
    """Passing objects on."""

    destinations: tuple[DestinationSettings, ...] = ()
    """Where every kept DICOM object goes, as received; without any, it stays here."""

    @model_validator(mode="after")
    def _names_differ(self) -> "ForwardSettings":
        names = [each.name for each in self.destinations]
        if len(set(names)) < len(names):
            raise ValueError("two destinations have the same name; give each its own")
        return self
