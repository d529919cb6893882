"""What ships is named alike wherever it is named."""

import re
import tomllib

from sonogate.settings import ScoringSettings
from sonoquality.card import ModelCard
from sonoquality.training.experts import read_recipe
from sonoquality.zoo import HUMBLE, JOINED, SHIPPED, default_zoo
from tests.conftest import ROOT


def test_the_gate_asks_for_the_joined_entry() -> None:
    """Its default, the recipe that joins it and its own card name one entry."""
    recipe = tomllib.loads((ROOT / "models" / "recipes" / "joined.toml").read_text())
    card = ModelCard.read(default_zoo() / JOINED)

    assert JOINED.as_posix() == ScoringSettings().model
    assert JOINED.as_posix() == f"joined/{recipe['version']}"
    assert JOINED.as_posix() == f"{card.name}/{card.version}"


def test_nrq_is_named_alike() -> None:
    """The recipe that fits it, the trials' target and its own card name one entry."""
    recipe = read_recipe(ROOT / "models" / "recipes" / "nrq.toml")
    card = ModelCard.read(default_zoo() / SHIPPED)
    tried = re.search(r"^NRQ := models/zoo/(\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert SHIPPED.as_posix() == f"{recipe.name}/{recipe.version}"
    assert SHIPPED.as_posix() == f"{card.name}/{card.version}"
    assert tried
    assert SHIPPED.as_posix() == tried[1]


def test_no_other_entry_bears_its_name() -> None:
    """One version of each model ships: what a card says of an older one would grow stale."""
    names = sorted(card.parent.relative_to(default_zoo()) for card in default_zoo().rglob("*.toml"))

    assert {SHIPPED, HUMBLE, JOINED} <= set(names)
    assert len({name.parts[0] for name in names}) == len(names)
