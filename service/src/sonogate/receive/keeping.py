"""What the doors do once the database has an object: count it, and let go of what came twice."""

from collections.abc import Callable

from sonogate.domain.instance import Kept, ReceivedInstance
from sonogate.observe.metrics import Metrics
from sonogate.receive.spool import Spool


def _nobody(_instance: ReceivedInstance) -> None:
    """Tell nobody."""


class Aftercare:
    """Called with every object entered into the database.

    Args:
        spool: Where its bytes are.
        metrics: Where it is counted.
        on_new: Called for each object that is to be judged.
        on_settled: Told of each object, for those that another process keeps.
    """

    def __init__(
        self,
        spool: Spool,
        metrics: Metrics,
        on_new: Callable[[], None],
        on_settled: Callable[[ReceivedInstance], None] = _nobody,
    ) -> None:
        self._spool = spool
        self._metrics = metrics
        self._on_new = on_new
        self.on_settled = on_settled

    def __call__(self, instance: ReceivedInstance, kept: Kept) -> None:
        """Settle the object with the spool; a duplicate's bytes go."""
        calling_ae = self._metrics.ae(instance.provenance.calling_ae)
        self._metrics.received.labels(calling_ae, result_of(kept)).inc()
        self._metrics.received_bytes.labels(calling_ae).inc(instance.size_bytes)
        self._spool.settled(instance)
        self.on_settled(instance)
        if kept.duplicate:
            self._spool.run(self._spool.give_up, instance.spool_name)
        else:
            self._on_new()


def result_of(kept: Kept) -> str:
    """Return the label of `Metrics.received` for what became of an object."""
    if kept.duplicate:
        return "duplicate"
    return "conflict" if kept.conflict else "kept"
