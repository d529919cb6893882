"""The Upper Layer table is the standard's."""

import pytest
from pynetdicom.fsm import TRANSITION_TABLE

from sonogate.receive.upper_layer import (
    NEXT_STATE,
    PDU_EVENTS,
    TRANSITIONS,
    Action,
    Event,
    State,
)

ALL_PDUS = [*PDU_EVENTS.values(), Event.INVALID_PDU]
AFTER_CONNECTING = [state for state in State if state is not State.IDLE]


def test_every_transition_of_an_acceptor_is_the_standards() -> None:
    """The table equals PS3.8 Table 9-10 for our states and events, as pynetdicom wrote it down."""
    events = {event.value: event for event in Event}
    states = {state.value: state for state in State}
    standard = {
        (events[event], states[state]): action
        for (event, state), action in TRANSITION_TABLE.items()
        if event in events and state in states
    }

    assert standard == {key: action.value for key, action in TRANSITIONS.items()}


@pytest.mark.parametrize("event", ALL_PDUS)
@pytest.mark.parametrize("state", AFTER_CONNECTING)
def test_any_pdu_is_answered_in_any_state(event: Event, state: State) -> None:
    """No PDU that a peer may send finds a hole in the table."""
    assert (event, state) in TRANSITIONS


@pytest.mark.parametrize("state", AFTER_CONNECTING)
def test_a_lost_connection_is_met_in_any_state(state: State) -> None:
    """Whenever the transport goes, there is an action for it and the end is Sta1."""
    assert NEXT_STATE[TRANSITIONS[Event.CONNECTION_CLOSED, state]] is State.IDLE


def test_every_action_leads_somewhere() -> None:
    """An action without a next state would strand its association."""
    assert set(Action) == set(NEXT_STATE)


def test_nothing_but_a_request_leads_to_an_association() -> None:
    """Only Evt7 in Sta3 enters Sta6, and only Evt6 in Sta2 enters Sta3."""
    entering = {
        key
        for key, action in TRANSITIONS.items()
        if NEXT_STATE[action] is State.ESTABLISHED and key[1] is not State.ESTABLISHED
    }

    assert {(Event.ACCEPTED, State.AWAITING_ANSWER)} == entering
