"""The words that the conformance statement puts to what is answered, and the tables of N-services.

A test asks that everything that can be answered has its words here.
"""

from collections.abc import Mapping
from typing import Final

from sonogate.domain.commitment import CommitmentOutcome, FailureReason
from sonogate.domain.procedure import FINAL_ATTRIBUTES, STEP_TRANSITIONS, StepOutcome
from sonogate.receive import commitment, mpps
from sonogate.receive.mpps import CREATE_ATTRIBUTES
from sonogate.receive.status import Answer, DimseStatus

STATUSES: Final[Mapping[DimseStatus, str]] = {
    DimseStatus.SUCCESS: "The object is durable: bytes and row are synced to disk.",
    DimseStatus.OUT_OF_RESOURCES: "Not kept for want of room; send it again later.",
    DimseStatus.CANNOT_UNDERSTAND: "Not kept; sending it again won't help.",
    DimseStatus.PROCESSING_FAILURE: "A fault of the gate; the object may be sent again.",
    DimseStatus.SOP_CLASS_NOT_SUPPORTED: "The request names a SOP class that is not taken.",
    DimseStatus.UNRECOGNIZED_OPERATION: "The context does not serve this operation.",
}
"""Of a C-STORE."""

STEP_WORDS: Final[Mapping[StepOutcome, str]] = {
    StepOutcome.TAKEN: "The new state is durable.",
    StepOutcome.REPEATED: "The same message again, byte for byte; nothing changed.",
    StepOutcome.DUPLICATE: "N-CREATE: another step has this SOP Instance UID.",
    StepOutcome.UNKNOWN: "N-SET: no such step was created here.",
    StepOutcome.FINAL: "N-SET: the step is COMPLETED or DISCONTINUED.",
    StepOutcome.INCOMPLETE: "N-SET: COMPLETED without what a final step must say.",
    StepOutcome.CROWDED: "N-CREATE: `mpps.max_in_progress` steps are in progress.",
}

COMMITMENT_WORDS: Final[Mapping[CommitmentOutcome, str]] = {
    CommitmentOutcome.TAKEN: "The request is durable; its report follows.",
    CommitmentOutcome.REPEATED: "The same request again: it is decided and reported anew.",
    CommitmentOutcome.CONFLICT: "The Transaction UID asked for other instances before.",
    CommitmentOutcome.CROWDED: "`commitment.max_open` requests wait for their report.",
}

FAILURES: Final[Mapping[FailureReason, str]] = {
    FailureReason.PROCESSING_FAILURE: "A destination refused it, had not taken it when "
    "`commitment.wait_seconds` were over, or was never to get it; or it was still held back when "
    "its hold ran out.",
    FailureReason.NO_SUCH_OBJECT_INSTANCE: "It never came, or its bytes have gone from here.",
    FailureReason.CLASS_INSTANCE_CONFLICT: "It is here under another SOP class.",
}

REFUSALS: Final[tuple[tuple[DimseStatus, str], ...]] = (
    (DimseStatus.INVALID_ATTRIBUTE_VALUE, "MPPS: a status or UID that can't be one."),
    (DimseStatus.MISSING_ATTRIBUTE, "MPPS: a type 1 attribute is not there."),
    (DimseStatus.MISSING_ATTRIBUTE_VALUE, "MPPS: a type 1 attribute has no value."),
    (DimseStatus.NO_SUCH_OBJECT_INSTANCE, "Commitment: not the well-known SOP Instance."),
    (DimseStatus.NO_SUCH_ACTION_TYPE, "Commitment: not action type 1."),
    (DimseStatus.INVALID_ARGUMENT_VALUE, "Commitment: nothing is named, or unreadable."),
    (DimseStatus.PROCESSING_FAILURE, "The data set is unreadable, or a fault of the gate."),
    (DimseStatus.RESOURCE_LIMITATION, "The data set is over 1 MiB."),
    (DimseStatus.SOP_CLASS_NOT_SUPPORTED, "The request names another SOP class."),
    (DimseStatus.UNRECOGNIZED_OPERATION, "The context does not serve this operation."),
)

Rows = list[tuple[str, ...]]


def step_rows() -> Rows:
    """What became of an MPPS message, with its answer."""
    return [_row(mpps.ANSWERS[outcome], words) for outcome, words in STEP_WORDS.items()]


def commitment_rows() -> Rows:
    """What became of a request for commitment, with its answer."""
    return [_row(commitment.ANSWERS[outcome], words) for outcome, words in COMMITMENT_WORDS.items()]


def refusal_rows() -> Rows:
    """What both answer to what they can't read."""
    return [_row(Answer(status), words) for status, words in REFUSALS]


def transition_rows() -> Rows:
    """The life of a step."""
    return [
        (before.value, said.value, after.value, _named(FINAL_ATTRIBUTES[after]))
        for (before, said), after in STEP_TRANSITIONS.items()
    ]


def failure_rows() -> Rows:
    """Why an object is not committed."""
    return [(f"0x{reason:04X}", _words(reason.name), FAILURES[reason]) for reason in FAILURES]


def required() -> str:
    """What an N-CREATE must say."""
    return _named(CREATE_ATTRIBUTES)


def answered() -> set[DimseStatus]:
    """Every status that has its words here."""
    rows = (*mpps.ANSWERS.values(), *commitment.ANSWERS.values())
    return {*STATUSES, *(answer.status for answer in rows), *(status for status, _ in REFUSALS)}


def _row(answer: Answer, words: str) -> tuple[str, ...]:
    error_id = f", Error ID 0x{answer.error_id:04X}" if answer.error_id else ""
    return f"0x{answer.status:04X}{error_id}", _words(answer.status.name), words


def _named(keywords: tuple[str, ...]) -> str:
    return ", ".join(f"`{keyword}`" for keyword in keywords)


def _words(name: str) -> str:
    return name.lower().replace("_", " ")
