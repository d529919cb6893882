"""The edge of this room: whoever brings objects to one kind of destination."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol

from sonogate.act.forward.outcome import Outcome
from sonogate.act.forward.parcel import Parcel

Settle = Callable[[Parcel, Outcome], None]
"""Called with each answer; never waits."""

Decode = Callable[[Parcel, str], Awaitable[Path]]
"""Write an object in another transfer syntax to a new file, which the caller removes."""


class Carrier(Protocol):
    """Brings objects to one destination, several batches at once."""

    async def carry(
        self, parcels: Sequence[Parcel], on_start: Callable[[Parcel], None], settle: Settle
    ) -> None:
        """Send objects in their order; stop after the first `busy`.

        Args:
            parcels: Objects of one study and one sender.
            on_start: Called when an object's bytes begin to leave.
            settle: Called with what became of each.

        Raises:
            DestinationError: The destination failed as a whole.
        """
        ...
