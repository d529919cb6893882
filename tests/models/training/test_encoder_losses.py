"""What an encoder is taught: targets that can be measured, losses that fall when it is right."""

import numpy as np
import pytest

from sonoquality.metrics.baselines import dct as baselines
from tests.conftest import need_extra

pytestmark = pytest.mark.train
torch = need_extra("torch", "train")
losses = need_extra("sonoquality.training.encoder.losses", "train")
targets = need_extra("sonoquality.training.encoder.targets", "train")
config = need_extra("sonoquality.training.encoder.config", "train")


def test_texture_targets_are_the_baselines_features() -> None:
    """Block by block at both scales, as the reference measures them with a full mask."""
    image = np.random.default_rng(3).uniform(0, 1, (2, 1, 224, 224)).astype(np.float32)
    whole = np.ones_like(image[:, 0], np.float64)
    fine, _ = baselines.block_features(image[:, 0].astype(np.float64), whole)
    coarse, _ = baselines.block_features(
        *baselines.half_scale(image[:, 0].astype(np.float64), whole)
    )
    found = targets.textures(torch.from_numpy(image), targets.texture_basis())
    found = found.reshape(2, 14, 14, 38).numpy()

    assert np.allclose(fine, found[..., :19], atol=1e-3)
    assert np.allclose(coarse, found[:, ::2, ::2, 19:], atol=1e-3)


def test_changes_are_nought_where_nothing_changed() -> None:
    """A clean rung and a copy of it; a brighter one reads as brighter."""
    pixels = torch.full((1, 3, 224, 224), 0.4)
    pixels[:, 2] += 0.1
    texture = targets.textures(pixels.flatten(0, 1)[:, None], targets.texture_basis())
    change, strength = targets.changes(pixels, texture.reshape(1, 3, 196, 38))
    inside = torch.ones(1, 196, dtype=torch.bool)

    assert not change[0, :2].any()
    assert torch.all(change[0, 2, :, 1] > 0.4)
    assert [0.0, 0.0, 1.0] == targets.visible(strength, inside)[0].tolist()


def test_a_fault_beside_the_window_does_not_show() -> None:
    """A change of two tokens of 196 shows a little; one in tokens outside the scan not at all."""
    strength = torch.zeros(1, 3, 196)
    strength[0, 1, :2], strength[0, 2, 100:] = 0.1, 0.1
    inside = torch.arange(196)[None] < 100
    shown = targets.visible(strength, inside)[0]

    assert 0 < float(shown[1]) < 0.2
    assert 0 == float(shown[2])


def test_detection_is_cheap_when_degraded_lies_outside() -> None:
    """Far beyond every clean window costs next to nothing; the other way round costs much."""
    bad = torch.tensor([[0.0, 0.5, 0.9]]).repeat(4, 1)
    out = torch.tensor([[-3.0, 1.0, 2.0]]).repeat(4, 1)

    assert float(losses.detection(out, bad)) < 1e-4
    assert float(losses.detection(-out, bad)) > 5
    assert 0 == float(losses.detection(-out, torch.zeros_like(bad)))


def test_a_ladder_is_cheap_in_order() -> None:
    """Rising rungs cost little, falling ones much, rungs without a difference nothing."""
    bad = torch.tensor([[0.0, 0.2, 0.6]])
    rising = torch.tensor([[-3.0, 0.0, 3.0]])

    assert float(losses.ladder(rising, bad)) < 1e-3
    assert float(losses.ladder(-rising, bad)) > 5
    assert 0 == float(losses.ladder(-rising, torch.zeros_like(bad)))


def test_a_weight_of_nought_leaves_a_loss_out() -> None:
    """The names of the losses are those of the configuration's weights."""
    from sonoquality.networks.profiles import SONOVIT

    torch.manual_seed(0)
    n = 2
    truth = losses.Truth(
        inside=torch.ones(n, 196, dtype=torch.bool),
        severity=torch.rand(n, 3, len(losses.TRAINED)),
        texture=torch.randn(n, 3, 196, 38),
        change=torch.randn(n, 3, 196, 3),
    )
    taps = [torch.randn(n, 3, 196, SONOVIT.width) for _ in SONOVIT.taps]
    every = losses.losses_of(taps, losses.Heads(SONOVIT), truth, config.LossWeights())
    some = config.LossWeights(texture=0, change=0)

    assert {name for name, weight in config.LossWeights() if weight} == set(every)
    assert all(torch.isfinite(value) for value in every.values())
    assert set(every) - {"texture", "change"} == set(
        losses.losses_of(taps, losses.Heads(SONOVIT), truth, some)
    )


def test_a_configuration_with_an_unknown_key_is_refused(tmp_path: "pytest.TempPathFactory") -> None:
    """A typing error must not become a default in silence."""
    from pathlib import Path

    place = Path(str(tmp_path)) / "run.toml"
    place.write_text("[weights]\nseverty = 1.0\n", encoding="utf-8")
    with pytest.raises(ValueError, match="severty"):
        config.read_config(place)
