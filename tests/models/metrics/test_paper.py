"""NRQ and uLPIPS in `paper` mode equal their formulas, on the tokens of a stand-in for an encoder.

The released numbers themselves are compared in tests/models/networks, where there is an encoder.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sonoquality.arrays import Luma, ShapeError, Tokens, Windows
from sonoquality.errors import (
    ManifoldError,
    OtherEncoderError,
    SmallImageError,
    UnknownOrganError,
)
from sonoquality.metrics import nrq_paper, ulpips_paper
from sonoquality.metrics.organ_model import load_organ_model
from tests.models.metrics import paper_formulas
from tests.models.metrics.organs import keep_arrays, organ

CHANNELS, TAPS = 12, 3
SIZES = [
    (224, 224),
    (100, 80),
    (99, 131),
    (225, 225),
    (300, 500),
    (448, 336),
    (560, 448),
    (700, 1000),
]


def picture(size: tuple[int, int], seed: int = 3) -> Luma:
    """Return a smooth random picture."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (size[0] // 20 + 1, size[1] // 20 + 1), dtype=np.uint8)
    grown = np.kron(coarse, np.ones((20, 20), np.uint8))[: size[0], : size[1]]
    return (grown // 2 + rng.integers(0, 120, size, dtype=np.uint8)).astype(np.uint8)


def encode(windows: Windows) -> list[Tokens]:
    """Stand in for an encoder: each 16 px patch through fixed random layers."""
    patches = windows.reshape(-1, 14, 16, 14, 16).transpose(0, 1, 3, 2, 4).reshape(-1, 196, 256)
    layers = np.random.default_rng(0).normal(size=(TAPS, 256, CHANNELS)).astype(np.float32)
    return [np.tanh(patches @ layer / 4.0) for layer in layers]


@pytest.fixture
def keep(tmp_path: Path) -> Callable[..., Path]:
    """Return a writer of organ files with some arrays changed, None to leave one out."""

    def write(**changes: object) -> Path:
        arrays = {**organ(1, CHANNELS * TAPS), "D": np.int32(5), **changes}
        return keep_arrays(tmp_path / "Liver.npz", arrays)

    return write


@pytest.mark.parametrize("size", SIZES)
def test_windows_are_those_of_the_formulas(size: tuple[int, int]) -> None:
    """Padding, order and the draw of 16 agree, pixel for pixel."""
    luma = picture(size)

    cut = nrq_paper.windows_of(luma)

    assert np.allclose(np.stack(paper_formulas.windows(luma)), cut[:, 0], atol=1e-7)


@pytest.mark.parametrize("size", SIZES)
def test_nrq_equals_its_formulas(size: tuple[int, int], tmp_path: Path) -> None:
    """Under each organ model and under their mixture."""
    luma, arrays = (
        picture(size),
        {"Liver": organ(1, CHANNELS * TAPS), "Breast": organ(2, CHANNELS * TAPS)},
    )
    models = {}
    for name, each in arrays.items():
        models[name] = load_organ_model(keep_arrays(tmp_path / f"{name}.npz", {**each, "D": 5}))
    windows = np.stack(paper_formulas.windows(luma))[:, None].astype(np.float32)
    taps = encode(windows)
    z = [paper_formulas.descriptor([tap[i] for tap in taps]) for i in range(len(windows))]

    found = nrq_paper.score(luma, encode, models)

    assert paper_formulas.nrq(z, list(arrays.values())) == pytest.approx(found.of(None), abs=1e-5)
    for name, each in arrays.items():
        assert paper_formulas.nrq(z, [each]) == pytest.approx(found.of(name), abs=1e-5)


def test_of_ten_windows_the_two_worst_count() -> None:
    """0.15 x 10 is one and a half, which Python rounds to 2."""
    assert -8.5 == nrq_paper.worst_mean(-np.arange(10.0))
    assert -8.0 == nrq_paper.worst_mean(-np.arange(9.0))


def test_ulpips_equals_its_formulas() -> None:
    """Structure and Gram terms over all taps."""
    a, b = picture((300, 200)), picture((300, 200), seed=4)
    taps, others = (encode(ulpips_paper.view_of(each)) for each in (a, b))
    expected = paper_formulas.ulpips([t[0] for t in taps], [t[0] for t in others])

    assert expected == pytest.approx(ulpips_paper.score(a, b, encode), rel=1e-9)
    assert expected > 1e-4


def test_ulpips_is_zero_for_identical_images_and_symmetric() -> None:
    """Whatever the encoder says."""
    a, b = picture((250, 250)), picture((250, 250), seed=4)

    assert 0.0 == ulpips_paper.score(a, a, encode)
    assert ulpips_paper.score(b, a, encode) == ulpips_paper.score(a, b, encode)


@pytest.mark.parametrize("spelling", [{"D": 5}, {"D": None, "dim": 5}, {"dim": [5]}])
def test_both_spellings_of_an_organ_file_are_read(
    keep: Callable[..., Path], spelling: dict[str, object]
) -> None:
    """The released files say `D`, the released reader asks for `dim`."""
    model = load_organ_model(keep(**spelling))

    assert (5, CHANNELS * TAPS) == model.components.shape


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"gmm_means": None}, "lacks gmm_means"),
        ({"D": None}, "lacks dim or D"),
        ({"D": 7}, "7.* but has 5"),
        ({"pca_mean": np.zeros(7)}, "`mean` is"),
        ({"pca_components": np.zeros(7)}, "axes"),
        ({"gmm_covariances": np.zeros((4, 5))}, "no density"),
        ({"gmm_means": np.full((4, 5), np.nan)}, "no density"),
        ({"gmm_weights": np.array([{}], dtype=object)}, "can't be read"),
    ],
)
def test_what_is_no_organ_model_is_refused_with_a_remedy(
    keep: Callable[..., Path], changes: dict[str, object], complaint: str
) -> None:
    """Missing arrays, arrays that disagree, impossible numbers, pickled objects."""
    with pytest.raises(ManifoldError, match=complaint) as refused:
        load_organ_model(keep(**changes))

    assert "organ models released" in str(refused.value)


@pytest.mark.parametrize("content", [None, b"", b"no archive", b"PK\x03\x04 broken"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """Absent, empty, of another kind, broken."""
    path = tmp_path / "x.npz"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ManifoldError, match=r"x\.npz"):
        load_organ_model(path)


def test_a_single_array_is_no_organ_model(tmp_path: Path) -> None:
    """A `.npy` under another name."""
    path = tmp_path / "x.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros(3))

    with pytest.raises(ManifoldError, match="one array"):
        load_organ_model(path)


def test_an_organ_model_of_another_encoder_is_refused(keep: Callable[..., Path]) -> None:
    """The number of features differs; the message says which weights to use."""
    model = load_organ_model(keep(**organ(1, 40)))

    with pytest.raises(OtherEncoderError, match="40 features"):
        nrq_paper.score(picture((224, 224)), encode, {"Liver": model})


def test_an_organ_that_was_not_given_is_refused_by_name(keep: Callable[..., Path]) -> None:
    """The message lists what was given."""
    found = nrq_paper.score(picture((224, 224)), encode, {"Liver": load_organ_model(keep())})

    with pytest.raises(UnknownOrganError, match="'Heart'; given were Liver"):
        found.of("Heart")


def test_an_image_smaller_than_a_patch_is_refused() -> None:
    """Mirroring 15 px fourteen times over says nothing."""
    with pytest.raises(SmallImageError, match="300 x 15 px"):
        nrq_paper.windows_of(picture((300, 15)))


@pytest.mark.parametrize("wrong", [np.zeros((9, 9, 3), np.uint8), np.zeros((30, 30), np.float32)])
def test_only_grey_bytes_are_scored(wrong: Luma) -> None:
    """Colour and floats are refused by both metrics."""
    with pytest.raises(ShapeError, match="uint8"):
        nrq_paper.windows_of(wrong)
    with pytest.raises(ShapeError, match="uint8"):
        ulpips_paper.view_of(wrong)
