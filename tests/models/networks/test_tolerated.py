"""3 dB and one px count as no difference for uLPIPS; what a fault does besides still does."""

from typing import TYPE_CHECKING

import numpy as np
import pytest

from sonoquality.arrays import UnitImage
from tests.models.phantoms import SCANS, tissue

if TYPE_CHECKING:
    from torch import Tensor

pytestmark = pytest.mark.train
DB = 1.0 / 60.0  #: grey of one dB on a display of 60 dB


def picture() -> UnitImage:
    """Return layered speckle from black to white, on 8 bits."""
    drawn = tissue(SCANS["linear"], 0)[10:-10, 12:-12]
    bright = np.linspace(0.5, 1.6, drawn.shape[1], dtype=np.float32)
    return eight_bits(np.clip(drawn * bright, 0, 1))


def eight_bits(grey: UnitImage) -> UnitImage:
    """Round as a file does."""
    return np.asarray(np.rint(np.clip(grey, 0, 1) * 255) / 255, np.float32)


def taken_out(a: UnitImage, b: UnitImage) -> "tuple[Tensor, Tensor]":
    """Return the two without what counts as no difference, within a mask that holds all."""
    import torch

    from sonoquality.networks.tolerated import without_tolerated

    pair = [torch.from_numpy(np.ascontiguousarray(each))[None, None] for each in (a, b)]
    first, second, _ = without_tolerated(pair[0], pair[1], torch.ones_like(pair[0]))
    return first, second


def left(a: UnitImage, b: UnitImage) -> float:
    """Return the largest difference that is left."""
    first, second = taken_out(a, b)
    return float((first - second).abs().max())


@pytest.mark.parametrize("gain_db", [-3.0, -1.5, 1.5, 3.0])
def test_a_small_gain_is_taken_out_though_it_cuts_off(gain_db: float) -> None:
    """Black and white that the gain made are made in the other picture too."""
    a = picture()
    b = eight_bits(a + gain_db * DB)

    assert (np.abs(a - b) > 0.02).mean() > 0.9
    assert max(left(a, b), left(b, a)) < 1.5 / 255


@pytest.mark.parametrize("gain_db", [-12.0, -6.0, 6.0, 12.0])
def test_of_a_larger_gain_3_db_are_taken_out(gain_db: float) -> None:
    """What goes beyond is a fault, and the more the larger."""
    a = picture()
    first, second = taken_out(a, eight_bits(a + gain_db * DB))
    away = (second - first)[(first < 1) & (second < 1)].median().item()

    assert away == pytest.approx((gain_db - np.sign(gain_db) * 3) * DB, abs=0.01)


@pytest.mark.parametrize("place", [(0, 1), (0, -1), (1, 0), (-1, 1)])
def test_a_move_by_one_px_is_taken_out_with_a_gain(place: tuple[int, int]) -> None:
    """Alone and with 2 dB."""
    a = picture()
    b = np.roll(a, place, (0, 1))
    b[:1], b[-1:], b[:, :1], b[:, -1:] = a[:1], a[-1:], a[:, :1], a[:, -1:]
    inner = (slice(None), slice(None), slice(3, -3), slice(3, -3))
    for moved in (b, eight_bits(b + 2 * DB)):
        first, second = taken_out(a, moved)
        assert (first - second)[inner].abs().max().item() < 1.5 / 255


def test_a_fault_is_left_as_it_is() -> None:
    """A dark place, noise, two px, another contrast: the very pictures come back."""
    a = picture()
    dark = a.copy()
    dark[40:90, 40:90] = 0.0
    noise = np.random.default_rng(0).normal(size=a.shape).astype(np.float32)
    for b in (dark, eight_bits(a + 0.1 * noise), np.roll(a, 2, 1), eight_bits(0.5 * a)):
        first, second = taken_out(a, b)
        assert np.array_equal(a, first[0, 0].numpy())
        assert np.array_equal(b, second[0, 0].numpy())


def test_a_fault_with_a_gain_keeps_the_fault() -> None:
    """A white label over a brighter picture: the gain goes, the label stays."""
    a = picture()
    b = eight_bits(a + 3 * DB)
    b[40:60, 40:90] = 1.0
    first, second = taken_out(a, b)
    away = (first - second).abs()[0, 0]

    assert away[40:60, 40:90].mean() > 0.3
    assert away[70:].max() < 1.5 / 255


def test_the_order_of_the_two_does_not_count() -> None:
    """Either is the reference; of many with one reference each is as by itself."""
    import torch

    from sonoquality.networks.tolerated import without_tolerated

    a = picture()
    others = [eight_bits(a + 2 * DB), a, np.roll(a, 1, 1)]
    for b in others:
        there, back = taken_out(a, b), taken_out(b, a)
        assert torch.equal(there[0], back[1])
        assert torch.equal(there[1], back[0])
    many = torch.from_numpy(np.stack(others))[:, None]
    first, second, _ = without_tolerated(
        torch.from_numpy(a)[None, None], many, torch.ones_like(many)
    )
    for number, b in enumerate(others):
        alone = taken_out(a, b)
        assert torch.equal(alone[0][0], first[number])
        assert torch.equal(alone[1][0], second[number])
