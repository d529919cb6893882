"""Take thin strokes off frames: letters, calipers and outlines.

A model that looks at whole windows sees every letter in them, whatever counts for the score; and
windows full of holes are as unlike clean ones as written-over ones are. So what is below a stroke
is guessed from the echoes on its left and right. Speckle is longer across the beam than along it:
guesses from above and below moved the quality ten times as far (docs/results/annotations.md).
"""

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]
Luma = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def without_ink(frames: Frames, ink: Mask, seen: Mask, scan: Mask) -> Frames:
    """Return frames (frame, height, width) with the ink filled row by row from beside it.

    Ink inside the scan is filled from the scan, ink outside from outside, so that no edge of a
    sector moves. Ink with nothing beside it is left.

    Args:
        frames: to copy.
        ink: (height, width) strokes with their rims.
        seen: (height, width) pixels to guess from.
        scan: (height, width).
    """
    if not ink.any():
        return frames
    filled = frames.copy()
    for part in (scan, ~scan):
        at = _Beside(ink & part, part & seen & ~ink)
        for frame in filled:
            at.fill(frame)
    return filled


def echoes_below(luma: Luma, overlay: Mask) -> Luma:
    """Return the picture with the darker of the echoes on both sides below an overlay.

    Where an overlay has echoes on one side only, none are taken to be below it.
    """
    filled = luma.copy()
    _Beside(overlay, ~overlay).fill_darker(filled)
    return filled


class _Beside:
    """Pixels to fill, and the nearest seen ones in the same row: on the left and on the right."""

    def __init__(self, wanted: Mask, seen: Mask) -> None:
        lines = np.flatnonzero(wanted.any(axis=1))
        seen = seen[lines]
        at = np.arange(wanted.shape[1], dtype=np.int32)
        before = np.maximum.accumulate(np.where(seen, at, np.int32(-1)), axis=1)
        after = np.where(seen, at, np.int32(len(at)))[:, ::-1]
        after = np.minimum.accumulate(after, axis=1)[:, ::-1]
        row, self.column = np.nonzero(wanted[lines])
        self.row = lines[row]
        self.before, self.after = before[row, self.column], after[row, self.column]
        self.has_before, self.has_after = self.before >= 0, self.after < len(at)

    def fill(self, frame: Luma) -> None:
        """Draw a straight line between both sides, or the grey of the only one."""
        known = self.has_before | self.has_after
        before = np.where(self.has_before, self.before, self.after)[known]
        after = np.where(self.has_after, self.after, self.before)[known]
        row, column = self.row[known], self.column[known]
        share = ((column - before) / np.maximum(after - before, 1)).astype(np.float32)
        guess = frame[row, before] * (1 - share) + frame[row, after] * share
        frame[row, column] = np.rint(guess).astype(np.uint8)

    def fill_darker(self, frame: Luma) -> None:
        """Take the darker side; black where there is only one."""
        both = self.has_before & self.has_after
        before, after = np.where(both, self.before, 0), np.where(both, self.after, 0)
        darker = np.minimum(frame[self.row, before], frame[self.row, after])
        frame[self.row, self.column] = np.where(both, darker, 0)
