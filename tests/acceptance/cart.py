"""A cart of our own for the proofs: pushes instances, remembers exactly which were acknowledged."""

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import UltrasoundImageStorage, Verification

SUCCESS = 0x0000


def close_socket(assoc: Association) -> None:
    """Close what pynetdicom leaves open after a connection that failed or broke."""
    if assoc.dul.socket is not None and assoc.dul.socket.socket is not None:
        assoc.dul.socket.socket.close()


@dataclass
class Cart:
    """One scanner with one association at a time."""

    port: int
    ae_title: str = "CART1"
    pace: Callable[[], None] = lambda: None  #: called before each object
    acknowledged: set[str] = field(default_factory=set)

    def push(self, instances: Iterable[Dataset]) -> bool:
        """Push what is not yet acknowledged; False if the association failed or broke."""
        ae = AE(ae_title=self.ae_title)
        ae.add_requested_context(UltrasoundImageStorage)
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = 10
        assoc = ae.associate("127.0.0.1", self.port, ae_title="SONOGATE")
        if not assoc.is_established:
            close_socket(assoc)
            return False
        for instance in instances:
            if instance.SOPInstanceUID in self.acknowledged:
                continue
            self.pace()
            status = None
            with contextlib.suppress(RuntimeError, ValueError):
                status = assoc.send_c_store(instance)
            if not status or status.Status != SUCCESS:
                assoc.abort()
                close_socket(assoc)
                return False
            self.acknowledged.add(str(instance.SOPInstanceUID))
        assoc.release()
        return True

    def echo(self) -> bool:
        """Send C-ECHO."""
        ae = AE(ae_title=self.ae_title)
        ae.add_requested_context(Verification)
        assoc = ae.associate("127.0.0.1", self.port, ae_title="SONOGATE")
        if not assoc.is_established:
            return False
        status = assoc.send_c_echo()
        assoc.release()
        return bool(status) and status.Status == SUCCESS
