"""Who may still come in, and what is counted at the door: of the whole gate, whoever answers."""

import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Protocol

from sonogate.observe.metrics import Metrics
from sonogate.receive.admission import Rule
from sonogate.receive.quota import Quota, SenderKey
from sonogate.settings import ListenerSettings

Refused = Callable[[str, str, str, str], None]
"""Takes what was refused (an action of the audit trail), the peer's AE title, its address, why."""
Admitted = Callable[[Rule | None], None]
"""Takes the rule that forbids to enter; None: a place was taken."""


class Counted(StrEnum):
    """What a door counts; its label, if it has one, follows."""

    OBJECT_REFUSED = "object_refused"  #: by calling AE title
    OBJECT_KEPT = "object_kept"  #: seconds from its last byte
    ASSOCIATION_ENDED = "association_ended"  #: by how
    ASSOCIATION_REFUSED = "association_refused"  #: by rule
    TLS_REFUSED = "tls_refused"  #: by reason


class Porter(Protocol):
    """Keeps the places of the whole gate, and its counts."""

    @property
    def n_open(self) -> int:
        """Associations established now, of those that this porter let in."""
        ...

    def admit(self, sender: SenderKey, then: Admitted) -> None:
        """Ask for a place; `then` is told, at once or later."""
        ...

    def see_off(self, sender: SenderKey) -> None:
        """Give a place back."""
        ...

    def count(self, what: Counted, label: str = "", value: float = 1.0) -> None:
        """Count something."""
        ...

    def refused(self, action: str, peer: str, address: str, rule: str) -> None:
        """Tell of a peer that was turned away."""
        ...


def _unnoted(_action: str, _peer: str, _address: str, _rule: str) -> None:
    """Do nothing."""


class OwnPorter:
    """The porter of the gate's own process."""

    def __init__(
        self, settings: ListenerSettings, metrics: Metrics, on_refused: Refused = _unnoted
    ) -> None:
        self.quota = Quota(settings, time.monotonic)
        self.refused = on_refused
        self._metrics = metrics
        self._counters: Mapping[Counted, Callable[[str, float], None]] = {
            Counted.OBJECT_REFUSED: lambda ae, n: metrics.received.labels(
                metrics.ae(ae), "refused"
            ).inc(n),
            Counted.OBJECT_KEPT: lambda _, seconds: metrics.keep_seconds.observe(seconds),
            Counted.ASSOCIATION_ENDED: lambda how, n: metrics.associations_ended.labels(how).inc(n),
            Counted.ASSOCIATION_REFUSED: lambda rule, n: metrics.associations_refused.labels(
                rule
            ).inc(n),
            Counted.TLS_REFUSED: lambda reason, n: metrics.tls_refused.labels(reason).inc(n),
        }

    @property
    def n_open(self) -> int:
        """Associations established now."""
        return self.quota.n_open

    def admit(self, sender: SenderKey, then: Admitted) -> None:
        """Take a place, if there is one; `then` is told at once."""
        broken = self.quota.open(sender)
        if broken is None:
            self._metrics.associations.inc()
        then(broken)

    def see_off(self, sender: SenderKey) -> None:
        """Give a place back."""
        self.quota.close(sender)
        self._metrics.associations.dec()

    def count(self, what: Counted, label: str = "", value: float = 1.0) -> None:
        """Count something."""
        self._counters[what](label, value)
