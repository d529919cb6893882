"""Where other people's parsers and codecs end and our errors begin.

Messages name the exception's type and never its text: parsers like to quote the value they choke
on, and that value may be a patient's name.
"""

import errno
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from pydicom import config

from sonogate.errors import GateError, UndecodableError, UnreadableError

T = TypeVar("T")
_OF_THE_DISK: Final = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT)
"""Codecs raise OSError too, but without a number of the system's."""


@contextmanager
def decoding(stage: str) -> Iterator[None]:
    """Turn whatever a parser or codec raises into `UndecodableError`.

    Args:
        stage: what was being read, in plain words ("the header", "frame 3").
    """
    try:
        with lenient():
            yield
    except GateError:
        raise
    except OSError as error:
        if error.errno in _OF_THE_DISK:
            raise UnreadableError(f"Can't read {stage}: the disk failed.") from error
        raise UndecodableError(f"Can't read {stage} ({type(error).__name__}).") from error
    except MemoryError as error:
        raise UndecodableError(f"Reading {stage} needs more memory than allowed.") from error
    except Exception as error:  # a hostile object may make a parser raise anything
        raise UndecodableError(f"Can't read {stage} ({type(error).__name__}).") from error


@contextmanager
def lenient() -> Iterator[None]:
    """Let pydicom read values that break the standard, and say nothing about them."""
    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def tolerant(read: Callable[[], T]) -> T | None:
    """Return what `read` returns, or None: one odd attribute must not hide the others."""
    try:
        return read()
    except Exception:  # noqa: BLE001 - boundary: see above
        return None
