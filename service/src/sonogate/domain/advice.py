"""What a vision-language adviser may say of an image: plain sentences, and nothing that grades.

Its text is untrusted: whatever is drawn into an image may speak through it. So an answer is taken
only in these forms, and shown as text.
"""

import re
import unicodedata
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

NOTE: Final = "advice, not diagnosis"
"""Goes with every word of an adviser."""


class AdviceKind(StrEnum):
    """What is asked."""

    REMARK = "remark"  #: what weakens the image
    REPORT = "report"  #: findings and impression
    QUESTION = "question"  #: a person's own


class AdviceReason(StrEnum):
    """Why there is no advice."""

    PENDING = "pending"  #: it is being asked, or will be again
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"
    BUSY = "busy"  #: it answered 408, 425, 429 or 503
    SERVER_ERROR = "server_error"  #: it answered another 5xx
    DENIED = "denied"  #: it answered 401 or 403
    REFUSED = "refused"  #: it answered another 4xx, or a redirection
    DECLINED = "declined"  #: the model would not answer
    MALFORMED = "malformed"  #: the answer is none, or not of the form that was asked for
    TOO_LONG = "too_long"  #: over the bytes or characters of an answer
    UNSAFE_TEXT = "unsafe_text"  #: markup, an address, control characters, a foreign script
    GRADES = "grades"  #: it speaks of quality or of the verdict, which it can't judge
    NO_PICTURE = "no_picture"  #: there is nothing to show it
    TOO_LATE = "too_late"  #: not asked within advice.max_age_seconds, or cut off each time
    NO_ENVIRONMENT = "no_environment"  #: the Python, or transformers in it, is not there
    NO_WEIGHTS = "no_weights"  #: the folder is not there, or holds no model
    WRONG_VERSION = "wrong_version"  #: EchoVLM's class and this transformers don't go together
    NOT_LOADED = "not_loaded"  #: the weights are there and don't load
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"  #: the process with the weights ended


class UnsafeTextError(ValueError):
    """A text that is not shown; `reason` says why."""

    def __init__(self, reason: AdviceReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


_PUNCTUATION: Final = frozenset(" .,;:!?'\"()/%+-=~°±×≈–—…‘’“”。，、；：？！（）％～")
_SCRIPTS: Final = ("LATIN", "CJK UNIFIED", "GREEK", "MICRO", "FEMININE", "MASCULINE")
_ADDRESS: Final = re.compile(
    r"//|\bwww\b|\w{2,}\.[^\W\d_]{2,}|[!-~]{41,}", re.ASCII | re.IGNORECASE
)
_GRADE: Final = re.compile(
    r"\b(qualit\w*|calidad|verdict|band|scor(?:e|es|ed|ing)|grad(?:e|es|ed|ing)|rat(?:ing|ed)"
    r"|overr(?:ide|ule)\w*)\b|质量|品质|评分|评级",
    re.IGNORECASE,
)


def plain(text: str) -> str:
    """Return a text of plain sentences on one line.

    Letters are Latin, Greek or Chinese: a script that runs the other way, or looks like another,
    could make a sentence read otherwise than it is written.

    Raises:
        UnsafeTextError: it is none.
    """
    if not all(map(_is_plain, text)) or _ADDRESS.search(text):
        raise UnsafeTextError(AdviceReason.UNSAFE_TEXT)
    if _GRADE.search(text):
        raise UnsafeTextError(AdviceReason.GRADES)
    return text.strip()


def _is_plain(character: str) -> bool:
    if character in _PUNCTUATION or (character.isascii() and character.isalnum()):
        return True
    is_letter = unicodedata.category(character) in {"Lu", "Ll", "Lt", "Lo"}
    return is_letter and unicodedata.name(character, "").startswith(_SCRIPTS)


def _is_said(text: str) -> str:
    if not any(character.isalpha() for character in text):
        raise ValueError("It says nothing.")
    return text


Label = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(plain)]
Sentences = Annotated[
    str, Field(min_length=3, max_length=400), AfterValidator(plain), AfterValidator(_is_said)
]
LongText = Annotated[
    str, Field(min_length=3, max_length=1500), AfterValidator(plain), AfterValidator(_is_said)
]
Seen = Literal["poor_contact", "shadowed", "attenuated", "too_dark", "too_bright", "reverberation"]
"""Faults that a smoothed picture still shows; all but the last are codes of our findings."""


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Remark(_Said):
    """What weakens the image, in the adviser's words."""

    remark: Sentences
    organ: Label | None = None
    view: Label | None = None
    seen: Annotated[list[Seen], Field(max_length=6)] = Field(default_factory=list)


class Report(_Said):
    """A draft of what the image shows."""

    findings: LongText
    impression: LongText


class Reply(_Said):
    """The answer to a person's question."""

    answer: LongText


Said = Remark | Report | Reply
FORMS: Final[dict[AdviceKind, type[Remark] | type[Report] | type[Reply]]] = {
    AdviceKind.REMARK: Remark,
    AdviceKind.REPORT: Report,
    AdviceKind.QUESTION: Reply,
}


class Advice(BaseModel):
    """Advice on one image, or why there is none."""

    model_config = ConfigDict(frozen=True)

    note: str = NOTE
    kind: AdviceKind
    advice: Said | None = None
    reason: AdviceReason | None = None  #: why there is none
    agrees: bool | None = None  #: whether it saw a fault that the gate found too; null: neither did
    adviser: str | None = None  #: the endpoint's host, or "local"
    model: str | None = None
    at: datetime | None = None


def agreement(said: Said | None, codes: frozenset[str]) -> bool | None:
    """Say whether a remark names a fault that the gate found; None unless both name one.

    Args:
        said: what the adviser said.
        codes: of the verdict's findings.
    """
    seen = frozenset(said.seen) if isinstance(said, Remark) else frozenset()
    return bool(seen & codes) if seen and codes else None
