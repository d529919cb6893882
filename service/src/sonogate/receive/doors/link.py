"""One end of the socket pair between a door and the gate."""

import asyncio
import socket
from typing import Any, Generic, Self, TypeVar

from pydantic import TypeAdapter, ValidationError

from sonogate.receive.doors.wire import LENGTH, MAX_MESSAGE_BYTES, pack

Says = TypeVar("Says")
Hears = TypeVar("Hears")


class LinkBrokenError(Exception):
    """The other side is gone, or talks nonsense."""


class Link(Generic[Says, Hears]):
    """Says messages at once, hears them one after the other, and matches answers to questions."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        says: TypeAdapter[Says],
        hears: TypeAdapter[Hears],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._says = says
        self._hears = hears
        self._number = 0
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._is_closed = False

    @classmethod
    async def over(
        cls, end: socket.socket, says: TypeAdapter[Says], hears: TypeAdapter[Hears]
    ) -> Self:
        """Take one end of a socket pair."""
        return cls(*await asyncio.open_unix_connection(sock=end), says, hears)

    def say(self, message: Says) -> None:
        """Send a message; nothing happens on a link that is closed."""
        if not self._writer.is_closing():
            self._writer.write(pack(self._says.dump_json(message)))

    async def hear(self) -> Hears:
        """Return the next message.

        Raises:
            LinkBrokenError: There is none any more.
        """
        try:
            (length,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
            if length > MAX_MESSAGE_BYTES:
                raise LinkBrokenError("a message is too long")
            return self._hears.validate_json(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, OSError) as error:
            raise LinkBrokenError("the link ended") from error
        except ValidationError as error:
            raise LinkBrokenError("a message is none") from error

    def question(self) -> tuple[int, asyncio.Future[Any]]:
        """Return the number of a new question, and what its answer will be."""
        self._number += 1
        future = self._asked[self._number] = asyncio.get_running_loop().create_future()
        if self._is_closed:
            self.answered(self._number, LinkBrokenError("the link was closed"))
        return self._number, future

    def answered(self, number: int, answer: Any) -> None:
        """Pass an answer, or an exception, to whoever asked."""
        future = self._asked.pop(number, None)
        if future is None or future.done():
            return
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)

    async def close(self) -> None:
        """Send what is left, and close; who still waits for an answer gets none."""
        self._is_closed = True
        for number, future in tuple(self._asked.items()):
            self.answered(number, LinkBrokenError("the link was closed"))
            if not future.cancelled():
                future.exception()  # maybe nobody waits any more
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            return
