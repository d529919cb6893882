"""Carts for faults: they remember every answer, and wait for none longer than a real one would."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import UltrasoundImageStorage

from sonogate.settings import MIB
from sonogate.testing import make_instance
from tests.acceptance.cart import close_socket

ANSWER_SECONDS: Final = 30.0
"""What answers later than this is taken for dead, as real carts do."""
SUCCESS: Final = "0x0000"
OUT_OF_RESOURCES: Final = "0xA700"
REJECTED_NOW: Final = "rejected, transient"
SILENCE: Final = "silence"
CLEAR: Final = {SUCCESS, OUT_OF_RESOURCES, REJECTED_NOW}
"""Answers after which a cart knows what to do."""
LARGE_EVERY: Final = 8
LARGE_BYTES: Final = 5 * MIB
"""Over what is gathered in RAM, so that the gate writes a file of its own."""
_PADDING: Final = 0xFFFCFFFC


@dataclass
class Exam:
    """Small images, each a study of its own; every eighth drags padding, as large as a cine."""

    n_made: int = 0
    large_uids: set[str] = field(default_factory=set)

    def more(self, n_objects: int) -> list[Dataset]:
        """Make so many objects."""
        return [self._one() for _ in range(n_objects)]

    def _one(self) -> Dataset:
        instance = make_instance(seed=self.n_made, height=120, width=160)
        self.n_made += 1
        if self.n_made % LARGE_EVERY == 0:
            instance.add_new(_PADDING, "OB", bytes(LARGE_BYTES))
            self.large_uids.add(str(instance.SOPInstanceUID))
        return instance


@dataclass
class FaultCart:
    """A cart that goes on over one association for as long as it holds.

    Args:
        port: of the gate.
        ae_title: its name.
    """

    port: int
    ae_title: str = "CART1"
    acknowledged: set[str] = field(default_factory=set)
    answers: Counter[str] = field(default_factory=Counter)  #: to objects, and to associations

    def send(self, instances: Sequence[Dataset]) -> list[Dataset]:
        """Send each object once; return those not acknowledged."""
        ae = AE(ae_title=self.ae_title)
        ae.add_requested_context(UltrasoundImageStorage)
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ANSWER_SECONDS
        ae.connection_timeout = ANSWER_SECONDS
        assoc = ae.associate("127.0.0.1", self.port, ae_title="SONOGATE")
        if not assoc.is_established:
            self.answers[REJECTED_NOW if _is_transient(assoc) else SILENCE] += 1
            close_socket(assoc)
            return list(instances)
        left = []
        for instance in instances:
            answer = _store(assoc, instance) if assoc.is_established else SILENCE
            self.answers[answer] += 1
            if answer == SUCCESS:
                self.acknowledged.add(str(instance.SOPInstanceUID))
            else:
                left.append(instance)
        if assoc.is_established:
            assoc.release()
        close_socket(assoc)
        return left

    def send_until_kept(self, instances: Sequence[Dataset], seconds: float) -> list[Dataset]:
        """Send, and send again what was not kept; return what was not kept in that time."""
        left, deadline = list(instances), time.monotonic() + seconds
        while (left := self.send(left)) and time.monotonic() < deadline:
            time.sleep(0.2)
        return left

    def unkept(self, instances: Sequence[Dataset]) -> list[Dataset]:
        """Return what of this was not acknowledged."""
        return [each for each in instances if str(each.SOPInstanceUID) not in self.acknowledged]


def _is_transient(assoc: Any) -> bool:
    rejected = assoc.is_rejected and assoc.acceptor.primitive is not None
    return bool(rejected and assoc.acceptor.primitive.result == 2)


def _store(assoc: Any, instance: Dataset) -> str:
    with contextlib.suppress(RuntimeError, ValueError):
        status = assoc.send_c_store(instance)
        if status:
            return f"0x{status.Status:04X}"
    return SILENCE


@contextmanager
def sending(cart: FaultCart, exam: Exam, n_at_once: int = 4) -> Iterator[list[Dataset]]:
    """Let a cart send new objects for the time of the block; yields those sent, kept or not."""
    stop, sent = threading.Event(), list[Dataset]()

    def work() -> None:
        while not stop.is_set():
            some = exam.more(n_at_once)
            sent.extend(some)
            cart.send(some)
            stop.wait(0.2)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield sent
    finally:
        stop.set()
        thread.join()
