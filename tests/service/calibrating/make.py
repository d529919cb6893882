"""Calibrations made by hand."""

from datetime import UTC, datetime
from typing import Any

from sonogate.domain.calibration import Calibration, Expected

FIGURE = {"value": 0.7, "low": 0.6, "high": 0.8}
MODEL = {"name": "dct-manifold", "version": "1.0.0", "sha256": "ab" * 32, "card_sha256": "cd" * 32}
STRICT = ((0.0, 0.0), (60.0, 45.0), (90.0, 75.0), (100.0, 100.0))
"""A site whose medium begins at 60 and whose high begins at 90."""


def calibration(**changes: Any) -> Calibration:
    """A calibration of a strict site, with changes."""
    facts: dict[str, Any] = {
        "model": MODEL,
        "map": {"knots": STRICT},
        "bands": {"high_from": 75, "medium_from": 45},
        "provenance": {
            "made_at": datetime(2026, 11, 1, tzinfo=UTC),
            "made_by": "sonogate 0",
            "labels_sha256": "ef" * 32,
            "images": 90,
            "patients": 45,
            "high": 30,
            "medium": 30,
            "low": 30,
        },
        "expected": dict.fromkeys(Expected.model_fields, FIGURE),
    }
    return Calibration.model_validate(facts | changes)
