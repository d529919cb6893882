"""How many associations may be open: in total, of one sender, and opened by it in a minute.

A sender is an AE title at an address. Its rate is a token bucket that holds a minute's worth: a
burst passes, a loop doesn't.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sonogate.receive.admission import Rule
from sonogate.settings import ListenerSettings

MINUTE_SECONDS: Final = 60.0
MAX_REMEMBERED: Final = 1024
"""Senders remembered before those that owe nothing are forgotten."""

SenderKey = tuple[str, str]
"""Calling AE title, IP address."""


@dataclass(slots=True)
class _Account:
    n_open: int
    tokens: float
    counted_at: float  #: when `tokens` was right; seconds of the clock


class Quota:
    """Counts what is open and what was opened."""

    def __init__(self, settings: ListenerSettings, clock: Callable[[], float]) -> None:
        self._max_open = settings.max_associations
        self._max_of_sender = settings.max_sender_associations
        self._per_minute = settings.sender_associations_per_minute
        self._clock = clock
        self._accounts: dict[SenderKey, _Account] = {}
        self.n_open = 0

    def open(self, sender: SenderKey) -> Rule | None:
        """Take a place for a sender; return the rule that forbids it, if one does."""
        if self.n_open >= self._max_open:
            return Rule.ASSOCIATIONS
        account = self._account(sender)
        if account.n_open >= self._max_of_sender:
            return Rule.SENDER_ASSOCIATIONS
        if account.tokens < 1:
            return Rule.SENDER_RATE
        account.tokens -= 1
        account.n_open += 1
        self.n_open += 1
        return None

    def close(self, sender: SenderKey) -> None:
        """Give a place back."""
        self._accounts[sender].n_open -= 1
        self.n_open -= 1

    def _account(self, sender: SenderKey) -> _Account:
        now = self._clock()
        account = self._accounts.get(sender)
        if account is None:
            if len(self._accounts) >= MAX_REMEMBERED:
                self._forget(now)
            account = self._accounts[sender] = _Account(0, self._per_minute, now)
        self._refill(account, now)
        return account

    def _refill(self, account: _Account, now: float) -> None:
        earned = (now - account.counted_at) * self._per_minute / MINUTE_SECONDS
        account.tokens = min(account.tokens + earned, self._per_minute)
        account.counted_at = now

    def _forget(self, now: float) -> None:
        """Let go of senders that would be new ones: nothing open, a full bucket."""
        for sender, account in tuple(self._accounts.items()):
            self._refill(account, now)
            if not account.n_open and account.tokens >= self._per_minute:
                del self._accounts[sender]
