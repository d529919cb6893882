"""Which model the settings name, told from its card alone: no model is loaded."""

import hashlib
from pathlib import Path

from sonogate.domain.calibration import CalibratedModel
from sonogate.errors import ModelError
from sonogate.settings import ScoringSettings
from sonoquality.card import ModelCard, ModelCardError
from sonoquality.zoo import CARD_FILE, default_zoo


def entry_of(settings: ScoringSettings) -> Path:
    """Return the folder of the zoo entry that the settings name."""
    return (settings.zoo or default_zoo()) / Path(settings.model)


def named_model(settings: ScoringSettings) -> CalibratedModel:
    """Return who the model is, and the hash of its card: the card holds the scale of quality.

    Raises:
        ModelError: there is no such entry, or its card can't be read.
    """
    entry = entry_of(settings)
    try:
        card = ModelCard.read(entry)
        card_sha256 = hashlib.sha256((entry / CARD_FILE).read_bytes()).hexdigest()
    except (ModelCardError, OSError) as error:
        raise ModelError(f"scoring.model = {settings.model!r}: {error}") from error
    return CalibratedModel(
        name=card.name, version=card.version, sha256=card.sha256, card_sha256=card_sha256
    )
