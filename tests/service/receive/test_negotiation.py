"""Which presentation contexts are accepted, and in which transfer syntax."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import AllTransferSyntaxes, DeflatedExplicitVRLittleEndian
from pynetdicom import AllStoragePresentationContexts
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)

from sonogate.receive.contexts import (
    NOT_STORAGE,
    TRANSFER_SYNTAXES,
    ULTRASOUND_SOP_CLASSES,
    UNCOMPRESSED,
    supported_contexts,
)
from sonogate.receive.negotiation import Acceptance, accept, read_associate_rq
from sonogate.receive.upper_layer import ProtocolViolationError
from tests.service.receive.door import US_IMAGE, VERIFICATION, associate_rq

MAX_PDU_BYTES = 256 * 1024
PRIVATE = "1.2.276.0.7230010.3.1.0.1"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"


def negotiated(
    contexts: dict[int, tuple[str, list[str]]], *, extra: tuple[str, ...] = ()
) -> Acceptance:
    """Propose contexts and return what was agreed."""
    request = read_associate_rq(associate_rq(contexts)[6:], "127.0.0.1")
    return accept(request, supported_contexts(extra), MAX_PDU_BYTES)


def understood(acceptance: Acceptance) -> A_ASSOCIATE:
    """Decode the A-ASSOCIATE-AC as a requestor would."""
    pdu = A_ASSOCIATE_AC()
    pdu.decode(acceptance.pdu)
    return pdu.to_primitive()


@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES)
def test_a_cart_is_accepted_in_every_syntax(syntax: str) -> None:
    """Each way a cart may send echoes, in each way they may be written."""
    proposal = {2 * n + 1: (uid, [syntax]) for n, uid in enumerate(ULTRASOUND_SOP_CLASSES)}
    agreed = negotiated(proposal).contexts

    assert [(uid, syntax) for uid in ULTRASOUND_SOP_CLASSES] == [
        (context.abstract_syntax, context.transfer_syntax) for context in agreed.values()
    ]


def test_every_storage_sop_class_is_accepted() -> None:
    """Reports, key objects, presentation states and all the rest are kept for passing on."""
    supported = supported_contexts()

    assert {str(cx.abstract_syntax) for cx in AllStoragePresentationContexts} <= set(supported)
    assert VERIFICATION in supported
    assert not NOT_STORAGE & set(supported)


def test_a_private_sop_class_is_accepted_once_it_is_listed() -> None:
    """Private UIDs come in through settings only."""
    proposal = {1: (PRIVATE, [UNCOMPRESSED[0]])}

    assert not negotiated(proposal).contexts
    assert PRIVATE == negotiated(proposal, extra=(PRIVATE,)).contexts[1].abstract_syntax


def test_deflated_is_not_accepted() -> None:
    """A data set that inflates without bound is a bomb."""
    proposal = {1: (US_IMAGE, [str(DeflatedExplicitVRLittleEndian)])}
    acceptance = negotiated(proposal)
    results = understood(acceptance).presentation_context_definition_results_list

    assert not acceptance.contexts
    assert [0x04] == [context.result for context in results]  # transfer syntaxes not supported


@pytest.mark.parametrize("order", [1, -1])
def test_the_senders_first_choice_is_taken(order: int) -> None:
    """Of several syntaxes in one context the sender's first counts: it converts nothing for us."""
    syntaxes = [JPEG_BASELINE, UNCOMPRESSED[1]][::order]
    agreed = negotiated({1: (US_IMAGE, [str(DeflatedExplicitVRLittleEndian), *syntaxes])}).contexts

    assert syntaxes[0] == agreed[1].transfer_syntax


def test_contexts_are_answered_one_by_one() -> None:
    """An unknown class does not spoil the others; each result names its reason."""
    acceptance = negotiated(
        {
            1: (US_IMAGE, [JPEG_BASELINE]),
            3: ("1.2.840.10008.5.1.4.1.2.1.1", [UNCOMPRESSED[0]]),  # Patient Root Find
            5: (VERIFICATION, [UNCOMPRESSED[1]]),
        }
    )
    results = understood(acceptance).presentation_context_definition_results_list

    assert {1, 5} == set(acceptance.contexts)
    assert [(1, 0), (3, 3), (5, 0)] == [(cx.context_id, cx.result) for cx in results]


def test_what_we_take_and_who_we_are_is_said() -> None:
    """The A-ASSOCIATE-AC carries our maximum length."""
    items = understood(negotiated({1: (US_IMAGE, [UNCOMPRESSED[0]])})).user_information
    lengths = [item for item in items if isinstance(item, MaximumLengthNotification)]

    assert [MAX_PDU_BYTES] == [item.maximum_length_received for item in lengths]


def test_an_asynchronous_window_is_declined() -> None:
    """A cart that asks for many operations at once is told: one."""
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = 8
    window.maximum_number_operations_performed = 8
    request = read_associate_rq(associate_rq(user_information=(window,))[6:], "127.0.0.1")
    items = understood(accept(request, supported_contexts(), MAX_PDU_BYTES)).user_information
    answered = [item for item in items if isinstance(item, AsynchronousOperationsWindowNegotiation)]

    assert [(1, 1)] == [
        (item.maximum_number_operations_invoked, item.maximum_number_operations_performed)
        for item in answered
    ]


def test_a_proposed_role_leaves_the_cart_the_scu() -> None:
    """Who proposes to be both is told that it is SCU alone (PS3.7 D.3.3.4)."""
    role = SCP_SCU_RoleSelectionNegotiation()
    role.sop_class_uid = US_IMAGE
    role.scu_role, role.scp_role = True, True
    request = read_associate_rq(associate_rq(user_information=(role,))[6:], "127.0.0.1")
    acceptance = accept(request, supported_contexts(), MAX_PDU_BYTES)
    items = understood(acceptance).user_information

    assert {1, 3} == set(acceptance.contexts)
    roles = [item for item in items if isinstance(item, SCP_SCU_RoleSelectionNegotiation)]
    assert [(US_IMAGE, True, False)] == [
        (role.sop_class_uid, role.scu_role, role.scp_role) for role in roles
    ]


def test_who_comes_again_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And answered alike, under the address that it has this time; another is read anew."""
    decode, decoded = A_ASSOCIATE_RQ.decode, []

    def note(pdu: A_ASSOCIATE_RQ, octets: bytes) -> None:
        decoded.append(octets)
        decode(pdu, octets)

    monkeypatch.setattr(A_ASSOCIATE_RQ, "decode", note)
    proposal = {1: (US_IMAGE, [JPEG_BASELINE]), 3: (VERIFICATION, [UNCOMPRESSED[1]])}
    bodies = [associate_rq(proposal, calling_ae=name)[6:] for name in ("AGAIN", "AGAIN", "OTHER")]
    requests = [read_associate_rq(body, f"127.0.0.{n}") for n, body in enumerate(bodies)]
    first, second, _other = (accept(each, supported_contexts(), 2**18) for each in requests)

    assert 2 == len(decoded)
    assert first == second
    assert [("AGAIN", "127.0.0.0"), ("AGAIN", "127.0.0.1"), ("OTHER", "127.0.0.2")] == [
        (each.applicant.calling_ae, each.applicant.peer_address) for each in requests
    ]


def test_the_tables_name_real_transfer_syntaxes() -> None:
    """A mistyped UID would never be proposed, and nobody would notice."""
    known = {str(uid) for uid in AllTransferSyntaxes}

    assert set(TRANSFER_SYNTAXES) <= known | {f"1.2.840.10008.1.2.4.11{n}" for n in range(3)}
    assert len(TRANSFER_SYNTAXES) == len(set(TRANSFER_SYNTAXES))


@given(st.data())
def test_a_damaged_request_is_refused_or_answered(data: st.DataObject) -> None:
    """Hostile bytes end in a ProtocolViolationError or in an answer, never in anything else."""
    body = bytearray(associate_rq()[6:])
    for _ in range(data.draw(st.integers(1, 12))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(body)))
    try:
        request = read_associate_rq(bytes(body[:cut] or body), "127.0.0.1")
        accept(request, supported_contexts(), MAX_PDU_BYTES)
    except ProtocolViolationError:
        return
