"""Messages between the gate and a worker: four bytes of length, then JSON. Nothing is unpickled."""

import struct
from typing import BinaryIO

from pydantic import TypeAdapter

from sonogate.domain.job import Examination, Greeting, Job

LENGTH = struct.Struct(">I")
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""A worker that claims a longer answer is broken or hostile."""

JOB = TypeAdapter(Job)
EXAMINATION = TypeAdapter(Examination)
GREETING = TypeAdapter(Greeting)


def pack(body: bytes) -> bytes:
    """Put the length before the body."""
    return LENGTH.pack(len(body)) + body


def read_message(stream: BinaryIO) -> bytes | None:
    """Read one message; None at the end of the stream."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    body = stream.read(length)
    return body if len(body) == length else None
