"""Masked modelling: what is hidden, what is left, and what it costs to guess wrong."""

from typing import Any

import numpy as np
import pytest

from tests.conftest import need_extra

pytestmark = pytest.mark.train
torch = need_extra("torch", "train")
masking = need_extra("sonoquality.training.encoder.masking", "train")


def windows(n: int = 3) -> Any:
    """Noise, which holds every frequency."""
    return torch.rand(n, 224, 224, generator=torch.Generator().manual_seed(1))


def test_three_fifths_of_the_blocks_are_grey_and_the_rest_untouched() -> None:
    """29 of 49 blocks in every window, other ones in each; the tokens say which."""
    clean = windows()
    hidden = masking.hide(clean, np.random.default_rng(0))
    tokens = hidden.blocks.reshape(3, 14, 14)
    pixels = tokens.repeat_interleave(16, dim=1).repeat_interleave(16, dim=2)

    assert [29 * 4] * 3 == hidden.blocks.sum(dim=1).tolist()
    assert bool((tokens[0] != tokens[1]).any())
    assert bool((hidden.spatial[:, 0][pixels] == masking.GREY).all())
    assert torch.equal(hidden.spatial[:, 0][~pixels], clean[~pixels])
    assert torch.equal(hidden.pixels[0, 15].reshape(16, 16), clean[0, 16:32, 16:32])


def test_only_the_rings_asked_for_are_taken_away() -> None:
    """Ring 3 holds radii from 24 to 32 cycles; what is nearer or further stays."""
    clean = 0.25 + windows() / 2
    stopped = torch.zeros(3, 14, dtype=torch.bool)
    stopped[:, 3] = True
    left = torch.fft.fft2(masking.without_rings(clean, stopped)).abs()
    whole = torch.fft.fft2(clean).abs()

    assert float((left[:, 0, 28] / whole[:, 0, 28]).max()) < 0.05
    assert torch.allclose(left[:, 0, 10], whole[:, 0, 10], rtol=0.05)
    assert torch.allclose(left[:, 0, 50], whole[:, 0, 50], rtol=0.05)
    assert torch.allclose(masking.without_rings(clean, ~stopped & stopped), clean, atol=1e-5)


def test_the_mean_of_a_window_is_never_taken_away() -> None:
    """The lowest frequencies are protected even in the first ring."""
    clean = windows()
    stopped = torch.zeros(3, 14, dtype=torch.bool)
    stopped[:, 0] = True
    left = masking.without_rings(clean, stopped)

    assert torch.allclose(left.mean(dim=(1, 2)), clean.mean(dim=(1, 2)), atol=5e-3)


def test_a_decoder_that_knows_the_pixels_costs_nothing() -> None:
    """Tokens that are the pixels, and a decoder that hands them on; wrong ones cost their error."""
    hidden = masking.hide(windows(), np.random.default_rng(0))
    inside = torch.ones(3, 196, dtype=torch.bool)
    known, wrong = hidden.pixels, hidden.pixels + 0.25

    assert 0 == float(masking.masked(known, known, torch.nn.Identity(), hidden, inside))
    cost = masking.masked(wrong, wrong, torch.nn.Identity(), hidden, inside)
    assert pytest.approx(0.5, abs=1e-4) == float(cost)
    nothing = torch.zeros_like(inside)
    assert 0 == float(masking.masked(wrong, wrong, torch.nn.Identity(), hidden, nothing))


def test_shown_blocks_cost_nothing_in_the_spatial_view() -> None:
    """Only what was hidden must be told from the rest."""
    hidden = masking.hide(windows(), np.random.default_rng(0))
    inside = torch.ones(3, 196, dtype=torch.bool)
    shown_wrong = torch.where(hidden.blocks[..., None], hidden.pixels, hidden.pixels + 1)

    cost = masking.masked(shown_wrong, hidden.pixels, torch.nn.Identity(), hidden, inside)
    assert 0 == float(cost)
