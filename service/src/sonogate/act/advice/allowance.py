"""How often people may ask: so many a minute, in a burst or spread."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Allowance:
    """A bucket of permissions that fills up steadily."""

    per_minute: int
    clock: Callable[[], float] = time.monotonic
    _left: float = field(init=False)
    _seen_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._left, self._seen_at = float(self.per_minute), self.clock()

    def wait_seconds(self) -> float:
        """Take one permission; return 0, or without taking how long until there is one."""
        now = self.clock()
        gained = (now - self._seen_at) * self.per_minute / 60.0
        self._left, self._seen_at = min(float(self.per_minute), self._left + gained), now
        if self._left < 1.0:
            return (1.0 - self._left) * 60.0 / self.per_minute
        self._left -= 1.0
        return 0.0
