"""A bare Storage SCP that only says Success: the floor under every Python receiver.

python -m loadtests.baseline PORT
"""

import sys

from pynetdicom import AE, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import (
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
)

TRANSFER_SYNTAXES = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50"]


def say_success(_event: Event) -> int:
    """Keep nothing."""
    return 0x0000


def main(port: int) -> None:
    """Serve until killed."""
    ae = AE(ae_title="BARE")
    ae.maximum_associations = 300
    for sop_class in (UltrasoundImageStorage, UltrasoundMultiFrameImageStorage):
        ae.add_supported_context(sop_class, TRANSFER_SYNTAXES)
    ae.start_server(("127.0.0.1", port), evt_handlers=[(evt.EVT_C_STORE, say_success)])


if __name__ == "__main__":
    main(int(sys.argv[1]))
