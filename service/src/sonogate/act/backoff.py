"""How long to wait before a failed delivery is tried again."""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Doubling waits with jitter, so that many failed deliveries don't come back at once."""

    first_seconds: float = 1.0  #: after the first failure
    max_seconds: float = 900.0  #: never longer; a receiver repaired at lunch is served by then

    def seconds(self, n_failed: int, chance: Callable[[], float] = random.random) -> float:
        """Return the wait after the n-th failure in a row: half fixed, half by chance.

        Args:
            n_failed: Failures so far, from 1.
            chance: Source of numbers in [0, 1).
        """
        doublings = min(n_failed - 1, 30)  # 2**30 s is far past any maximum
        full = min(self.first_seconds * 2.0**doublings, self.max_seconds)
        return full * (0.5 + 0.5 * chance())
