"""Ranks of labels: what lies near a clean image's label is told apart like the rest."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the [train] extra is not installed")

import torch

from sonoquality.labelling.spoiled import Copy
from sonoquality.networks.medqm import Medqm, MedqmShape, at_places
from sonoquality.results import rows
from sonoquality.training.medqm import loop, losses
from sonoquality.training.medqm.config import read_config
from sonoquality.training.medqm.examples import Example
from sonoquality.training.medqm.ranks import Ranks
from sonoquality.training.medqm.smoothing import smoothed
from tests.conftest import ROOT
from tests.models.training.test_medqm import CONFIG, SENTENCES, examples, quiet

pytestmark = pytest.mark.train
CROWDED = np.concatenate([np.linspace(0.2, 0.88, 40), np.linspace(0.9, 0.95, 60)])


def crowded() -> list[Example]:
    """One image whose labels mostly lie near those of the clean one, and one without labels."""
    (each,) = examples(1)
    copies = [Copy(kind="ladder", faults={"SPK": 1})] * len(CROWDED)
    return [replace(each, copies=copies, labels=CROWDED), replace(each, labels=None)]


def test_ranks_are_spread_where_labels_are_crowded() -> None:
    """A label has the share of copies below it; the order stays, and equals share a rank."""
    ranks = Ranks.among(crowded())
    found = ranks.of(CROWDED)
    assert found == pytest.approx((np.arange(100) + 0.5) / 100)
    assert Ranks(np.array([0.1, 0.9, 0.9, 0.9])).of(np.array([0.9])) == pytest.approx(5 / 8)


def test_speckle_alone_has_no_part_in_the_scale() -> None:
    """However many copies of it there are."""
    first, other = crowded()
    blanks = [Copy(kind="blank")] * len(CROWDED)
    with_blanks = replace(
        first, copies=[*first.copies, *blanks], labels=np.append(CROWDED, np.zeros(len(blanks)))
    )
    assert torch.equal(Ranks.among([with_blanks, other]).scale, Ranks.among([first]).scale)


def test_the_scale_leads_back_from_ranks_to_labels() -> None:
    """Within what lies between two of its knots; it never falls, and its ends are labels."""
    ranks = Ranks.among(crowded())
    back = at_places(ranks.scale, torch.from_numpy(ranks.of(CROWDED)).float())
    torch.testing.assert_close(back, torch.from_numpy(CROWDED).float(), atol=0.01, rtol=0)
    ends = at_places(ranks.scale, torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(ends, torch.tensor([0.2, 0.95]))


def test_without_ranks_a_place_is_the_quality() -> None:
    """And gradients pass."""
    places = torch.linspace(0, 1, 200, requires_grad=True)
    said = at_places(Medqm(MedqmShape(), SENTENCES).scale, places)
    torch.testing.assert_close(said, places)
    torch.autograd.backward(said.sum())
    assert places.grad is not None
    torch.testing.assert_close(places.grad, torch.ones(200))


def test_order_among_good_images_costs_ranks_alone() -> None:
    """Of labels, such a pair is too near to count."""
    ranks = Ranks.among(crowded())
    said, labels, images = np.array([0.91, 0.94]), np.array([0.94, 0.91]), torch.zeros(2)

    def lost(said: np.ndarray, wanted: np.ndarray) -> float:
        return float(losses.ranking(torch.from_numpy(said), torch.from_numpy(wanted), images))

    assert lost(said, labels) == 0
    assert lost(ranks.of(said), ranks.of(labels)) > 0.05


def test_ranks_move_towards_those_of_their_likes() -> None:
    """By themselves: the rank of a mean is not the mean of ranks."""
    first, second = examples(2)
    n = len(first.copies)
    given = [replace(first, ranks=np.full(n, 0.2)), replace(second, ranks=np.full(n, 0.8))]
    moved = smoothed(given, 0.5)
    assert moved[0].ranks == pytest.approx(np.full(n, 0.35))
    assert moved[0].labels == pytest.approx(first.labels)


def test_a_network_learns_by_ranks_and_says_labels(tmp_path: Path) -> None:
    """With little weight on labels themselves, what it says still lies on their scale and falls."""
    config = CONFIG.model_copy(update={"ranks": 1.0, "quality": 0.3, "n_steps": 120})
    given = examples()
    network = loop.load(loop.train(config, given, SENTENCES, tmp_path / "r", quiet), SENTENCES)
    said = loop.judged(network, given[0]).quality.numpy()
    assert given[0].labels is not None
    assert np.abs(said - given[0].labels).mean() < 0.15
    assert said[0] - said[-1] > 0.4


def test_a_run_by_ranks_orders_good_images(tmp_path: Path) -> None:
    """Its loss of order sees labels that one of labels cannot tell apart."""
    given = [replace(each, labels=np.linspace(0.95, 0.91, 6)) for each in examples()]
    for ranks, seen in ((0.0, False), (1.0, True)):
        config = CONFIG.model_copy(update={"ranks": ranks, "n_steps": 3})
        out = loop.train(config, given, SENTENCES, tmp_path / f"{ranks:g}", quiet)
        lines = rows.read(out / "curves.csv")
        assert all((float(line["ranking"]) > 0) == seen for line in lines)


def test_without_labels_there_are_no_ranks() -> None:
    """It says who gives labels."""
    with pytest.raises(ValueError, match="let diagnosticians judge"):
        Ranks.among(crowded()[1:])


def test_the_recipe_is_one() -> None:
    """Every key is known, and it learns by ranks."""
    assert read_config(ROOT / "models" / "recipes" / "medqm.toml").ranks > 0
