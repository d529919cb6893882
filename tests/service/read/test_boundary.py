"""What a parser raises, and what our own disk does."""

import errno

import pytest

from sonogate.errors import UndecodableError, UnreadableError, UnscorableError
from sonogate.read.objects.boundary import decoding


@pytest.mark.parametrize(
    ("raised", "becomes"),
    [
        (OSError("broken data stream when reading image file"), UndecodableError),
        (OSError(errno.EIO, "Input/output error"), UnreadableError),
    ],
)
def test_a_failing_disk_is_not_the_object_s_fault(
    raised: OSError, becomes: type[UnscorableError]
) -> None:
    """Codecs raise OSError too; only the system's has a number."""
    with pytest.raises(becomes), decoding("frame 1"):
        raise raised
