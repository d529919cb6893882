"""Column types that mean the same in every database: times, texts, and an id that counts up."""

from datetime import UTC, datetime

from sqlalchemy import BigInteger, DateTime, Dialect, Integer
from sqlalchemy import Text as DatabaseText
from sqlalchemy.types import TypeDecorator

CountingId = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite counts up only an INTEGER primary key."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime: stored in UTC, read back in UTC; a naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn to UTC on the way in."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone; every stored time is aware")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """SQLite keeps no zone, PostgreSQL answers in the session's: both become UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Text(TypeDecorator[str]):
    """A text of any length without NUL, which PostgreSQL keeps in none and looks up in none."""

    impl = DatabaseText
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Leave out NUL: a sender or a caller may put it anywhere."""
        return None if value is None else value.replace("\0", "")
