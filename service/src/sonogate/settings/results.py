"""What the gate says as DICOM objects of its own, when, and who may reject an image."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from sonogate.settings.kinds import AETitleText, Seconds, Section

RejectBy = Literal["call", "override", "policy"]


class ResultsSettings(Section):
    """Results as DICOM objects: structured reports, key object selections, rejections."""

    enabled: bool = False
    """Whether results are made; off, since an archive should expect them first."""
    objects: tuple[Literal["report", "advice", "rejection"], ...] = ("report",)
    """What to make of a closed study: `report` is a structured report (TID 1500), `advice` a key
    object selection "Quality Issue" of what still needs re-acquiring, `rejection` one "Rejected for
    Quality Reasons" for each rejected image: archives hide such an image."""
    on_change: bool = True
    """Whether a change after the close (an override, an answer, a late image) makes new versions;
    false: only a close does."""
    delay_seconds: Seconds = 5.0
    """Results are made so long after the last change, so that three clicks make one version."""
    reject_by: RejectBy = "override"
    """Who rejects: `call` only a person's explicit request; `override` a person's override to low
    too; `policy` also, without a person, every low that a good re-acquisition replaced."""
    series_number: Annotated[int, Field(ge=1, le=9_999_990)] = 9900
    """Series Number of the reports; advice and rejections have the next two."""
    device_name: AETitleText | None = Field(default=None, examples=["GATE_ROOM2"])
    """Name of the gate as observer; default: the listener's AE title."""
    deadline_seconds: Seconds = 120.0
    """Writing the results of one study may take so long; then it is tried again."""
    dcm4chee_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/\s]+\S*$",
        examples=["https://archive.example/dcm4chee-arc/aets/DCM4CHEE/rs"],
    )
    """Address of a dcm4chee archive's DICOMweb service; each rejection that a person confirmed is
    told there, and its revocation; `objects` must have `rejection`."""
    dcm4chee_token: SecretStr | None = Field(default=None, examples=["the archive's bearer token"])
    """Bearer token for it."""
    dcm4chee_revoke_code: str = Field(
        default="REVOKE_REJECTION^99DCM4CHEE", pattern=r"^[A-Z0-9_.-]{1,16}\^[A-Z0-9_.-]{1,16}$"
    )
    """The archive's own code for a revocation, as its rejection notes are configured."""
    timeout_seconds: Seconds = 10.0
    """One call of the archive may take so long."""

    @property
    def rejections_by(self) -> RejectBy | None:
        """Who rejects; None: nobody, since no rejection is made."""
        return self.reject_by if self.enabled and "rejection" in self.objects else None
