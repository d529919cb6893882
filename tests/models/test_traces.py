"""The net that tells traces: checked when it is loaded, and blind to the size of a screen."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sonoquality.arrays import Luma
from sonoquality.card import BadCardError, HashMismatchError
from sonoquality.traces import N_CELLS, SEEN, TraceNet, seen_of
from sonoquality.training.traces.motion import m_mode
from sonoquality.zoo import default_zoo

ENTRY = default_zoo() / "traces" / "1.0.0"


@pytest.fixture(scope="module")
def net() -> TraceNet:
    """The net that ships."""
    return TraceNet.load(ENTRY)


def strip(height: int, width: int, seed: int = 5) -> Luma:
    """Draw an M-mode trace."""
    grey = m_mode((height, width), np.random.default_rng(seed))
    return np.asarray(grey * 255, dtype=np.uint8)


def test_a_graph_that_is_not_the_one_of_the_card_is_refused(tmp_path: Path) -> None:
    """One flipped bit is enough; so is a card without its decision, or none."""
    entry = shutil.copytree(ENTRY, tmp_path / "entry")
    graph = entry / "model.onnx"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)
    with pytest.raises(HashMismatchError, match="install the release again"):
        TraceNet.load(entry)

    card = (entry / "model.toml").read_text(encoding="utf-8")
    for key in ("m_mode", "possible"):
        (entry / "model.toml").write_text(card.replace(f"{key} =", "most ="), encoding="utf-8")
        with pytest.raises(BadCardError, match=key):
            TraceNet.load(entry)
    with pytest.raises(BadCardError, match=r"model\.toml"):
        TraceNet.load(tmp_path)


def test_less_evidence_than_belief_asks_for_is_a_doubt(net: TraceNet) -> None:
    """From `possible` on; below it nothing is told."""
    screen = np.zeros((400, 560), np.uint8)
    screen[200:380, 60:520] = strip(180, 460)
    found = net.find(screen)
    assert found is not None

    def told(least: float, possible: float) -> bool | None:
        asked = replace(net, least={"m_mode": least}, possible=possible)
        answer = asked.told(screen)
        return None if answer is None else answer.believed

    evidence = found.evidence
    assert [True, True, False, None] == [
        told(evidence, 0.5),
        told(evidence, evidence + 1e-3),
        told(evidence + 1e-3, evidence),
        told(evidence + 1e-3, evidence + 1e-3),
    ]


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_a_trace_is_found_where_it_lies_at_every_size(net: TraceNet, scale: int) -> None:
    """A strip on black, to a cell's width."""
    screen = np.zeros((400, 560), np.uint8)
    screen[200:380, 60:520] = strip(180, 460)
    large = np.repeat(np.repeat(screen, scale, axis=0), scale, axis=1)

    found = net.find(large)

    assert found is not None
    assert "m_mode" == found.label
    rows, columns = found.box
    at = np.array([rows.start, rows.stop, columns.start, columns.stop]) / scale
    np.testing.assert_allclose(at, (200, 380, 60, 520), atol=2 * 560 / N_CELLS[1])
    assert found.evidence > 0.6


@pytest.mark.parametrize("shape", [(480, 640), (1080, 1920), (64, 64), (900, 300), (1, 700)])
def test_every_picture_is_fitted_in(net: TraceNet, shape: tuple[int, int]) -> None:
    """The longer way fills what the net sees; shares of labels sum to one."""
    luma = np.full(shape, 200, np.uint8)
    seen = seen_of(luma)

    assert SEEN == seen.shape
    lit = seen > 100
    assert lit.any(axis=1).sum() == SEEN[0] or lit.any(axis=0).sum() == SEEN[1]
    np.testing.assert_allclose(net.shares(luma).sum(axis=2), 1.0, atol=1e-5)


def test_nothing_is_found_on_black(net: TraceNet) -> None:
    """No echo is no trace."""
    assert net.find(np.zeros((480, 640), np.uint8)) is None
