"""Every error a cart can cause has an answer."""

from sonogate.errors import ReceiveError
from sonogate.receive.status import C_STORE_STATUS, DimseStatus, answer_to


def leaves(error: type[ReceiveError]) -> set[type[ReceiveError]]:
    """The errors below one that have none below them."""
    below = error.__subclasses__()
    return set().union(*map(leaves, below)) if below else {error}


def test_every_receive_error_has_a_dimse_status() -> None:
    """A new error can't reach a cart before someone decides what to answer."""
    assert leaves(ReceiveError) == set(C_STORE_STATUS)


def test_the_answer_carries_the_errors_own_words() -> None:
    """What is logged and what the cart shows is one sentence."""
    for kind, status in C_STORE_STATUS.items():
        assert (status, kind().args[0]) == (answer_to(kind()).status, answer_to(kind()).comment)


def test_an_unlisted_error_is_a_processing_failure() -> None:
    """A branch without a leaf still gets an answer."""
    assert DimseStatus.PROCESSING_FAILURE == answer_to(ReceiveError()).status
