"""What the site's own MPPS servers are owed: whole messages, in order, until they took them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from sonogate.domain.procedure import StepMessage
from sonogate.store.network_tables import procedure_steps, step_messages


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedMessage:
    """One message that a server has not got yet."""

    id: int
    step_uid: str
    is_create: bool
    transfer_syntax_uid: str
    data_set: bytes
    calling_ae: str  #: of the cart
    attempts: int


class StepMessages:
    """The table `step_messages`; a row, and the patient data in it, goes once it is taken."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def owe(self, message: StepMessage, servers: Iterable[str]) -> None:
        """Owe a message to servers, after all those before it."""
        rows = [
            {
                "server": server,
                "step_uid": message.step_uid,
                "is_create": message.is_create,
                "transfer_syntax_uid": message.transfer_syntax_uid,
                "data_set": message.data_set,
                "attempts": 0,
                "created_at": message.received_at,
                "next_attempt_at": message.received_at,
            }
            for server in servers
        ]
        if rows:
            self._connection.execute(insert(step_messages), rows)

    def due(self, server: str, now: datetime, limit: int) -> list[OwedMessage]:
        """Return what may be sent now, in order: of each step only its oldest, if it is due."""
        earlier = step_messages.alias()
        waits = (
            select(earlier.c.id)
            .where(
                earlier.c.server == step_messages.c.server,
                earlier.c.step_uid == step_messages.c.step_uid,
                earlier.c.id < step_messages.c.id,
            )
            .exists()
        )
        rows = self._connection.execute(
            select(step_messages, procedure_steps.c.calling_ae)
            .join(procedure_steps, procedure_steps.c.step_uid == step_messages.c.step_uid)
            .where(step_messages.c.server == server, step_messages.c.next_attempt_at <= now, ~waits)
            .order_by(step_messages.c.id)
            .limit(limit)
        )
        return [
            OwedMessage(
                id=row.id,
                step_uid=row.step_uid,
                is_create=row.is_create,
                transfer_syntax_uid=row.transfer_syntax_uid,
                data_set=row.data_set,
                calling_ae=row.calling_ae,
                attempts=row.attempts,
            )
            for row in rows
        ]

    def begin(self, message_id: int) -> None:
        """Note that a message is about to be sent: after a crash it may have arrived."""
        self._connection.execute(
            update(step_messages)
            .where(step_messages.c.id == message_id)
            .values(attempts=step_messages.c.attempts + 1)
        )

    def put_off(self, message_id: int, next_attempt_at: datetime) -> None:
        """Try a message again later."""
        self._connection.execute(
            update(step_messages)
            .where(step_messages.c.id == message_id)
            .values(next_attempt_at=next_attempt_at)
        )

    def settle(self, message_id: int) -> None:
        """A message is done with: taken, or refused for good."""
        self._connection.execute(delete(step_messages).where(step_messages.c.id == message_id))

    def n_owed(self, server: str) -> tuple[int, datetime | None]:
        """Return how many messages a server is owed, and since when the oldest is."""
        row = self._connection.execute(
            select(func.count(), func.min(step_messages.c.created_at)).where(
                step_messages.c.server == server
            )
        ).one()
        return row[0], row[1]

    def drop_owed_to_others(self, servers: Collection[str], before: datetime) -> int:
        """Drop what was owed before a time to servers that are none of these; return how many."""
        return self._connection.execute(
            delete(step_messages).where(
                step_messages.c.server.not_in(servers), step_messages.c.created_at < before
            )
        ).rowcount
