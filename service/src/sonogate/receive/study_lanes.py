"""Which study each kept object is of, told from the first bytes of its data set.

For the queue of what is passed on, which keeps a study's objects in order; the reader, in its
worker, tells it to everyone else. Only where the elements before it can't be stepped over by hand
is pydicom asked.
"""

import warnings
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Final

from pydicom import config
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag

from sonogate.domain.instance import MediaType, ReceivedInstance
from sonogate.receive.part10 import (
    MAX_HEAD_BYTES,
    ObjectHead,
    plain_value,
    read_head,
)
from sonogate.receive.spool.folder import Spool

_STUDY: Final = (0x0020, 0x000D)
_STUDY_TAG: Final = BaseTag(0x0020000D)
_MAX_UID: Final = 64


def lanes_of(spool: Spool) -> Callable[[Sequence[ReceivedInstance]], list[str | None]]:
    """Return a reader of the studies of objects that were just kept; blocking."""

    def read(instances: Sequence[ReceivedInstance]) -> list[str | None]:
        return [_study_of(spool, instance) for instance in instances]

    return read


def _study_of(spool: Spool, instance: ReceivedInstance) -> str | None:
    if instance.media_type is not MediaType.DICOM:
        return None
    try:
        path, span = spool.place_of(instance.spool_name)
        with path.open("rb") as file:
            file.seek(span.offset if span else 0)
            head = file.read(min(MAX_HEAD_BYTES, span.size_bytes if span else MAX_HEAD_BYTES))
        return study_in(head)
    except Exception:  # noqa: BLE001 - boundary: an odd object goes in a lane of its own
        return None


def study_in(head: bytes) -> str | None:
    """Return the Study Instance UID in the first bytes of a Part 10 file; None if it is not there.

    Raises:
        MalformedObjectError: It is no DICOM object.
    """
    names = read_head(head)
    value = plain_value(head, names, _STUDY)
    study_uid = value if value is not None else _by_pydicom(head, names)
    return study_uid if study_uid and len(study_uid) <= _MAX_UID else None


def _by_pydicom(head: bytes, names: ObjectHead) -> str | None:
    """Step over sequences of undefined length, too."""
    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")
        ds = read_partial(
            BytesIO(head),
            stop_when=lambda tag, _vr, _length: tag > _STUDY_TAG,
            specific_tags=[_STUDY_TAG],
            force=True,
        )
    found = ds.get("StudyInstanceUID")
    return found if isinstance(found, str) and found else None
