"""The edges between the layers of one connection: the association's way out, the provider's."""

from typing import Protocol


class Line(Protocol):
    """An association's way back to the peer."""

    def send_p_data(self, context_id: int, command: bytes, data_set: bytes = b"") -> None:
        """Send a message; nothing happens if the association is over."""

    def proceed(self) -> None:
        """Go on reading: the request is answered, or the disk caught up."""


class Wire(Protocol):
    """The connection below the provider."""

    def write(self, pdu: bytes) -> None:
        """Send bytes."""

    def close(self) -> None:
        """Close once everything written is sent."""

    def abort(self) -> None:
        """Close now."""

    def proceed(self) -> None:
        """Go on reading."""
