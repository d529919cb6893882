"""A small clinic: a real database, objects that arrive, and verdicts that are recorded."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from sonogate.domain.identity import AETitle, SOPInstanceUID, StudyUID, new_object_id
from sonogate.domain.instance import Header, MediaType, Provenance, ReceivedInstance, Transport
from sonogate.domain.job import Examination, Outcome
from sonogate.domain.verdict import Band, Doubt, Status, Verdict
from sonogate.settings import TrackSettings
from sonogate.store.database import Database
from sonogate.store.records import ClaimedObject, DeliveryTarget, DeliveryTargets
from sonogate.track.settling import StudyChange, settle
from sonogate.track.studies import Studies
from sonogate.track.tracker import Recorded, record

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
STUDY = "1.2.826.1"
WEBHOOK = DeliveryTargets(
    targets=(DeliveryTarget(url="https://ris.example/hook", kinds=frozenset({"verdict", "study"})),)
)


def scene(seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Draw one view as a fingerprint: (32, 32) uint8 of smooth structure, by seed."""
    rng = np.random.default_rng(seed)
    cells = rng.normal(size=(8, 8)).repeat(4, 0).repeat(4, 1)
    for axis in (0, 1, 0, 1):
        cells = (np.roll(cells, 1, axis) + cells + np.roll(cells, -1, axis)) / 3
    drawn: np.ndarray[tuple[int, int], np.dtype[np.uint8]] = np.clip(
        110 + 90 * cells / np.abs(cells).max(), 1, 255
    ).astype(np.uint8)
    return drawn


@dataclass
class Clinic:
    """Sends objects to a database and records what a worker would say of them."""

    database: Database
    settings: TrackSettings = field(default_factory=TrackSettings)
    targets: DeliveryTargets = WEBHOOK
    now: datetime = START
    n_sent: int = 0

    @property
    def studies(self) -> Studies:
        """The doors' view of it."""
        return Studies(self.database, self.targets, self.settings)

    async def receive(
        self,
        uid: str | None = None,
        *,
        content: str | None = None,
        ae: str = "CART1",
        transport: Transport = Transport.DIMSE,
        media_type: MediaType = MediaType.DICOM,
    ) -> ReceivedInstance:
        """Keep one object, a second after the last."""
        self.n_sent += 1
        self.now += timedelta(seconds=1)
        object_id = new_object_id()
        is_dicom = media_type is MediaType.DICOM
        received = ReceivedInstance(
            object_id=object_id,
            media_type=media_type,
            sop_class_uid="1.2.840.10008.5.1.4.1.1.6.1" if is_dicom else None,
            sop_instance_uid=SOPInstanceUID(uid or f"1.2.3.{self.n_sent}") if is_dicom else None,
            transfer_syntax_uid=None,
            content_sha256=(content or f"{self.n_sent:x}").rjust(64, "0"),
            size_bytes=10,
            spool_name=object_id,
            provenance=Provenance(
                calling_ae=AETitle(ae),
                called_ae=AETitle("SONOGATE"),
                peer_address="127.0.0.1",
                transport=transport,
                received_at=self.now,
            ),
        )
        await self.database.write(lambda tx: tx.objects.keep(received))
        return received

    async def judge(
        self,
        received: ReceivedInstance,
        band: Band | None = Band.HIGH,
        *,
        status: Status = Status.GRADED,
        study: str | None = STUDY,
        view: str | None = None,
        laterality: str | None = None,
        view_modifiers: str | None = None,
        seed: int | None = None,
        cells: np.ndarray[tuple[int, int], np.dtype[np.uint8]] | None = None,
        calipers: bool = False,
        acquired_at: datetime | None = None,
        exam_type: str | None = None,
        doubt: Doubt | None = None,
    ) -> Recorded:
        """Record a verdict for one object, as the pipeline does."""
        header = Header(
            sop_instance_uid=received.sop_instance_uid,
            study_instance_uid=StudyUID(study) if study else None,
            view=view,
            laterality=laterality,
            view_modifiers=view_modifiers,
            acquired_at=acquired_at,
            exam_type=exam_type,
        )
        if cells is None and seed is not None:
            cells = scene(seed)
        examination = Examination(
            object_id=received.object_id,
            outcome=Outcome.SCORED if status is Status.GRADED else Outcome(status.value),
            header=header,
            thumbnail_png=b"png",
            fingerprint=cells.tobytes() if cells is not None else None,
            has_calipers=calipers,
        )
        graded = status is Status.GRADED
        verdict = Verdict(
            sop_instance_uid=received.sop_instance_uid,
            study_instance_uid=study,
            status=status,
            band=band if graded else None,
            reason="It may be a trace" if doubt else None,
            uncertain=doubt is not None,
            doubt=doubt,
            quality={Band.HIGH: 90.0, Band.MEDIUM: 60.0, Band.LOW: 20.0}[band or Band.LOW]
            if graded
            else None,
            received_at=received.provenance.received_at,
            verdict_at=self.now,
        )
        claimed = ClaimedObject(received=received, attempts=1, claimed_at=self.now)
        return await self.database.write(
            lambda tx: record(
                tx, claimed, examination, verdict, self.now, self.settings, self.targets
            )
        )

    async def send(self, band: Band | None = Band.HIGH, **more: object) -> Recorded:
        """Receive and judge one object."""
        received = await self.receive(ae=str(more.pop("ae", "CART1")))
        return await self.judge(received, band, **more)  # type: ignore[arg-type]

    async def quiet(self, seconds: float) -> list[StudyChange]:
        """Let time pass, then settle."""
        self.now += timedelta(seconds=seconds)
        return await self.database.write(
            lambda tx: settle(tx, self.now, self.settings, self.targets)
        )


@pytest.fixture
async def clinic(url: str) -> AsyncIterator[Clinic]:
    """A clinic over a real database: SQLite, then PostgreSQL."""
    database = Database(url)
    await database.open()
    yield Clinic(database)
    await database.close()


@pytest.fixture
def draw() -> Callable[[int], np.ndarray[tuple[int, int], np.dtype[np.uint8]]]:
    """Return the drawer of views."""
    return scene
