"""The DICOM conformance statement, made from the tables that the gate works by.

    python -m sonogate.receive.conformance > docs/conformance.md

Its chapters follow the template of PS3.2 Annex N, those that have something to say. A test asks
that the page is what this makes.
"""

import sys
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Final

from annotated_types import Ge, Gt, Le
from pydicom.uid import UID

from sonogate import __version__
from sonogate.errors import (
    MalformedObjectError,
    ObjectTooLargeError,
    ReceiveError,
    SpoolFullError,
    SpoolWriteError,
)
from sonogate.receive.admission import APPLICATION_CONTEXT, REJECTIONS, Rule
from sonogate.receive.conformance_words import (
    STATUSES,
    commitment_rows,
    failure_rows,
    refusal_rows,
    required,
    step_rows,
    transition_rows,
)
from sonogate.receive.contexts import (
    NOT_STORAGE,
    PROCEDURE_STEP,
    STORAGE_COMMITMENT,
    TRANSFER_SYNTAXES,
    ULTRASOUND_SOP_CLASSES,
    UNCOMPRESSED,
    VERIFICATION,
    storage_sop_classes,
)
from sonogate.receive.dimse import MAX_COMMAND_BYTES
from sonogate.receive.negotiation import ContextResult
from sonogate.receive.operation import MAX_DATA_SET_BYTES
from sonogate.receive.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from sonogate.receive.pdus import MAX_ASSOCIATE_BYTES
from sonogate.receive.status import C_STORE_STATUS, DimseStatus
from sonogate.receive.tls_files import TLS_1_2_CIPHERS
from sonogate.receive.tls_refusals import TlsRefusal
from sonogate.receive.upper_layer import AbortReason, AbortSource
from sonogate.settings import ListenerSettings

TEMPLATE: Final = files("sonogate.receive") / "conformance.in.md"

RULES: Final[Mapping[Rule, str]] = {
    Rule.PROTOCOL_VERSION: "Bit 0 of the protocol version is not set.",
    Rule.APPLICATION_CONTEXT: f"The application context is not `{APPLICATION_CONTEXT}`.",
    Rule.CALLED_AE: "`check_called_ae` is on and another AE title is addressed.",
    Rule.BEYOND_LOOPBACK: "No sender is listed, and the peer is another machine.",
    Rule.CALLING_AE: "The calling AE title is not listed.",
    Rule.ADDRESS: "It is listed, but with other addresses.",
    Rule.CERTIFICATE: "It is listed, but with another client certificate.",
    Rule.ASSOCIATIONS: "`max_associations` are open.",
    Rule.SENDER_ASSOCIATIONS: "`max_sender_associations` of this sender are open.",
    Rule.SENDER_RATE: "It has opened `sender_associations_per_minute`.",
}

CAUSES: Final[Mapping[type[ReceiveError], str]] = {
    SpoolFullError: "no room on disk, or too many objects without a verdict",
    ObjectTooLargeError: "over `max_object_bytes` (a higher budget helps)",
    SpoolWriteError: "the disk refused the bytes, or stood still for `keep_seconds`",
    MalformedObjectError: "no data set, or a UID that is none",
}

RESULTS: Final[Mapping[ContextResult, str]] = {
    ContextResult.ACCEPTANCE: "with the first of the proposed transfer syntaxes that is supported",
    ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED: "the SOP class is none of those below",
    ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED: "none of the proposed ones is supported",
}

LIMITS: Final = (
    "max_pdu_bytes",
    "max_object_bytes",
    "max_association_bytes",
    "max_associations",
    "max_sender_associations",
    "sender_associations_per_minute",
)
_SCU: Final = "to destinations"
TIMERS: Final = ("artim_seconds", "idle_seconds", "pdu_progress_seconds")


def make_statement() -> str:
    """Return the page as Markdown."""
    text = TEMPLATE.read_text(encoding="utf-8")
    for name, table in _tables().items():
        text = text.replace(f"<!-- {name} -->", table)
    return text


def _tables() -> Mapping[str, str]:
    others = sorted(storage_sop_classes() - set(ULTRASOUND_SOP_CLASSES), key=_name)
    return {
        "version": __version__,
        "implementation": _table(
            ("item", "value"),
            [
                ("Implementation Class UID", f"`{IMPLEMENTATION_CLASS_UID}`"),
                ("Implementation Version Name", f"`{IMPLEMENTATION_VERSION_NAME}`"),
                ("Application Context Name", f"`{APPLICATION_CONTEXT}`"),
            ],
        ),
        "services": _table(
            ("SOP class", "UID", "SCU", "SCP"),
            [
                (_name(VERIFICATION), f"`{VERIFICATION}`", "no", "yes"),
                (_name(PROCEDURE_STEP), f"`{PROCEDURE_STEP}`", "yes", "yes"),
                (_name(STORAGE_COMMITMENT), f"`{STORAGE_COMMITMENT}`", "no", "yes"),
                *((_name(uid), f"`{uid}`", _SCU, "yes") for uid in ULTRASOUND_SOP_CLASSES),
                (f"{len(others)} further Storage SOP classes", "listed at the end", _SCU, "yes"),
            ],
        ),
        "other classes": _table(("SOP class", "UID"), ((_name(u), f"`{u}`") for u in others)),
        "not storage": ", ".join(sorted(f"{_name(uid)} (`{uid}`)" for uid in NOT_STORAGE)),
        "verification syntaxes": _syntaxes(UNCOMPRESSED),
        "storage syntaxes": _syntaxes(TRANSFER_SYNTAXES),
        "statuses": _table(("status", "name", "means", "causes"), map(_status, STATUSES)),
        "results": _table(
            ("result", "name", "when"),
            ((str(r.value), _words(r.name), RESULTS[r]) for r in ContextResult),
        ),
        "rejections": _table(
            ("result, source, reason", "name", "rule", "when"), map(_rejection, Rule)
        ),
        "aborts": _table(
            ("source", "reasons"),
            [
                (f"{AbortSource.SERVICE_USER} (service user)", "not significant"),
                (
                    f"{AbortSource.SERVICE_PROVIDER} (service provider)",
                    ", ".join(f"{r.value} {_words(r.name)}" for r in AbortReason),
                ),
            ],
        ),
        "step answers": _table(("status", "name", "when"), step_rows()),
        "step states": _table(
            ("status", "the N-SET says", "next", "must have been said by then"), transition_rows()
        ),
        "step attributes": required(),
        "commitment answers": _table(("status", "name", "when"), commitment_rows()),
        "commitment failures": _table(("reason", "name", "when"), failure_rows()),
        "request refusals": _table(("status", "name", "when"), refusal_rows()),
        "limits": _settings(LIMITS),
        "timers": _settings(TIMERS),
        "fixed limits": _table(
            ("item", "bytes"),
            [
                ("A-ASSOCIATE-RQ", f"{MAX_ASSOCIATE_BYTES:,}"),
                ("command set", f"{MAX_COMMAND_BYTES:,}"),
                ("data set of an N-CREATE, N-SET or N-ACTION", f"{MAX_DATA_SET_BYTES:,}"),
            ],
        ),
        "ciphers": "\n".join(f"- `{name}`" for name in TLS_1_2_CIPHERS),
        "tls refusals": ", ".join(f"`{refusal.value}`" for refusal in TlsRefusal),
    }


def _name(uid: str) -> str:
    """Return the name of a UID; itself if it is younger than our dictionary."""
    return UID(uid).name + (" (retired)" if UID(uid).is_retired else "")


def _words(name: str) -> str:
    return name.lower().replace("_", " ")


def _status(status: DimseStatus) -> tuple[str, ...]:
    causes = [CAUSES[error] for error, answered in C_STORE_STATUS.items() if answered is status]
    return f"0x{status:04X}", _words(status.name), STATUSES[status], "; ".join(causes)


def _rejection(rule: Rule) -> tuple[str, ...]:
    rejection = REJECTIONS[rule]
    numbers = ", ".join(str(number) for number in rejection.value)
    return numbers, _words(rejection.name), f"`{rule.value}`", RULES[rule]


def _syntaxes(uids: Iterable[str]) -> str:
    return _table(("transfer syntax", "UID"), ((_name(uid), f"`{uid}`") for uid in uids))


def _settings(names: Iterable[str]) -> str:
    return _table(("setting", "default", "bounds", "what it bounds"), map(_setting, names))


def _setting(name: str) -> tuple[str, ...]:
    field = ListenerSettings.model_fields[name]
    why = " ".join((field.description or "").split())
    return f"`{name}`", f"{field.default:,}", _bounds(field.metadata), why


def _bounds(metadata: Iterable[object]) -> str:
    words = []
    for bound in metadata:
        if isinstance(bound, Ge | Gt):
            words.append(f"at least {bound.ge:,}" if isinstance(bound, Ge) else f"> {bound.gt:,}")
        elif isinstance(bound, Le):
            words.append(f"at most {bound.le:,}")
    return ", ".join(words)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


if __name__ == "__main__":
    sys.stdout.write(make_statement())
