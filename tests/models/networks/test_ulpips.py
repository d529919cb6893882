"""uLPIPS in `robust` mode is a distance, in batches, and a picture can be improved along it."""

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import special

from sonoquality.arrays import Floats, UnitImage
from sonoquality.metrics.area import resize_area
from tests.models.phantoms import SCANS, tissue

if TYPE_CHECKING:
    import torch

    from sonoquality.networks.ulpips import Ulpips

pytestmark = pytest.mark.train
SIZES = [(224, 224), (100, 80), (260, 320), (448, 230)]


@pytest.fixture(scope="module")
def distance() -> "Ulpips":
    """A small encoder with random weights; the properties hold for any."""
    import torch

    from sonoquality.networks.profiles import EncoderProfile
    from sonoquality.networks.ulpips import Ulpips
    from sonoquality.networks.vit import VisionTransformer

    torch.manual_seed(0)
    profile = EncoderProfile(
        name="tiny", width=24, depth=3, heads=3, channels=1, taps=(1, 3), class_token=True
    )
    encoder = VisionTransformer(profile)
    for weight in encoder.parameters():
        torch.nn.init.normal_(weight, std=0.15)
    return Ulpips(encoder)


@pytest.fixture(scope="module")
def noted(distance: "Ulpips") -> "Ulpips":
    """The same encoder with the recipe of SCIENCE 6c: every part and view counts."""
    from sonoquality.networks.ulpips import UlpipsRecipe

    recipe = UlpipsRecipe(
        structure=0.6, gram=0.2, token=0.2, whole=0.5, centred=False, power=1.0, tolerant=False
    )
    return type(distance)(distance.encoder, recipe)


def picture(size: tuple[int, int], seed: int = 0) -> UnitImage:
    """Return layered speckle that fills the picture."""
    large = np.tile(tissue(SCANS["linear"], seed)[10:-10, 12:-12], (2, 2))
    return large[: size[0], : size[1]]


def batch(*pictures: UnitImage) -> "torch.Tensor":
    """Return (n, 1, height, width)."""
    import torch

    return torch.from_numpy(np.stack(pictures))[:, None]


@pytest.mark.parametrize("size", SIZES)
def test_identical_pictures_are_not_apart(
    distance: "Ulpips", noted: "Ulpips", size: tuple[int, int]
) -> None:
    """Exactly 0, everywhere."""
    found = distance.compare(batch(picture(size)), batch(picture(size)))

    assert 0.0 == found.distance.item()
    assert 0.0 == noted(batch(picture(size)), batch(picture(size))).item()
    assert 0.0 == found.map.abs().max().item()
    assert (1, *size) == found.map.shape


@pytest.mark.parametrize("size", SIZES)
def test_the_distance_is_symmetric_and_within_bounds(
    distance: "Ulpips", noted: "Ulpips", size: tuple[int, int]
) -> None:
    """Either picture may be called the reference."""
    a, b = batch(picture(size)), batch(picture(size, seed=1))

    for each in (distance, noted):
        assert each(a, b).item() == each(b, a).item()
        assert 0.0 < each(a, b).item() < 1.0


def test_a_batch_gives_what_single_pictures_give(distance: "Ulpips") -> None:
    """The released function mixes a batch's tokens; here each pair stands for itself."""
    pairs = [(picture((300, 260), i), picture((300, 260), i // 2)) for i in range(3)]
    together = distance.compare(*(batch(*each) for each in zip(*pairs, strict=True)))
    alone = [distance.compare(batch(a), batch(b)) for a, b in pairs]

    assert together.distance.tolist() == pytest.approx([x.distance.item() for x in alone], abs=1e-6)
    assert np.allclose(together.map, np.concatenate([x.map for x in alone]), atol=1e-6)


@pytest.mark.parametrize("size", [(224, 224), (120, 90), (300, 250)])
def test_following_the_gradient_lowers_the_distance(
    distance: "Ulpips", size: tuple[int, int]
) -> None:
    """Pixels of a noisy picture move towards the clean one's relations."""
    import torch

    clean, noise = (
        batch(picture(size)),
        torch.from_numpy(np.random.default_rng(5).normal(size=size)),
    )
    moved = (clean + 0.2 * noise[None, None].float()).requires_grad_()
    optimiser = torch.optim.Adam([moved], lr=0.02)
    course = []
    for _ in range(8):
        optimiser.zero_grad()
        loss = distance(moved, clean).mean()
        loss.backward()
        optimiser.step()
        course.append(loss.item())

    assert course[-1] < 0.8 * course[0]
    assert all(weight.grad is None for weight in distance.encoder.parameters())


def test_the_gradient_of_identical_pictures_is_nought_not_nan(distance: "Ulpips") -> None:
    """Norms have no slope at 0; training must survive a perfect restoration."""
    a = batch(picture((224, 224)))
    b = a.clone().requires_grad_()
    distance(b, a).sum().backward()

    assert b.grad is not None
    assert 0.0 == b.grad.abs().max().item()


def test_the_gradient_is_that_of_finite_differences(noted: "Ulpips") -> None:
    """In double precision, along a random direction; what is made anew changes nothing."""
    import torch

    double = type(noted)(noted.encoder.double(), noted.recipe)
    a, b = batch(picture((224, 224))).double(), batch(picture((224, 224), 1)).double()
    along = torch.from_numpy(np.random.default_rng(2).normal(size=(1, 1, 224, 224)))
    b.requires_grad_()
    double(b, a).sum().backward()
    assert b.grad is not None
    step = 1e-6
    slope = (double(b + step * along, a) - double(b - step * along, a)).item() / (2 * step)
    noted.encoder.float()

    assert slope == pytest.approx((b.grad * along).sum().item(), rel=1e-3)


def test_in_one_window_it_equals_its_formulas(noted: "Ulpips") -> None:
    """SCIENCE.md §6c written down in loops: mean total variation, scaled Gram, direct tokens."""
    import torch

    a, b = batch(picture((224, 224))), batch(picture((224, 224), 3))
    with torch.no_grad():
        taps, others = (noted.encoder.tokens((each - 0.5) / 0.5) for each in (a, b))
    layers = [
        formulas(tap[0].numpy(), other[0].numpy()) for tap, other in zip(taps, others, strict=True)
    ]

    assert np.mean(layers) == pytest.approx(noted(a, b).item(), rel=1e-4)


def formulas(tokens: Floats, others: Floats) -> float:
    """Return .6 D_struct + .2 D_gram + .2 D_tok of one layer, every token counting 1."""
    g, h = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (tokens, others))
    n, channels = g.shape
    structure = []
    for i in range(14):
        for j in range(14):
            rows = range(max(0, i - 3), min(14, i + 4))
            columns = range(max(0, j - 3), min(14, j + 4))
            near = [14 * row + column for row in rows for column in columns]
            p, q = (special.softmax(20.0 * x[near] @ x[near].T, axis=1) for x in (g, h))
            structure.append(0.5 * np.mean([np.abs(p[k] - q[k]).sum() for k in range(len(near))]))
    m, w = (x.T @ x / (n * channels) for x in (g, h))
    gram = channels / np.sqrt(2.0) * np.linalg.norm(m - w)
    token = np.mean([(1.0 - g[i] @ h[i]) / 2.0 for i in range(n)])
    return float(0.6 * np.mean(structure) + 0.2 * gram + 0.2 * token)


def test_one_reference_serves_many_pictures(distance: "Ulpips") -> None:
    """As comparing each by itself, under one mask; several masks would contradict each other."""
    import torch

    clean, others = batch(picture((300, 260))), [picture((300, 260), seed) for seed in (1, 2, 3)]
    mask = torch.zeros(1, 1, 300, 260)
    mask[..., 20:200] = 1.0
    together = distance(clean, batch(*others), mask)
    alone = [distance(clean, batch(other), mask).item() for other in others]

    assert together.tolist() == pytest.approx(alone, abs=1e-6)
    with pytest.raises(ValueError, match="several masks"):
        distance(clean, batch(*others), mask.expand(3, -1, -1, -1))


@pytest.mark.parametrize("size", [(224, 224), (300, 260)])
def test_a_recipe_weighs_the_parts(noted: "Ulpips", size: tuple[int, int]) -> None:
    """One part, tap and view alone is what `parts` says; all together are their weighted sum."""
    from dataclasses import replace

    a, b = batch(picture(size)), batch(picture(size, 1))
    parts = noted.parts(a, b)[0]
    one = replace(noted.recipe, structure=0.0, gram=0.0, token=1.0, whole=0.0, taps=(0.0, 3.0))
    found = type(noted)(noted.encoder, one)(a, b).item()
    weighed = 0.6 * parts[..., 0] + 0.2 * parts[..., 1] + 0.2 * parts[..., 2]

    assert ((1, 2, 3) if size == (224, 224) else (2, 2, 3)) == tuple(parts.shape)
    assert found == pytest.approx(parts[0, 1, 2].item(), rel=1e-5)
    assert noted(a, b).item() == pytest.approx(weighed.mean().item(), rel=1e-5)


def test_centred_tokens_are_compared_beside_their_mean(distance: "Ulpips") -> None:
    """What is the default, in loops: centred, made length 1, (1 - <g, h>) / 2, power mean of 4."""
    import torch

    a, b = batch(picture((224, 224))), batch(picture((224, 224), 3))
    with torch.no_grad():
        taps, others = (distance.encoder.tokens((each - 0.5) / 0.5) for each in (a, b))
    layers = []
    for tap, other in zip(taps, others, strict=True):
        g, h = (x[0].numpy() - x[0].numpy().mean(axis=0) for x in (tap, other))
        g, h = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (g, h))
        apart = [(1.0 - g[i] @ h[i]) / 2.0 for i in range(len(g))]
        layers.append(np.mean(np.power(apart, 4)) ** 0.25)

    assert np.mean(layers) == pytest.approx(distance(a, b).item(), abs=1e-4)
    assert distance(a, b).item() == distance(b, a).item()
    perfect = a.clone().requires_grad_()
    found = distance(perfect, a)
    found.sum().backward()
    assert 0.0 == found.item()
    assert perfect.grad is not None
    assert 0.0 == perfect.grad.abs().max().item()


def test_the_released_formula_is_that_of_paper_mode(distance: "Ulpips") -> None:
    """Many windows at once in fp32, beside the plain numpy of `ulpips_paper`."""
    from sonoquality.metrics import ulpips_paper
    from sonoquality.networks.encode import encode_with

    clean, others = picture((224, 224)), [picture((224, 224), seed) for seed in (1, 2)]
    encode = encode_with(distance.encoder)
    expected = [
        ulpips_paper.distance(encode(clean[None, None]), encode(other[None, None]))
        for other in others
    ]

    assert expected == pytest.approx(
        distance.released(batch(clean), batch(*others)).tolist(), rel=1e-4
    )


def test_the_map_is_highest_where_the_picture_was_spoiled(distance: "Ulpips") -> None:
    """A dark hole in the lower right of a large picture."""
    clean = picture((448, 336))
    spoiled = clean.copy()
    spoiled[300:400, 200:300] = 0.0

    found = distance.compare(batch(clean), batch(spoiled)).map[0]

    assert found[300:400, 200:300].mean() > 3.0 * found[:200, :150].mean()


def test_what_lies_outside_the_mask_is_not_looked_at(distance: "Ulpips") -> None:
    """A difference in the black frame alone hardly counts, and its map is empty there."""
    import torch

    a, b = picture((224, 224)), picture((224, 224))
    b[:, 150:] = picture((224, 224), 7)[:, 150:]
    mask = torch.zeros(1, 1, 224, 224)
    mask[..., :128] = 1.0

    found = distance.compare(batch(a), batch(b), mask)

    assert found.distance.item() < 0.5 * distance(batch(a), batch(b)).item()
    assert 0.0 == found.map[0, :, 128:].max().item()


def test_an_empty_mask_is_as_none(distance: "Ulpips") -> None:
    """A batch in which one scan was not found must not say that it is perfect."""
    import torch

    a, b = batch(picture((230, 240))), batch(picture((230, 240), 1))

    assert distance(a, b, torch.zeros_like(a)).item() == pytest.approx(
        distance(a, b).item(), rel=0.05
    )


def test_the_whole_picture_is_reduced_with_its_aspect_kept() -> None:
    """300 x 500 becomes 134 x 224, mirrored above and below; no small picture is enlarged."""
    from sonoquality.networks.views import look, whole_views

    (view,) = whole_views((300, 500))
    large = picture((260, 320))[:, :300].repeat(2, axis=0)[:500, :300].T
    seen = look(batch(np.ascontiguousarray(large)), (view,))[0, 0, 0].numpy()

    assert (134, 224) == view.reduced
    assert np.allclose(resize_area(large, (134, 224)), seen[view.inner], atol=1e-6)
    assert np.array_equal(seen[view.inner[0].start - 1], seen[view.inner[0].start + 1])
    assert () == whole_views((224, 100))


@pytest.mark.parametrize("size", [(224, 224), (90, 300), (448, 448), (700, 1000)])
def test_windows_cover_the_picture_and_maps_lie_where_they_were_seen(size: tuple[int, int]) -> None:
    """Token shares laid back onto the picture are 1 on all of it but a rim of 8 px."""
    import torch

    from sonoquality.networks.views import native_views, spread, token_shares

    views = native_views(size)
    mask = torch.ones(1, 1, *size)
    laid = spread(token_shares(mask, views, 16).reshape(1, len(views), 14, 14), views, size)

    assert laid.max().item() <= 1.0
    assert laid[0, 8:-8, 8:-8].min().item() > 0.0


@pytest.mark.parametrize(("height", "width"), [(224, 220), (15, 300)])
def test_pictures_that_can_t_be_compared_are_refused(
    distance: "Ulpips", height: int, width: int
) -> None:
    """Different sizes; less than one token."""
    import torch

    with pytest.raises(ValueError, match="two batches"):
        distance(torch.zeros(1, 1, height, width), torch.zeros(1, 1, 224, 224))
    with pytest.raises(ValueError, match="at least 16 px"):
        distance(torch.zeros(1, 1, 15, width), torch.zeros(1, 1, 15, width))
