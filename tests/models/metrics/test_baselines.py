"""The features measure what they say, and only inside the mask."""

import numpy as np

from sonoquality.metrics import baselines as b


def windows(seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Return two windows of noise."""
    return np.random.default_rng(seed).uniform(0.1, 0.9, (2, 1, 224, 224)).astype(np.float32)


def test_every_detail_of_a_block_is_in_exactly_one_band() -> None:
    """15 bands share the 255 coefficients beside the mean."""
    matrix = b.band_matrix()

    assert matrix.shape == (256, 15)
    assert [0, 255] == [int((matrix[:1] > 0).sum()), int((matrix > 0).sum())]
    assert np.allclose(matrix.sum(axis=0), 1.0)


def test_stripes_along_and_across_the_beam_fall_into_different_orientations() -> None:
    """The three orientations of a radius tell rows from columns."""
    wave = 0.5 + 0.4 * np.cos(np.pi * (np.arange(16) + 0.5) * 5 / 16)
    rows = np.tile(wave[:, None], (14, 224))[None]
    along = b.block_features(rows, np.ones_like(rows))[0][0, 0, 0, :15]
    across = b.block_features(rows.swapaxes(1, 2), np.ones_like(rows))[0][0, 0, 0, :15]

    assert int(along.argmax()) // 3 == int(across.argmax()) // 3
    assert {0, 2} == {int(along.argmax()) % 3, int(across.argmax()) % 3}


def test_what_lies_outside_the_mask_changes_nothing() -> None:
    """Text that is masked out may be any grey."""
    image, mask = windows(), np.ones((2, 1, 224, 224), dtype=np.float32)
    mask[:, :, 60:75, 20:200] = 0.0
    other = np.where(mask > 0, image, 1.0 - image).astype(np.float32)

    assert np.allclose(b.window_features(image, mask), b.window_features(other, mask))


def test_black_blocks_count_as_dark_and_empty() -> None:
    """A black window is not left out: its share of dark is 1 and its energies are at the floor."""
    black, mask = np.zeros((1, 1, 224, 224)), np.ones((1, 1, 224, 224))
    found = b.window_features(black.astype(np.float32), mask.astype(np.float32))[0]

    assert found[17] == 1.0
    assert np.allclose(found[:15], np.log(b.ENERGY_FLOOR))


def test_block_features_for_the_map_are_the_mean_of_their_neighbours() -> None:
    """The middle of a 3x3 is the plain mean; a masked-out block takes no part."""
    image, mask = windows(), np.ones((2, 1, 224, 224), dtype=np.float32)
    mask[:, :, :16, :16] = 0.0
    fine, _ = b.block_features(image[:, 0].astype(float), mask[:, 0].astype(float))
    tokens, counts = b.token_features(image, mask)

    assert np.allclose(tokens[0, 5, 5, :19], fine[0, 4:7, 4:7].mean(axis=(0, 1)))
    three = (fine[0, 0, 1] + fine[0, 1, 0] + fine[0, 1, 1]) / 3.0
    assert np.allclose(tokens[0, 0, 0, :19], three)
    assert counts[0, 0, 0] == 0.0
