"""The DICOM Upper Layer state machine of an acceptor, as a table (PS3.8 section 9.2).

Holds no sockets and no clocks: `provider` fires events and carries the actions out. States and
events that only a requestor, or an acceptor that asks for a release, can meet are left out; the
rows kept are the standard's own.
"""

from collections.abc import Mapping
from enum import Enum, IntEnum


class State(Enum):
    """Where an association stands (PS3.8 Tables 9-1 to 9-5)."""

    IDLE = "Sta1"
    AWAITING_REQUEST = "Sta2"
    AWAITING_ANSWER = "Sta3"
    ESTABLISHED = "Sta6"
    AWAITING_RELEASE_ANSWER = "Sta8"
    AWAITING_CLOSE = "Sta13"


class Event(Enum):
    """What can happen (PS3.8 Table 9-10, first column)."""

    ASSOCIATE_AC_RECEIVED = "Evt3"
    ASSOCIATE_RJ_RECEIVED = "Evt4"
    CONNECTED = "Evt5"
    ASSOCIATE_RQ_RECEIVED = "Evt6"
    ACCEPTED = "Evt7"
    REJECTED = "Evt8"
    P_DATA_REQUESTED = "Evt9"
    P_DATA_RECEIVED = "Evt10"
    RELEASE_RQ_RECEIVED = "Evt12"
    RELEASE_RP_RECEIVED = "Evt13"
    RELEASE_ANSWERED = "Evt14"
    ABORT_REQUESTED = "Evt15"
    ABORT_RECEIVED = "Evt16"
    CONNECTION_CLOSED = "Evt17"
    ARTIM_EXPIRED = "Evt18"
    INVALID_PDU = "Evt19"


class Action(Enum):
    """What to do about it (PS3.8 Tables 9-6 to 9-9)."""

    START_ARTIM = "AE-5"
    INDICATE_REQUEST = "AE-6"
    SEND_ACCEPT = "AE-7"
    SEND_REJECT = "AE-8"
    SEND_P_DATA = "DT-1"
    INDICATE_P_DATA = "DT-2"
    INDICATE_RELEASE = "AR-2"
    SEND_RELEASE_RP = "AR-4"
    STOP_ARTIM_ON_CLOSE = "AR-5"
    SEND_P_DATA_LATE = "AR-7"
    ABORT_AS_USER = "AA-1"
    CLOSE = "AA-2"
    INDICATE_ABORT = "AA-3"
    INDICATE_LOSS = "AA-4"
    FORGET = "AA-5"
    IGNORE = "AA-6"
    ABORT_AGAIN = "AA-7"
    ABORT_AS_PROVIDER = "AA-8"


NEXT_STATE: Mapping[Action, State] = {
    Action.START_ARTIM: State.AWAITING_REQUEST,
    Action.INDICATE_REQUEST: State.AWAITING_ANSWER,
    Action.SEND_ACCEPT: State.ESTABLISHED,
    Action.SEND_REJECT: State.AWAITING_CLOSE,
    Action.SEND_P_DATA: State.ESTABLISHED,
    Action.INDICATE_P_DATA: State.ESTABLISHED,
    Action.INDICATE_RELEASE: State.AWAITING_RELEASE_ANSWER,
    Action.SEND_RELEASE_RP: State.AWAITING_CLOSE,
    Action.STOP_ARTIM_ON_CLOSE: State.IDLE,
    Action.SEND_P_DATA_LATE: State.AWAITING_RELEASE_ANSWER,
    Action.ABORT_AS_USER: State.AWAITING_CLOSE,
    Action.CLOSE: State.IDLE,
    Action.INDICATE_ABORT: State.IDLE,
    Action.INDICATE_LOSS: State.IDLE,
    Action.FORGET: State.IDLE,
    Action.IGNORE: State.AWAITING_CLOSE,
    Action.ABORT_AGAIN: State.AWAITING_CLOSE,
    Action.ABORT_AS_PROVIDER: State.AWAITING_CLOSE,
}

_SPECIFIC: Mapping[tuple[Event, State], Action] = {
    (Event.CONNECTED, State.IDLE): Action.START_ARTIM,
    (Event.ASSOCIATE_RQ_RECEIVED, State.AWAITING_REQUEST): Action.INDICATE_REQUEST,
    (Event.ASSOCIATE_RQ_RECEIVED, State.AWAITING_CLOSE): Action.ABORT_AGAIN,
    (Event.ACCEPTED, State.AWAITING_ANSWER): Action.SEND_ACCEPT,
    (Event.REJECTED, State.AWAITING_ANSWER): Action.SEND_REJECT,
    (Event.P_DATA_REQUESTED, State.ESTABLISHED): Action.SEND_P_DATA,
    (Event.P_DATA_REQUESTED, State.AWAITING_RELEASE_ANSWER): Action.SEND_P_DATA_LATE,
    (Event.P_DATA_RECEIVED, State.ESTABLISHED): Action.INDICATE_P_DATA,
    (Event.RELEASE_RQ_RECEIVED, State.ESTABLISHED): Action.INDICATE_RELEASE,
    (Event.RELEASE_ANSWERED, State.AWAITING_RELEASE_ANSWER): Action.SEND_RELEASE_RP,
    (Event.ABORT_RECEIVED, State.AWAITING_REQUEST): Action.CLOSE,
    (Event.ABORT_RECEIVED, State.AWAITING_CLOSE): Action.CLOSE,
    (Event.CONNECTION_CLOSED, State.AWAITING_REQUEST): Action.FORGET,
    (Event.CONNECTION_CLOSED, State.AWAITING_CLOSE): Action.STOP_ARTIM_ON_CLOSE,
    (Event.ARTIM_EXPIRED, State.AWAITING_REQUEST): Action.CLOSE,
    (Event.ARTIM_EXPIRED, State.AWAITING_CLOSE): Action.CLOSE,
    (Event.INVALID_PDU, State.AWAITING_CLOSE): Action.ABORT_AGAIN,
}

_PDU_RECEIVED = (
    Event.ASSOCIATE_AC_RECEIVED,
    Event.ASSOCIATE_RJ_RECEIVED,
    Event.ASSOCIATE_RQ_RECEIVED,
    Event.P_DATA_RECEIVED,
    Event.RELEASE_RQ_RECEIVED,
    Event.RELEASE_RP_RECEIVED,
    Event.INVALID_PDU,
)
_OPEN = (State.AWAITING_ANSWER, State.ESTABLISHED, State.AWAITING_RELEASE_ANSWER)

TRANSITIONS: Mapping[tuple[Event, State], Action] = {
    **{(event, State.AWAITING_REQUEST): Action.ABORT_AS_USER for event in _PDU_RECEIVED},
    **{(event, state): Action.ABORT_AS_PROVIDER for event in _PDU_RECEIVED for state in _OPEN},
    **{(event, State.AWAITING_CLOSE): Action.IGNORE for event in _PDU_RECEIVED},
    **{(Event.ABORT_REQUESTED, state): Action.ABORT_AS_USER for state in _OPEN},
    **{(Event.ABORT_RECEIVED, state): Action.INDICATE_ABORT for state in _OPEN},
    **{(Event.CONNECTION_CLOSED, state): Action.INDICATE_LOSS for state in _OPEN},
    **_SPECIFIC,
}
"""Every (event, state) an acceptor can meet; what is not in it can't happen: KeyError."""

PDU_EVENTS: Mapping[int, Event] = {
    0x01: Event.ASSOCIATE_RQ_RECEIVED,
    0x02: Event.ASSOCIATE_AC_RECEIVED,
    0x03: Event.ASSOCIATE_RJ_RECEIVED,
    0x04: Event.P_DATA_RECEIVED,
    0x05: Event.RELEASE_RQ_RECEIVED,
    0x06: Event.RELEASE_RP_RECEIVED,
    0x07: Event.ABORT_RECEIVED,
}
"""PDU type, first byte of a PDU (PS3.8 section 9.3), to its event; any other is `INVALID_PDU`."""


class AbortSource(IntEnum):
    """Who aborts (PS3.8 Table 9-26)."""

    SERVICE_USER = 0
    SERVICE_PROVIDER = 2


class AbortReason(IntEnum):
    """Why the provider aborts (PS3.8 Table 9-26); a service user gives no reason."""

    NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    UNRECOGNIZED_PARAMETER = 4
    UNEXPECTED_PARAMETER = 5
    INVALID_PARAMETER = 6


class ProtocolViolationError(Exception):
    """The peer broke PS3.7 or PS3.8; the association is aborted for this reason."""

    def __init__(self, reason: AbortReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
