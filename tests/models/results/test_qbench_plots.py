"""The benchmark's plots: every word is drawn whole and inside its place."""

import pytest
from PIL import Image, ImageDraw

from sonoquality.results import panels, qbench_plots
from sonoquality.results.qbench_rows import Seen

GRADES = ("high", "medium", "low")


class Recorder:
    """A pen that keeps what it writes, and where."""

    def __init__(self) -> None:
        self._pen = ImageDraw.Draw(Image.new("RGB", (1000, 600)))
        self.written: list[tuple[str, tuple[float, float, float, float]]] = []

    def text(self, at: tuple[int, int], text: str, *, fill: str, anchor: str = "la") -> None:
        """Keep a text with its box."""
        assert fill
        self.written.append((text, self._pen.textbbox(at, text, anchor=anchor)))

    def rectangle(self, *_: object, **__: object) -> None:
        """Draw nothing."""


@pytest.fixture
def written() -> list[tuple[str, tuple[float, float, float, float]]]:
    """What the matrix of the second panel says."""
    cells = [
        Seen(bench="b", entrant="e", level=0, way="raw", truth=truth, said=said, n=888)
        for truth in GRADES
        for said in (*GRADES, "invalid")
    ]
    pen = Recorder()
    qbench_plots._matrix(pen, panels.corner_of(1), cells)  # type: ignore[arg-type]
    return pen.written


def test_the_words_of_both_axes_are_whole(
    written: list[tuple[str, tuple[float, float, float, float]]],
) -> None:
    """Grades twice, and `invalid` for what was said."""
    words = sorted(text for text, _ in written if not text.isdigit())

    assert sorted([*GRADES, *GRADES, "invalid"]) == words


def test_no_text_overlaps_another_or_leaves_its_panel(
    written: list[tuple[str, tuple[float, float, float, float]]],
) -> None:
    """Neither on a cell nor below."""
    left, right = panels.PANEL[0], 2 * panels.PANEL[0]
    for i, (text, box) in enumerate(written):
        assert left <= box[0] < box[2] <= right, text
        for other, beside in written[i + 1 :]:
            apart = box[2] <= beside[0] or beside[2] <= box[0]
            assert apart or box[3] <= beside[1] or beside[3] <= box[1], (text, other)
