"""Every code the gate's results use: the standard's where there is one, else our own scheme.

RadLex for the three bands (CID 7036), CID 7010 for titles, CID 7011 for reasons. Ultrasound has no
code for lost contact or too little gain, so those are of the private scheme `99SONOGATE`; each
names the nearest reason of CID 7011. A CodingSchemeVersion is never written: an archive may not
know a rejection note that bears one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sonogate.domain.verdict import Band

SCHEME: Final = "99SONOGATE"
"""Our designator (PS3.16 chapter 8: private ones begin with 99)."""


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept without a scheme version."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class OwnCode:
    """A concept of our own scheme."""

    value: str  #: at most 16 characters (VR SH)
    meaning: str  #: at most 64 characters (VR LO)
    used_for: str
    nearest: str = ""  #: code value in CID 7011 that a rejection for this reason bears

    @property
    def code(self) -> Code:
        """The concept as it is written."""
        return Code(self.value, SCHEME, self.meaning)


BANDS: Final[Mapping[Band, Code]] = {
    Band.HIGH: Code("RID12", "RADLEX", "Diagnostic quality"),
    Band.MEDIUM: Code("RID13", "RADLEX", "Limited quality"),
    Band.LOW: Code("RID14", "RADLEX", "Non-diagnostic quality"),
}
"""CID 7036 Image Diagnostic Quality."""

IMAGE_QUALITY: Final = Code("111101", "DCM", "Image Quality")
QUALITY_FINDING: Final = Code("111052", "DCM", "Quality Finding")
QUALITY_ASSESSMENT: Final = Code("111050", "DCM", "Quality Assessment")
QUALITY_ANALYSIS: Final = Code("133887000", "SCT", "Image quality analysis")
TITLE_MODIFIER: Final = Code("113011", "DCM", "Document Title Modifier")
QUALITY_ISSUE: Final = Code("113010", "DCM", "Quality Issue")
REJECTED: Final = Code("113001", "DCM", "Rejected for Quality Reasons")
NO_UNIT: Final = Code("1", "UCUM", "no units")

REASONS: Final[Mapping[str, Code]] = {
    code.value: code
    for code in (
        Code("111207", "DCM", "Image artifact(s)"),
        Code("111208", "DCM", "Grid artifact(s)"),
        Code("111209", "DCM", "Positioning"),
        Code("111210", "DCM", "Motion blur"),
        Code("111211", "DCM", "Under exposed"),
        Code("111212", "DCM", "Over exposed"),
        Code("111213", "DCM", "No image"),
        Code("111214", "DCM", "Detector artifact(s)"),
        Code("111215", "DCM", "Artifact(s) other than grid or detector artifact"),
        Code("111216", "DCM", "Mechanical failure"),
        Code("111217", "DCM", "Electrical failure"),
        Code("111218", "DCM", "Software failure"),
        Code("111219", "DCM", "Inappropriate image processing"),
        Code("111220", "DCM", "Other failure"),
        Code("111221", "DCM", "Unknown failure"),
        Code("113026", "DCM", "Double exposure"),
    )
}
"""CID 7011 Rejected for Quality Reasons, by code value."""
FOR_X_RAY: Final = frozenset({"111208", "111214", "113026"})
"""Reasons that no ultrasound image can have: grid, detector, double exposure."""
OTHER_REASON: Final = "111220"
"""The reason where no finding names one."""

FINDINGS: Final[Mapping[str, OwnCode]] = {
    "empty": OwnCode("EMPTY", "No tissue echoes", "finding", "111213"),
    "poor_contact": OwnCode("POOR_CONTACT", "Poor probe contact", "finding", "111215"),
    "shadowed": OwnCode("SHADOWED", "Acoustic shadow over the target", "finding", "111215"),
    "attenuated": OwnCode("ATTENUATED", "Too little penetration", "finding", "111211"),
    "too_dark": OwnCode("TOO_DARK", "Too little gain", "finding", "111211"),
    "too_bright": OwnCode("TOO_BRIGHT", "Too much gain", "finding", "111212"),
    "blurred": OwnCode("BLURRED", "Blurred", "finding", "111210"),
    "noisy": OwnCode("NOISY", "Noise covers the tissue", "finding", "111207"),
    "motion": OwnCode("MOTION", "Smeared by motion", "finding", "111210"),
    "clutter": OwnCode("CLUTTER", "Haze or side-lobe clutter", "finding", "111207"),
    "reverberation": OwnCode("REVERBERATION", "Reverberation", "finding", "111207"),
    "gain": OwnCode("GAIN", "Gain or depth gain does not fit", "finding", "111220"),
}
"""By the code of the verdict's finding."""

SCORE: Final = OwnCode("QUALITY", "Image quality score", "measurement, 0 to 100, 100 is best")
SEVERITY: Final = OwnCode("SEVERITY", "Severity of the finding", "measurement, 0 to 1, 1 is worst")
BY_ALGORITHM: Final = OwnCode(
    "BY_ALGORITHM",
    "Image quality before a person's decision",
    "evaluation, where a person's band counts instead; its value is a RadLex code",
)
STATE: Final = OwnCode("STATE", "State of the image", "evaluation; its value is one of the next")
UNSCORABLE: Final = OwnCode("UNSCORABLE", "Kept, but without a quality", "value of Image Quality")
NOT_GRADED: Final = OwnCode(
    "NOT_GRADED", "Nothing to grade, as a person says", "value of Image Quality"
)
UNCERTAIN: Final = OwnCode(
    "UNCERTAIN", "The algorithm does not trust itself here", "value of State of the image"
)
BY_PERSON: Final = OwnCode(
    "BY_PERSON", "A person decided the quality", "value of State of the image"
)
REPLACED: Final = OwnCode(
    "REPLACED", "A later image stands for this one", "value of State of the image"
)
REJECTED_NOW: Final = OwnCode(
    "REJECTED", "Rejected for quality reasons", "value of State of the image"
)
REVOKED: Final = OwnCode(
    "REVOKED", "An earlier rejection does not hold any more", "value of State of the image"
)

OWN_CODES: Final = (
    *FINDINGS.values(),
    SCORE,
    SEVERITY,
    BY_ALGORITHM,
    STATE,
    UNSCORABLE,
    NOT_GRADED,
    UNCERTAIN,
    BY_PERSON,
    REPLACED,
    REJECTED_NOW,
    REVOKED,
)
"""The whole private scheme."""


def reason_of(findings: list[str]) -> str:
    """Return the reason of CID 7011 nearest to the worst finding; findings come worst first."""
    for finding in findings:
        if finding in FINDINGS:
            return FINDINGS[finding].nearest
    return OTHER_REASON
