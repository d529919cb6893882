"""Questions about a picture, and the answers that labels and outlines give.

Answers are few words of a fixed number each, so that their loss measures what is seen and not how
it is put. Sizes and shapes are told against what is usual of the thing asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sonoquality.arrays import Mask

LEFT, RIGHT = 0.45, 0.55  #: of the square's width, where the middle third's name ends
UPPER, LOWER = 0.40, 0.50  #: of its height: what is outlined lies rather high
ACROSS, DOWN = ("left", "centre", "right"), ("upper", "middle", "lower")
SIZES, SHAPES = ("small", "medium", "large"), ("flat", "oval", "tall")
LEAST_PIXELS = 4  #: an outline with fewer is too small, or moved out of the picture


@dataclass(frozen=True, slots=True)
class Thing:
    """What is outlined: its name, and where small, medium, large and flat, oval, tall part."""

    name: str
    sizes: tuple[float, float]  #: root of its area, in sides of the square: terciles of the rows
    shapes: tuple[float, float]  #: spread downwards over spread across: terciles of the rows


LESION = Thing("lesion", (0.16, 0.29), (0.54, 0.74))
MASS = Thing("mass", (0.12, 0.22), (0.78, 0.96))
LIVER = Thing("liver", (0.31, 0.42), (0.77, 0.97))
HEAD = Thing("head", (0.43, 0.50), (0.78, 0.83))
CYST = Thing("tumour", (0.24, 0.36), (0.77, 0.90))
OVARY = Thing("ovary", (0.24, 0.36), (0.77, 0.90))


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the labels say of a picture, whichever way it is turned."""

    organ: str
    lesion: bool | None = None  #: None: the labels do not say
    finding: str | None = None
    findings: tuple[str, ...] = ()  #: all that the organ's source tells apart
    thing: Thing | None = None  #: what is outlined


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question with its reference answer."""

    kind: str  #: key of `WORDINGS`
    text: str
    answer: str
    candidates: tuple[str, ...]  #: every answer that this question can have


ORGANS = ("breast", "liver", "fetal head", "ovary", "lung", "muscle")
YES_NO = ("yes", "no")
PLACES = tuple(f"{down} {across}" for down in DOWN for across in ACROSS)
WORDINGS: Mapping[str, tuple[str, ...]] = {
    "organ": (
        "Which organ is shown?",
        "What does the picture show?",
        "Which part of the body is this?",
    ),
    "lesion": (
        "Is there a lesion in the {organ}?",
        "Does the {organ} have a lesion?",
        "Can a lesion of the {organ} be seen?",
    ),
    "finding": (
        "What is the finding of the {organ}?",
        "What is found in the {organ}?",
        "Which finding does the {organ} have?",
    ),
    "place": (
        "Where is the {thing}?",
        "Where does the {thing} lie?",
        "In which part of the picture is the {thing}?",
    ),
    "size": (
        "How large is the {thing}?",
        "What size has the {thing}?",
        "Is the {thing} small, medium or large?",
    ),
    "shape": (
        "What shape has the {thing}?",
        "How is the {thing} shaped?",
        "Is the {thing} flat, oval or tall?",
    ),
}
KINDS = tuple(WORDINGS)
FIRST = 0  #: the wording that a diagnostician uses


def questions_of(known: Known, outline: Mask | None, wording: int = FIRST) -> list[Question]:
    """Return all questions that can be asked of a picture.

    Args:
        known: what its labels say.
        outline: (side, side) of the square as it is shown; None without one.
        wording: number of the way to ask, of any size; counted round.
    """
    asked: list[tuple[str, str, tuple[str, ...]]] = [("organ", known.organ, ORGANS)]
    if known.lesion is not None:
        asked.append(("lesion", "yes" if known.lesion else "no", YES_NO))
    if known.finding is not None:
        asked.append(("finding", known.finding, known.findings))
    if outline is not None and known.thing is not None and outline.sum() >= LEAST_PIXELS:
        asked += _of_outline(outline, known.thing)
    name = known.thing.name if known.thing else ""
    return [
        Question(kind=kind, text=_worded(kind, wording, known.organ, name), answer=a, candidates=c)
        for kind, a, c in asked
    ]


def _worded(kind: str, wording: int, organ: str, thing: str) -> str:
    ways = WORDINGS[kind]
    return ways[wording % len(ways)].format(organ=organ, thing=thing)


def _of_outline(outline: Mask, thing: Thing) -> list[tuple[str, str, tuple[str, ...]]]:
    side = len(outline)
    rows, columns = np.nonzero(outline)
    across = _third((columns.mean() + 0.5) / side, (LEFT, RIGHT), ACROSS)
    down = _third((rows.mean() + 0.5) / side, (UPPER, LOWER), DOWN)
    size = _third(np.sqrt(len(rows)) / side, thing.sizes, SIZES)
    shape = _third(rows.std() / max(columns.std(), 0.5), thing.shapes, SHAPES)
    return [
        ("place", f"{down} {across}", PLACES),
        ("size", size, SIZES),
        ("shape", shape, SHAPES),
    ]


def _third(value: float, ends: tuple[float, float], names: tuple[str, ...]) -> str:
    return names[int(np.searchsorted(ends, value))]
