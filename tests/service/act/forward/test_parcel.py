"""An object's own bytes, when they can't be had or nobody wants the rest."""

import errno
from contextlib import suppress
from pathlib import Path

import pytest

from sonogate.act.forward import outcome
from sonogate.act.forward.outcome import Fate, of_own_bytes
from sonogate.act.forward.parcel import BLOCK_BYTES, reading
from sonogate.domain.instance import Span


def is_open(path: Path) -> bool:
    """Whether this process has a file open."""
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one we look with is gone
            if each.readlink() == path:
                return True
    return False


def test_a_file_is_closed_with_the_association_that_broke(tmp_path: Path) -> None:
    """Not when the error is forgotten: whoever keeps that, keeps no descriptor."""
    path = tmp_path / "object"
    path.write_bytes(bytes(3 * BLOCK_BYTES))

    def send_half() -> None:
        with reading(path, Span(offset=0, size_bytes=3 * BLOCK_BYTES)) as pieces:
            next(pieces)
            assert is_open(path)
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError) as kept:
        send_half()

    assert kept.tb is not None
    assert not is_open(path)


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (FileNotFoundError(errno.ENOENT, "gone"), Fate.REFUSED),
        (ValueError("no Part 10 file"), Fate.REFUSED),
        (OSError(errno.EIO, "Input/output error"), Fate.BUSY),
    ],
)
def test_a_failing_disk_is_asked_again(error: OSError | ValueError, fate: Fate) -> None:
    """Only bytes that are gone for good need a person."""
    out = of_own_bytes(error)

    assert fate is out.fate
    assert (out is outcome.BYTES_GONE) == (fate is Fate.REFUSED)
