"""The transformer: its shapes, its taps, its identity."""

from dataclasses import replace

import pytest

from tests.conftest import need_extra

pytestmark = pytest.mark.train
torch = need_extra("torch", "train")

from sonoquality.networks.identity import sha256_of  # noqa: E402 - needs torch
from sonoquality.networks.profiles import PROFILES, SONOVIT, TINYUSFM, EncoderProfile  # noqa: E402
from sonoquality.networks.vit import Attention, VisionTransformer  # noqa: E402


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_every_tap_gives_196_tokens(profile: EncoderProfile) -> None:
    """In the order of the taps, without the class token."""
    tokens = VisionTransformer(profile).tokens(torch.zeros(1, profile.channels, 224, 224))

    assert [(1, 196, profile.width)] * len(profile.taps) == [tuple(t.shape) for t in tokens]
    assert profile.n_features == sum(t.shape[-1] for t in tokens)


def test_taps_are_counted_from_one() -> None:
    """The last tap of a network of two blocks is what both blocks made of the stream."""
    torch.manual_seed(0)
    small = VisionTransformer(replace(SONOVIT, depth=2, taps=(1, 2)))
    first, second = small.tokens(torch.rand(1, 1, 224, 224))

    assert torch.equal(second, small.blocks[1](first))


def test_other_sizes_and_channels_are_refused() -> None:
    """A picture of three channels is not for an encoder of one."""
    with pytest.raises(ValueError, match=r"\(n, 1, 224, 224\), got \(2, 3, 224, 224\)"):
        VisionTransformer(SONOVIT).tokens(torch.zeros(2, 3, 224, 224))


def test_any_number_changes_the_identity() -> None:
    """One weight of one bias is enough; half precision in between is another encoder."""
    torch.manual_seed(0)
    model = VisionTransformer(SONOVIT)
    before = sha256_of(model)
    assert before == sha256_of(model)
    with torch.no_grad():
        model.norm.bias[3] += 1e-7

    assert before != sha256_of(model)


def test_attention_is_that_of_torch() -> None:
    """The written-out attention equals the library's."""
    torch.manual_seed(0)
    attention = Attention(TINYUSFM)
    x = torch.randn(2, 5, 192)
    query, key, value = attention.qkv(x).reshape(2, 5, 3, 12, 16).permute(2, 0, 3, 1, 4)
    mixed = torch.nn.functional.scaled_dot_product_attention(query, key, value)

    assert torch.allclose(
        attention(x), attention.proj(mixed.transpose(1, 2).reshape(2, 5, 192)), atol=1e-6
    )
