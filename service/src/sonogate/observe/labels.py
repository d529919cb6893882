"""Labels whose values are chosen outside: how many are let through, and which.

A sender chooses its AE title. What it calls an exam may be anything that a person typed.
"""

from collections.abc import Iterable
from typing import Final

LABEL_LIMIT = 100

EXAM_TYPES: Final = frozenset({
    "ABDOMEN", "ABDOMENPELVIS", "ADRENAL", "ANKLE", "ANUS", "AORTA", "APPENDIX", "ARM", "ARTERY",
    "AXILLA", "BILEDUCT", "BLADDER", "BODY", "BRAIN", "BREAST", "BUTTOCK", "CALCANEUS", "CALF",
    "CAROTID", "CEREBELLUM", "CERVIX", "CHEEK", "CHEST", "CHESTABDOMEN", "CLAVICLE", "COLON",
    "DUODENUM", "ELBOW", "ESOPHAGUS", "EXTREMITY", "EYE", "EYELID", "FACE", "FINGER", "FOOT",
    "FOREARM", "GALLBLADDER", "GLUTEUS", "GROIN", "HAND", "HEAD", "HEADNECK", "HEART", "HIP",
    "HUMERUS", "ILEUM", "ILIAC", "JEJUNUM", "KIDNEY", "KNEE", "LARYNX", "LEG", "LIVER", "LUNG",
    "MEDIASTINUM", "NECK", "OVARY", "PANCREAS", "PAROTID", "PATELLA", "PELVIS", "PENIS",
    "PERINEUM", "PHARYNX", "PLACENTA", "PORTALVEIN", "PROSTATE", "RECTUM", "RENAL", "RIB", "SCALP",
    "SCAPULA", "SCROTUM", "SHOULDER", "SKIN", "SKULL", "SPINE", "SPLEEN", "STOMACH",
    "SUBMANDIBULAR", "TESTIS", "THIGH", "THORAX", "THUMB", "THYMUS", "THYROID", "TOE", "TONGUE",
    "TRACHEA", "UMBILICUS", "URETER", "URETHRA", "UTERUS", "VAGINA", "VEIN", "VULVA", "WHOLEBODY",
    "WRIST", "CARDIAC", "ECHO", "EMERGENCY", "FAST", "FETAL", "FETUS", "GYN", "MSK", "NERVE",
    "NEONATAL", "OB", "PEDIATRIC", "SMALL PARTS", "UROLOGY", "VASCULAR",
})  # fmt: skip
"""What carts call exams of ultrasound: values of Body Part Examined (PS3.16 Annex L), and the usual
names of presets."""


class LabelLimit:
    """Lets the first `limit` different values through and calls the rest "other"."""

    def __init__(self, limit: int = LABEL_LIMIT) -> None:
        self._limit = limit
        self._seen: set[str] = set()

    def __call__(self, value: str | None) -> str:
        """Return the label for a value; "none" for nothing."""
        if not value:
            return "none"
        if value not in self._seen and len(self._seen) >= self._limit:
            return "other"
        self._seen.add(value)
        return value


class KnownNames:
    """Lets known values through and calls the rest "other": they may name a patient."""

    def __init__(self, names: Iterable[str] = EXAM_TYPES) -> None:
        self._names = {name.upper() for name in names}

    def learn(self, names: Iterable[str]) -> None:
        """Let further values through: those that the settings name."""
        self._names.update(name.upper() for name in names)

    def __call__(self, value: str | None) -> str:
        """Return the label for a value; "none" for nothing."""
        if not value:
            return "none"
        name = value.upper()
        return name if name in self._names else "other"
