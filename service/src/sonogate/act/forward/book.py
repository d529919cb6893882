"""What people and programs may ask of the destinations, and the one thing they may say."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sonogate.act.forward.forwarder import Forwarder
from sonogate.act.forward.way import Way
from sonogate.domain.forwarding import BreakerReport, DestinationReport, StudyForwards
from sonogate.errors import UnknownDestinationError
from sonogate.store.database import Database
from sonogate.store.forward_records import ForwardState, QueueOf
from sonogate.store.records import AuditEntry
from sonogate.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class ForwardBook:
    """The queues and breakers of a running forwarder."""

    database: Database
    forwarder: Forwarder

    async def destinations(self) -> list[DestinationReport]:
        """Return how each destination does, in the order of the settings."""
        return [await self._report(way) for way in self.forwarder.ways.values()]

    async def of_study(self, study_uid: str) -> list[StudyForwards]:
        """Return how far a study's judged objects are, by destination."""
        counted = await self.database.read(lambda tx: tx.forward_queues.of_study(study_uid))
        return [
            StudyForwards(
                destination=name,
                done=by_state.get(ForwardState.DONE, 0),
                owed=by_state.get(ForwardState.OWED, 0),
                held=by_state.get(ForwardState.HELD, 0),
                refused=by_state.get(ForwardState.REFUSED, 0),
                dropped=by_state.get(ForwardState.DROPPED, 0),
            )
            for name, by_state in counted.items()
        ]

    async def retry(self, name: str, by: str) -> DestinationReport:
        """Owe again what a destination refused, and try what waits now; audited.

        Raises:
            UnknownDestinationError: none has this name.
        """
        way = self.forwarder.ways.get(name)
        if way is None:
            raise UnknownDestinationError
        await self.database.write(_retry(name, by))
        way.retry_now()
        return await self._report(way)

    async def _report(self, way: Way) -> DestinationReport:
        queue: QueueOf = await self.database.read(lambda tx: tx.forward_queues.of(way.name))
        now, row, settings = datetime.now(UTC), way.breaker.row, way.settings
        counts = {state: queue.by_state.get(state, 0) for state in ForwardState}
        return DestinationReport(
            name=way.name,
            kind=settings.kind,
            mode=settings.mode,
            owed=counts[ForwardState.OWED],
            held=counts[ForwardState.HELD],
            refused=counts[ForwardState.REFUSED],
            refusals=dict(queue.refusals),
            oldest_owed_at=queue.oldest_owed_at,
            oldest_held_at=queue.oldest_held_at,
            breaker=BreakerReport(
                state=way.breaker.state(now).value,
                reason=row.reason if row else None,
                n_failed=row.n_failed if row else 0,
                since=row.since if row else None,
                rest_until=row.rest_until if row else None,
            ),
        )


def _retry(name: str, by: str) -> Callable[[Transaction], None]:
    def work(tx: Transaction) -> None:
        now = datetime.now(UTC)
        n_objects = tx.forwards.retry(name, now)
        tx.forward_queues.mend(name)
        tx.audit.append(
            AuditEntry(
                at=now,
                by=by,
                action="retry_destination",
                study_uid=None,
                object_id=None,
                body={"destination": name, "n_objects": n_objects},
            )
        )

    return work
