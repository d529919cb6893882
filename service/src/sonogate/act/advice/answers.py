"""Read what an adviser says: one JSON object of the form that was asked for, or a reason."""

import re
from typing import Any, Final

from pydantic import ValidationError

from sonogate.domain.advice import FORMS, AdviceKind, AdviceReason, Said, UnsafeTextError

MAX_TEXT: Final = 8_000
"""Characters of an answer, JSON and all; the longest form has 3,000."""
_FENCED: Final = re.compile(r"\A```(?:json)?\s*\n(.*)\n\s*```\Z", re.DOTALL)


class AdviceError(Exception):
    """There is no advice, for a reason."""

    def __init__(self, reason: AdviceReason, *, retry_after_seconds: float = 0.0) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds  #: what the adviser asked for


def read_answer(kind: AdviceKind, text: str) -> Said:
    """Return what was said.

    A fence around the whole (```json) is the one thing that is taken off: many models can't leave
    it.

    Raises:
        AdviceError: it is not of the form, or its text is not to be shown.
    """
    if len(text) > MAX_TEXT:
        raise AdviceError(AdviceReason.TOO_LONG)
    bare = text.strip()
    if fenced := _FENCED.match(bare):
        bare = fenced[1].strip()
    try:
        return FORMS[kind].model_validate_json(bare)
    except ValidationError as error:
        raise AdviceError(_reason(error)) from None
    except RecursionError:
        raise AdviceError(AdviceReason.MALFORMED) from None


def _reason(error: ValidationError) -> AdviceReason:
    """Say the worst of what is wrong; nothing of the text is repeated."""
    causes: list[Any] = [dict(each.get("ctx") or {}).get("error") for each in error.errors()]
    unsafe = [cause.reason for cause in causes if isinstance(cause, UnsafeTextError)]
    return min(unsafe, key=_WORST.index, default=AdviceReason.MALFORMED)


_WORST: Final = (AdviceReason.UNSAFE_TEXT, AdviceReason.GRADES)
