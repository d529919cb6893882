"""What a language model is asked, at three levels of help (SCIENCE 6f).

Level 1 is the bare question. Level 2 tells the organ and what to look at. Level 3 adds the question
that a clinician wants answered. The last line begins the answer, so that only one word is left to
say; words of the scale are single tokens in the usual vocabularies (DeQA-Score, issue 24).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sonoquality.qbench.items import Item

LEVELS = (1, 2, 3)
BANDS = (" high", " medium", " low")
"""Candidates of the first task; the reverse of `items.GRADES`."""
WORDS: Mapping[str, float] = {
    " great": 1.0,
    " good": 0.75,
    " fair": 0.5,
    " weak": 0.25,
    " bad": 0.0,
}
"""Candidates of the second task with their weights (Q-Align)."""
LETTERS = (" A", " B")

OVERALL = "overall"
INDICATORS: Mapping[str, tuple[str, str]] = {
    OVERALL: ("the quality of this ultrasound image", "The quality of the image is"),
    "clarity": ("the clarity of this ultrasound image", "The clarity of the image is"),
    "contrast": ("the contrast of this ultrasound image", "The contrast of the image is"),
    "noise": (
        "this ultrasound image with regard to noise, where great means hardly any",
        "With regard to noise the image is",
    ),
}
"""By indicator: what is rated, and how the answer begins."""

CONSIDER = (
    "Consider sharpness, contrast, noise and speckle, gain, artefacts (shadow, reverberation, "
    "clutter) and depth."
)
QUESTIONS: Mapping[str, str] = {
    "heart": "Is the left ventricle's ejection fraction reduced?",
    "liver": "Is there a focal lesion in the liver?",
    "breast": "Is there a mass in the breast?",
    "ovary": "Is there a cyst or a mass in the ovary?",
    "fetal head": "How large is the circumference of the fetal head?",
    "lung": "Are there B-lines or a consolidation?",
}
"""By organ, unless an item has a `question` among its attributes."""
ANY_QUESTION = "Are the structures that this view is meant to show normal?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One prompt with the answers that it may have."""

    prompt: str
    candidates: tuple[str, ...]


def classify(item: Item, level: int) -> Asked:
    """Ask for one of three bands."""
    lines = ["Rate the quality of this ultrasound image: high, medium or low."]
    lines += _help(item, level, plural=False)
    if level == LEVELS[-1]:
        lines.append("High = confidently; medium = with limits; low = should be repeated.")
    return Asked(prompt=_joined(lines, "The quality is"), candidates=BANDS)


def rate(item: Item, indicator: str, level: int) -> Asked:
    """Ask for one of five words on an indicator."""
    rated, opening = INDICATORS[indicator]
    named = ", ".join(word.strip() for word in WORDS)
    lines = [f"How would you rate {rated}: {named}?", *_help(item, level, plural=False)]
    return Asked(prompt=_joined(lines, opening), candidates=tuple(WORDS))


def compare(item: Item, level: int) -> Asked:
    """Ask which of two pictures is the better one; the item is either of them."""
    lines = [
        "Which of these two ultrasound images has the better quality? A. The first image. "
        "B. The second image. Answer with the option's letter.",
        *_help(item, level, plural=True),
    ]
    return Asked(prompt=_joined(lines, "The answer is"), candidates=LETTERS)


def _help(item: Item, level: int, *, plural: bool) -> list[str]:
    lines = []
    if level > 1:
        # The muscle's own name stands behind its kind in the collection.
        organ = item.organ.partition(" (")[0]
        if organ and plural:
            lines.append(f"Both are ultrasound images of the {organ}.")
        elif organ:
            lines.append(f"This is an ultrasound image of the {organ}.")
        lines.append(CONSIDER)
    if level == LEVELS[-1]:
        question = item.attrs.get("question") or QUESTIONS.get(item.organ, ANY_QUESTION)
        seen = "each image" if plural else "this image"
        lines.append(f'Could a clinician answer "{question}" from {seen} alone?')
    return lines


def _joined(lines: Sequence[str], opening: str) -> str:
    return " ".join(lines) + "\n" + opening


def said_band(text: str) -> str:
    """Return the one band that an answer names, or an empty text: an invalid answer."""
    words = "".join(each if each.isalpha() else " " for each in text.lower()).split()
    named = {band.strip() for band in BANDS} & set(words)
    return named.pop() if len(named) == 1 else ""
