"""A request under way: what an association hands its pieces to, and gathering small data sets."""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from sonogate.observe.logs import get_logger
from sonogate.receive.status import Answer, DimseStatus
from sonogate.settings import MIB

MAX_DATA_SET_BYTES: Final = MIB
"""Byte budget of the data set of a request that stores nothing; names some 7,000 instances."""

log = get_logger()


class Operation(Protocol):
    """One request from its command set to its answer."""

    @property
    def is_behind(self) -> bool:
        """Whether the sender should be held up for the disk."""
        ...

    def add(self, fragment: memoryview) -> None:
        """Take a piece of the data set."""
        ...

    def abandon(self) -> None:
        """The association ended before the last byte."""
        ...

    async def finish(self) -> Answer:
        """Return the answer, once what it says is true."""
        ...


class GatheredOperation:
    """A request with a small data set, which is gathered in memory.

    Args:
        perform: answers, given the data set.
    """

    is_behind = False

    def __init__(self, perform: Callable[[bytes], Awaitable[Answer]]) -> None:
        self._perform = perform
        self._data_set = bytearray()
        self._is_too_large = False

    def add(self, fragment: memoryview) -> None:
        """Take a piece; once there are too many, drop all."""
        self._is_too_large |= len(self._data_set) + len(fragment) > MAX_DATA_SET_BYTES
        if self._is_too_large:
            self._data_set.clear()
        else:
            self._data_set += fragment

    def abandon(self) -> None:
        """Nothing was done yet."""

    async def finish(self) -> Answer:
        """Perform it; a fault of ours is one the sender is told of."""
        if self._is_too_large:
            return Answer(DimseStatus.RESOURCE_LIMITATION, "The data set is over 1 MiB.")
        try:
            return await self._perform(bytes(self._data_set))
        except Exception as error:  # noqa: BLE001 - boundary: the association goes on
            log.warning("request_failed", exception_type=type(error).__name__)
            return Answer(DimseStatus.PROCESSING_FAILURE, "The gate could not keep the request.")
