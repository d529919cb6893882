"""A deadline that is moved far more often than it is met: moving it later costs no timer."""

import asyncio
from collections.abc import Callable


class Deadline:
    """Calls back once when its time comes; one timer at most, re-armed only when it fires early."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_expired: Callable[[], None]) -> None:
        self._loop = loop
        self._on_expired = on_expired
        self._expires_at: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def set_in(self, seconds: float) -> None:
        """Expire after `seconds` from now, whatever was set before."""
        self._expires_at = expires_at = self._loop.time() + seconds
        if self._timer is not None:
            if self._timer.when() <= expires_at:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(expires_at, self._fire)

    def clear(self) -> None:
        """Expire never."""
        self._expires_at = None

    def close(self) -> None:
        """Expire never, and let go of the timer."""
        self._expires_at = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        if self._expires_at is None:
            return
        if self._loop.time() < self._expires_at:
            self._timer = self._loop.call_at(self._expires_at, self._fire)
            return
        self._expires_at = None
        self._on_expired()
