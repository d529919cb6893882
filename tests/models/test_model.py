"""The shipped model says what its golden scores say; every known way to break it is caught."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import process_time

import numpy as np
import pytest

from sonoquality import golden, model, zoo
from sonoquality.arrays import Luma, ShapeError
from sonoquality.golden import PHANTOMS, differences, inputs_of
from sonoquality.metrics import manifold as manifolds
from sonoquality.metrics import reference
from sonoquality.metrics.baselines import window_features
from sonoquality.model import QualityModel
from sonoquality.preprocess import WindowSet, luma_of, windows_of, working_image
from sonoquality.zoo import PARENT_FILE, default_zoo

SHIPPED = default_zoo() / zoo.HUMBLE
NRQ = default_zoo() / zoo.SHIPPED
Mutation = Callable[[QualityModel, pytest.MonkeyPatch], QualityModel]


@pytest.fixture(scope="module")
def shipped() -> QualityModel:
    """The shipped model on the CPU, one thread."""
    return QualityModel.load(SHIPPED, providers=["cpu"])


@pytest.mark.calibration
@pytest.mark.parametrize("entry", [SHIPPED, NRQ], ids=["dct-manifold", "nrq"])
def test_the_model_gives_its_golden_scores(entry: Path) -> None:
    """The graph agrees with numbers that a plain reference computed, of NRQ with torch's help."""
    assert [] == differences(QualityModel.load(entry, providers=["cpu"]), entry)


@pytest.mark.calibration
def test_the_golden_scores_are_those_of_the_reference(shipped: QualityModel) -> None:
    """The file was not edited: the reference gives the same numbers from the parent manifold."""
    parents = manifolds.load(SHIPPED / PARENT_FILE, "window", "block")
    expected = golden.expected_scores(SHIPPED)

    for phantom in PHANTOMS:
        found = reference.score(*inputs_of(phantom), (parents[0], parents[1]), shipped.card)
        assert dict(expected[phantom.name]) == pytest.approx(found, abs=1e-3, rel=1e-4)


def direction_swapped(loaded: QualityModel, _: pytest.MonkeyPatch) -> QualityModel:
    """Read high badness as high quality."""
    turned = tuple(replace(a, quality=a.quality[::-1]) for a in loaded.card.scale.anchors)
    scale = replace(loaded.card.scale, anchors=turned)
    return replace(loaded, card=replace(loaded.card, scale=scale))


def mask_skipped(loaded: QualityModel, patch: pytest.MonkeyPatch) -> QualityModel:
    """Let every pixel of a window count."""

    def without_mask(*arguments: object) -> WindowSet:
        found = windows_of(*arguments)  # type: ignore[arg-type]
        return replace(found, masks=np.ones_like(found.masks))

    patch.setattr(model, "windows_of", without_mask)
    return loaded


def channels_swapped(loaded: QualityModel, patch: pytest.MonkeyPatch) -> QualityModel:
    """Take BGR for RGB."""

    def of_bgr(rgb: Luma) -> Luma:
        return luma_of(np.ascontiguousarray(rgb[..., ::-1]))

    patch.setattr(golden, "luma_of", of_bgr)
    return loaded


@pytest.mark.calibration
@pytest.mark.parametrize("entry", [SHIPPED, NRQ], ids=["dct-manifold", "nrq"])
@pytest.mark.parametrize("mutate", [direction_swapped, mask_skipped, channels_swapped])
def test_a_seeded_mutation_is_caught_by_the_golden_scores(
    entry: Path, mutate: Mutation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Direction, mask and order of channels are each held by the golden scores."""
    loaded = QualityModel.load(entry, providers=["cpu"])

    assert differences(mutate(loaded, monkeypatch), entry)


def test_window_energies_of_the_graph_equal_the_reference(shipped: QualityModel) -> None:
    """Window by window, float32 within a hundredth of a deviation."""
    parents = manifolds.load(SHIPPED / PARENT_FILE, "window", "block")
    for phantom in PHANTOMS:
        windows = windows_of(working_image(*inputs_of(phantom)))
        found = shipped.session.run(windows.pixels, windows.masks)
        expected = parents[0].energy(window_features(windows.pixels, windows.masks))
        blocks = reference.block_badness(windows, parents[1])

        assert np.allclose(found["energy"], expected, rtol=1e-4, atol=0.01)
        assert np.allclose(found["block_badness"], blocks, rtol=1e-3, atol=0.05)


def test_a_black_frame_is_as_bad_as_it_gets(shipped: QualityModel) -> None:
    """A probe in air gives no echoes: quality is low and the map is hot all over."""
    black = np.zeros((1, 480, 640), dtype=np.uint8)
    scan = np.ones((480, 640), dtype=np.bool_)

    found = shipped.score(black, scan)[0]

    assert found.quality < 20
    assert found.heat.mean() > 0.5


def test_a_scan_of_a_few_blocks_is_uncertain(shipped: QualityModel) -> None:
    """Too little to look at is said, not guessed."""
    luma, scan, overlay = inputs_of(PHANTOMS[0])
    scan = scan.copy()
    scan[100:] = False
    scan[:, 100:] = False

    assert shipped.score(luma[None], scan, overlay)[0].uncertain
    assert not shipped.score(luma[None], np.ones_like(scan), overlay)[0].uncertain


def test_frames_of_a_loop_do_not_influence_one_another(shipped: QualityModel) -> None:
    """A frame scores alone as it scores among others; quality and map are on their grids."""
    luma, scan, overlay = inputs_of(PHANTOMS[1])
    dark = (luma // 3).astype(np.uint8)

    alone = shipped.score(dark[None], scan, overlay)[0]
    among = shipped.score(np.stack([luma, dark, luma]), scan, overlay)[1]

    assert alone.quality == among.quality
    assert among.heat.shape == luma.shape
    assert 0.0 <= among.heat.min() <= among.heat.max() <= 1.0


def test_one_frame_without_its_axis_is_refused_with_the_remedy(shipped: QualityModel) -> None:
    """The message says what to pass."""
    luma, scan, _ = inputs_of(PHANTOMS[0])

    with pytest.raises(ShapeError, match=r"frame\[None\]"):
        shipped.score(luma, scan)


def test_a_still_is_scored_within_its_budget(shipped: QualityModel) -> None:
    """448 x 336, six windows, one thread: best of five within 40 ms, doubled for a busy machine."""
    luma, scan, overlay = inputs_of(PHANTOMS[0])

    def once() -> float:
        start = process_time()
        shipped.score(luma[None], scan, overlay)
        return process_time() - start

    assert min(once() for _ in range(5)) < 0.080


def test_the_zoo_entry_holds_everything(shipped: QualityModel) -> None:
    """Model, parent, card and golden scores lie together."""
    assert {"golden.json", "manifold.npz", "model.onnx", "model.toml"} == {
        path.name for path in Path(SHIPPED).iterdir()
    }
    assert ("dct-manifold", "1.0.0", "cpu") == (shipped.name, shipped.version, shipped.provider)
