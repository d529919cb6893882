"""Which requests each abstract syntax serves, and who carries them out."""

from collections.abc import Mapping
from typing import Final

from sonogate.receive.acceptor import Acceptor
from sonogate.receive.c_store import AcceptedContext, Sender, StoreOperation
from sonogate.receive.commitment import CommitmentAction
from sonogate.receive.contexts import (
    NOT_STORED,
    PROCEDURE_STEP,
    STORAGE_COMMITMENT,
    VERIFICATION,
)
from sonogate.receive.dimse import CommandField, Request
from sonogate.receive.mpps import StepOperation
from sonogate.receive.operation import GatheredOperation, Operation
from sonogate.receive.reporting import Reporter
from sonogate.receive.status import Answer, DimseStatus
from sonogate.receive.wire import Line

SERVED: Final[Mapping[str, tuple[CommandField, ...]]] = {
    VERIFICATION: (CommandField.C_ECHO,),
    PROCEDURE_STEP: (CommandField.N_CREATE, CommandField.N_SET),
    STORAGE_COMMITMENT: (CommandField.N_ACTION,),
}
"""What is served on each abstract syntax; every other one stores."""
_STORED: Final = (CommandField.C_STORE,)


def refusal(request: Request, context: AcceptedContext, acceptor: Acceptor) -> Answer | None:
    """Return the answer to a request that this context does not serve; None if it does."""
    syntax = context.abstract_syntax
    if request.command_field not in SERVED.get(syntax, _STORED):
        return Answer(DimseStatus.UNRECOGNIZED_OPERATION)
    named = request.sop_class_uid
    if not named or named == syntax:
        return None
    # Carts may name another class than they negotiated: any storage class we keep is taken.
    is_storage = syntax not in NOT_STORED and named not in NOT_STORED
    if is_storage and named in acceptor.contexts:
        return None
    return Answer(DimseStatus.SOP_CLASS_NOT_SUPPORTED)


def operation_of(  # noqa: PLR0917 - what one request needs, in the order it is known
    acceptor: Acceptor,
    sender: Sender,
    request: Request,
    context: AcceptedContext,
    line: Line,
    reporter: Reporter,
) -> Operation | None:
    """Return who carries a request out; None for one that is answered as it is."""
    if request.command_field == CommandField.C_STORE:
        return StoreOperation(acceptor, sender, request, context, line.proceed)
    if context.abstract_syntax == PROCEDURE_STEP and acceptor.steps is not None:
        step = StepOperation(acceptor.steps, sender, request, context)
        return GatheredOperation(step.perform)
    if context.abstract_syntax == STORAGE_COMMITMENT and acceptor.commitments is not None:
        action = CommitmentAction(acceptor.commitments, sender, request, context, reporter.send)
        return GatheredOperation(action.perform)
    return None
