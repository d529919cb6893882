"""What the gate's own path makes of an object: the numbers of a plain reference."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sonogate.domain.instance import MediaType
from sonogate.read import scan
from sonogate.read.frames import read_frames
from sonogate.read.objects.header import open_object
from sonogate.read.pixels.colour import luma_of
from sonogate.score import scorer as scorers
from sonogate.score.scorer import ModelScorer
from sonogate.settings import ScoringSettings
from sonogate.testing import make_instance
from sonoquality.golden import QUALITY_TOLERANCE, Phantom
from sonoquality.metrics import manifold as manifolds
from sonoquality.metrics import reference
from sonoquality.zoo import PARENT_FILE, default_zoo

SHIPPED = default_zoo() / "dct-manifold" / "1.0.0"
HEIGHT, WIDTH = 336, 448
#: Blue, so strong that the order of channels decides how dark the image is.
TINT = np.array([0.05, 0.35, 1.0])
#: BT.601.
LUMINANCE = np.array([0.299, 0.587, 0.114])
#: Pixels beside a drawn line that the gate fills with it.
BESIDE = 1

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Mutation = Callable[[ModelScorer, pytest.MonkeyPatch], ModelScorer]


def drawn() -> Mask:
    """Return where the test draws: the outlines of four Doppler boxes."""
    lines = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    for top in (40, 190):
        for left in (40, 240):
            box = np.s_[top : top + 110, left : left + 160]
            lines[box] = True
            lines[box][2:-2, 2:-2] = False
    return lines


def screen() -> Picture:
    """Return (height, width, 3) of tinted speckle with white lines drawn in."""
    phantom = Phantom(name="golden", width=WIDTH, height=HEIGHT, blur=1.6, loss=55.0)
    grey = phantom.picture()[..., :1]
    tinted = np.round(grey * TINT).astype(np.uint8)
    return np.where(drawn()[..., None], np.uint8(255), tinted)


def expected_quality(scorer: ModelScorer) -> float:
    """Compute the quality in plain numpy from what was drawn, with nothing of the gate."""
    luma = np.round(screen() @ LUMINANCE).astype(np.uint8)
    ink = np.zeros(luma.shape, dtype=np.bool_)
    for row, column in np.argwhere(drawn()):
        ink[row - BESIDE : row + BESIDE + 1, column - BESIDE : column + BESIDE + 1] = True
    for row in range(HEIGHT):
        seen, hidden = np.flatnonzero(~ink[row]), np.flatnonzero(ink[row])
        luma[row, hidden] = np.round(np.interp(hidden, seen, luma[row, seen]))
    window, block = manifolds.load(SHIPPED / PARENT_FILE, "window", "block")
    everywhere = np.ones(luma.shape, dtype=np.bool_)
    found = reference.score(luma, everywhere, ~everywhere, (window, block), scorer.model.card)
    return found["quality"]


@pytest.fixture(scope="module")
def scorer() -> ModelScorer:
    """The shipped model on the CPU."""
    return ModelScorer.open(ScoringSettings(model="dct-manifold/1.0.0", providers=("cpu",)))


@pytest.fixture
def golden_object(tmp_path: Path) -> Path:
    """Write the screen as an RGB object."""
    ds = make_instance(height=HEIGHT, width=WIDTH)
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.PixelData = screen().tobytes()
    path = tmp_path / "golden.dcm"
    ds.save_as(path, enforce_file_format=True)
    return path


def quality_of(path: Path, scorer: ModelScorer) -> float:
    """Read and score an object as a worker does."""
    stack = read_frames(open_object(path, MediaType.DICOM), 1)
    return scorer.score(stack).scores.frames[0].quality


@pytest.mark.calibration
def test_a_tinted_object_with_lines_drawn_in_gets_its_golden_quality(
    golden_object: Path, scorer: ModelScorer
) -> None:
    """Colour, mask and scale of the path from file to score agree with a plain computation."""
    assert expected_quality(scorer) == pytest.approx(
        quality_of(golden_object, scorer), abs=QUALITY_TOLERANCE
    )


def direction_swapped(scorer: ModelScorer, _: pytest.MonkeyPatch) -> ModelScorer:
    """Read high badness as high quality."""
    card = scorer.model.card
    turned = tuple(replace(a, quality=a.quality[::-1]) for a in card.scale.anchors)
    scale = replace(card.scale, anchors=turned)
    return replace(scorer, model=replace(scorer.model, card=replace(card, scale=scale)))


def ink_left(scorer: ModelScorer, patch: pytest.MonkeyPatch) -> ModelScorer:
    """Hand the model what is drawn over the echoes."""
    patch.setattr(scorers, "scored", lambda stack: stack.frames)
    return scorer


def channels_swapped(scorer: ModelScorer, patch: pytest.MonkeyPatch) -> ModelScorer:
    """Take BGR for RGB."""

    def of_bgr(picture: Picture) -> Picture:
        return luma_of(np.ascontiguousarray(picture[..., ::-1]))

    patch.setattr(scan, "luma_of", of_bgr)
    return scorer


@pytest.mark.calibration
@pytest.mark.parametrize("mutate", [direction_swapped, ink_left, channels_swapped])
def test_a_seeded_mutation_of_the_gates_path_is_caught(
    mutate: Mutation, golden_object: Path, scorer: ModelScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Direction, mask and order of channels are each held by the golden quality."""
    expected = expected_quality(scorer)
    mutated = mutate(scorer, monkeypatch)

    assert abs(expected - quality_of(golden_object, mutated)) > 10 * QUALITY_TOLERANCE
