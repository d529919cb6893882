"""Each action of the trail in DICOM's words (PS3.16 CID 400, 401, 403; PS3.15 A.5.3)."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final, NamedTuple


class Code(NamedTuple):
    """A code of the DICOM Controlled Terminology (DCM)."""

    value: str
    meaning: str


APPLICATION_ACTIVITY: Final = Code("110100", "Application Activity")
INSTANCES_ACCESSED: Final = Code("110103", "DICOM Instances Accessed")
INSTANCES_TRANSFERRED: Final = Code("110104", "DICOM Instances Transferred")
EXPORT: Final = Code("110106", "Export")
QUERY: Final = Code("110112", "Query")
SECURITY_ALERT: Final = Code("110113", "Security Alert")
APPLICATION_START: Final = Code("110120", "Application Start")
APPLICATION_STOP: Final = Code("110121", "Application Stop")
NODE_AUTHENTICATION: Final = Code("110126", "Node Authentication")
NETWORK_CONFIGURATION: Final = Code("110128", "Network Configuration")
SOFTWARE_CONFIGURATION: Final = Code("110131", "Software Configuration")
RESTRICTED_FUNCTION: Final = Code("110132", "Use of Restricted Function")
SECURITY_ROLES_CHANGED: Final = Code("110136", "Security Roles Changed")
USER_SECURITY_CHANGED: Final = Code("110137", "User Security Attributes Changed")
APPLICATION: Final = Code("110150", "Application")
DESTINATION_ROLE: Final = Code("110152", "Destination Role ID")
SOURCE_ROLE: Final = Code("110153", "Source Role ID")
DESTINATION_MEDIA: Final = Code("110154", "Destination Media")
STUDY_INSTANCE_UID: Final = Code("110180", "Study Instance UID")
NODE_ID: Final = Code("110182", "Node ID")


class Outcome(IntEnum):
    """EventOutcomeIndicator (PS3.15 A.5.1)."""

    SUCCESS = 0
    MINOR_FAILURE = 4


class Did(StrEnum):
    """EventActionCode (PS3.15 A.5.1)."""

    CREATE = "C"
    READ = "R"
    UPDATE = "U"
    EXECUTE = "E"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an action is called."""

    event: Code
    did: Did
    types: tuple[Code, ...] = ()
    outcome: Outcome = Outcome.SUCCESS


_CHANGED = Meaning(INSTANCES_ACCESSED, Did.UPDATE)
_REFUSED = Meaning(SECURITY_ALERT, Did.EXECUTE, (NODE_AUTHENTICATION,), Outcome.MINOR_FAILURE)

MEANINGS: Final = {
    "start": Meaning(APPLICATION_ACTIVITY, Did.EXECUTE, (APPLICATION_START,)),
    "stop": Meaning(APPLICATION_ACTIVITY, Did.EXECUTE, (APPLICATION_STOP,)),
    "receive": Meaning(INSTANCES_TRANSFERRED, Did.CREATE),
    "read": Meaning(INSTANCES_ACCESSED, Did.READ),
    "read_list": Meaning(QUERY, Did.EXECUTE),
    "close": _CHANGED,
    "answer": _CHANGED,
    "override": _CHANGED,
    "revoke_override": _CHANGED,
    "reject": _CHANGED,
    "revoke_rejection": _CHANGED,
    "advise": Meaning(EXPORT, Did.READ),
    "retry_destination": Meaning(SECURITY_ALERT, Did.EXECUTE, (RESTRICTED_FUNCTION,)),
    "apply_calibration": Meaning(SECURITY_ALERT, Did.EXECUTE, (SOFTWARE_CONFIGURATION,)),
    "revoke_calibration": Meaning(SECURITY_ALERT, Did.EXECUTE, (SOFTWARE_CONFIGURATION,)),
    "settings_changed": Meaning(SECURITY_ALERT, Did.EXECUTE, (SOFTWARE_CONFIGURATION,)),
    "association_refused": _REFUSED,
    "tls_refused": _REFUSED,
    "login_failed": _REFUSED,
    "request_refused": _REFUSED,
    "not_noted": Meaning(
        SECURITY_ALERT, Did.EXECUTE, (RESTRICTED_FUNCTION,), Outcome.MINOR_FAILURE
    ),
}
"""By action. One that is not here is said as a use of a restricted function."""
UNKNOWN: Final = Meaning(SECURITY_ALERT, Did.EXECUTE, (RESTRICTED_FUNCTION,))

SETTING_TYPES: Final = {
    "http.token": USER_SECURITY_CHANGED,
    "listener.senders": SECURITY_ROLES_CHANGED,
    "listener": NETWORK_CONFIGURATION,
    "forward": NETWORK_CONFIGURATION,
    "advice": NETWORK_CONFIGURATION,
    "mpps": NETWORK_CONFIGURATION,
    "commitment": NETWORK_CONFIGURATION,
    "webhooks": NETWORK_CONFIGURATION,
    "http": NETWORK_CONFIGURATION,
}
"""What a changed key is, beside a change of software configuration; the longest prefix counts."""

SAID: Final = frozenset(
    {
        "address",
        "answer",
        "band",
        "called_ae",
        "code",
        "destination",
        "keys",
        "kind",
        "n",
        "n_objects",
        "newer",
        "older",
        "reason_code",
        "route",
        "rule",
        "transport",
        "version",
    }
)
"""What of an entry's body leaves the gate; a person's own words (`reason`) don't."""


def types_of(action: str, keys: list[str]) -> tuple[Code, ...]:
    """Return the event types of an action, and of settings that changed with it."""
    meaning = MEANINGS.get(action, UNKNOWN)
    return tuple(dict.fromkeys((*meaning.types, *filter(None, map(_type_of_key, keys)))))


def _type_of_key(key: str) -> Code | None:
    for prefix in sorted(SETTING_TYPES, key=len, reverse=True):
        if key == prefix or key.startswith(f"{prefix}."):
            return SETTING_TYPES[prefix]
    return None
