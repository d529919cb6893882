"""A real database per test, and objects to keep in it."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest

from sonogate.domain.identity import AETitle, SOPInstanceUID, new_object_id
from sonogate.domain.instance import MediaType, Provenance, ReceivedInstance, Transport
from sonogate.store.database import Database

MakeReceived = Callable[..., ReceivedInstance]
START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """An open database: SQLite, then PostgreSQL."""
    database = Database(url)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def make_received() -> MakeReceived:
    """Return a maker of received objects: a new UID and content each time, a second apart."""
    made = 0

    def make(
        uid: str | None = "", content: str = "", calling_ae: str = "CART1", **more: object
    ) -> ReceivedInstance:
        nonlocal made
        made += 1
        object_id = new_object_id()
        values: dict[str, object] = {
            "object_id": object_id,
            "media_type": MediaType.DICOM,
            "sop_class_uid": "1.2.840.10008.5.1.4.1.1.6.1",
            "sop_instance_uid": SOPInstanceUID(uid or f"1.2.3.{made}") if uid is not None else None,
            "transfer_syntax_uid": "1.2.840.10008.1.2.1",
            "content_sha256": (content or f"{made:x}").rjust(64, "0"),
            "size_bytes": 1000,
            "spool_name": object_id,
            "provenance": Provenance(
                calling_ae=AETitle(calling_ae),
                called_ae=AETitle("SONOGATE"),
                peer_address="127.0.0.1",
                transport=Transport.DIMSE,
                received_at=START + timedelta(seconds=made),
            ),
        }
        return ReceivedInstance(**(values | more))  # type: ignore[arg-type]

    return make
