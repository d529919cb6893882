"""A study that is judged, decided upon and closed, over a real database and a real shelf."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID

from sonogate.act.results import maker as maker_module
from sonogate.act.results.facts import Answer, Order
from sonogate.act.results.maker import Maker
from sonogate.act.results.rejecting import rejected
from sonogate.act.results.scribe import write
from sonogate.act.results.shelf import Shelf
from sonogate.domain.identity import AETitle, SeriesUID, SOPInstanceUID, StudyUID, new_object_id
from sonogate.domain.instance import (
    Header,
    MediaType,
    Provenance,
    ReceivedInstance,
    Span,
    Transport,
)
from sonogate.domain.job import Examination, Outcome
from sonogate.domain.rejection import Rejection
from sonogate.domain.verdict import Band, Doubt, Status, Verdict
from sonogate.observe.metrics import Metrics
from sonogate.settings import ResultsSettings, TrackSettings
from sonogate.store.database import Database
from sonogate.store.forward_records import Destination, Destinations
from sonogate.store.records import ClaimedObject, DeliveryTargets
from sonogate.store.results import ResultRow
from sonogate.store.transaction import Transaction
from sonogate.testing import make_instance
from sonogate.track.studies import Studies
from sonogate.track.tracker import record
from tests.service.act.results.said import MODEL, NOISE

STUDY = "1.2.826.1"
CANARY = "CANARY^PATIENT^NAME"
PACS = Destinations(
    all=(Destination(name="pacs", wants_results=True), Destination(name="images_only"))
)
EVERYTHING = ResultsSettings(
    enabled=True, objects=("report", "advice", "rejection"), delay_seconds=0.01
)


async def write_here(orders: tuple[Order, ...], deadline_seconds: float) -> tuple[Answer, ...]:
    """Write in this process: loading highdicom anew for each study takes seconds."""
    return tuple(write(order) for order in orders)


@dataclass
class Ward:
    """One study."""

    database: Database
    folder: Path
    settings: ResultsSettings
    metrics: Metrics = field(default_factory=Metrics)
    n_images: int = 0

    def __post_init__(self) -> None:
        self.targets = DeliveryTargets(results_after_seconds=self.settings.delay_seconds)
        self.studies = Studies(self.database, self.targets, rejected=self.rejected)
        self.shelf = Shelf(self.folder / "results")
        self.shelf.prepare(set())
        self.maker = Maker(
            database=self.database,
            shelf=self.shelf,
            place_of=self.place_of,
            settings=self.settings,
            device="SONOGATE",
            destinations=PACS,
            metrics=self.metrics,
            retention_days=7,
        )

    def place_of(self, spool_name: str) -> tuple[Path, Span | None]:
        """Return where an object's bytes are."""
        return self.folder / spool_name, None

    def rejected(self, tx: Transaction, study_uid: str) -> dict[str, Rejection]:
        """Return the rejections that hold, by object id."""
        by = self.settings.rejections_by
        return rejected(tx, study_uid, by) if by else {}

    async def add(
        self,
        band: Band | None = Band.LOW,
        view: str | None = None,
        doubt: Doubt | None = None,
        status: Status | None = None,
    ) -> str:
        """Keep and judge one image of the study; return its UID."""
        self.n_images += 1
        instance = make_instance(height=16, width=16, study_uid=STUDY, patient_name=CANARY)
        uid = UID(f"1.2.3.{self.n_images}")
        instance.SOPInstanceUID = instance.file_meta.MediaStorageSOPInstanceUID = uid
        name = f"object{self.n_images}"
        instance.save_as(self.folder / name, enforce_file_format=True)
        await self.enter(uid, name, band, view, doubt=doubt, status=status)
        return uid

    async def enter(
        self,
        uid: str,
        name: str,
        band: Band | None,
        view: str | None,
        *,
        doubt: Doubt | None = None,
        status: Status | None = None,
    ) -> None:
        """Enter an object whose bytes are there, and its verdict."""
        received_at = datetime.now(UTC)
        received = ReceivedInstance(
            object_id=new_object_id(),
            media_type=MediaType.DICOM,
            sop_class_uid="1.2.840.10008.5.1.4.1.1.6.1",
            sop_instance_uid=SOPInstanceUID(uid),
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            content_sha256=f"{self.n_images:064x}",
            size_bytes=10,
            spool_name=name,
            provenance=Provenance(
                calling_ae=AETitle("CART1"),
                called_ae=AETitle("SONOGATE"),
                peer_address="127.0.0.1",
                transport=Transport.DIMSE,
                received_at=received_at,
            ),
        )
        examination = Examination(
            object_id=received.object_id,
            outcome=Outcome.SCORED if band else Outcome.UNSCORABLE,
            header=Header(
                sop_instance_uid=SOPInstanceUID(uid),
                series_instance_uid=SeriesUID("1.2.3"),
                study_instance_uid=StudyUID(STUDY),
                view=view,
            ),
        )
        verdict = Verdict(
            sop_instance_uid=uid,
            study_instance_uid=STUDY,
            status=status or (Status.GRADED if band else Status.UNSCORABLE),
            band=band,
            quality=50.0 if band else None,
            findings=[NOISE] if band is Band.LOW else [],
            doubt=doubt,
            model=MODEL if band else None,
            policy_version="card-1",
            received_at=received_at,
            verdict_at=received_at,
        )
        await self.database.write(lambda tx: tx.objects.keep(received))
        claimed = ClaimedObject(received=received, attempts=1, claimed_at=received_at)
        await self.database.write(
            lambda tx: record(
                tx, claimed, examination, verdict, datetime.now(UTC), TrackSettings(), self.targets
            )
        )

    async def close(self) -> None:
        """Close the study."""
        await self.studies.close(STUDY, "test")

    async def make(self) -> int:
        """Make what is due; return how many studies asked."""
        return await self.maker.make_due(datetime.now(UTC) + timedelta(hours=1))

    async def rows(self, kind: str = "") -> list[ResultRow]:
        """Return the results that were made."""
        rows = await self.database.read(lambda tx: tx.results.of_study(STUDY))
        return [row for row in rows if kind in {"", row.kind}]

    async def read(self, row: ResultRow) -> Dataset:
        """Return a result."""
        return dcmread(self.shelf.path_of(row.file_name))

    async def owed(self, row: ResultRow) -> bool:
        """Whether a destination still waits for a result."""
        return await self.database.read(lambda tx: tx.forwards.wants_file(row.result_id))

    def count(self, name: str, **labels: str) -> float:
        """Return a metric."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def ward(folder: Path, url: str = "", **settings: Any) -> AsyncIterator[Ward]:
    """Open a ward; a second one over the same folder is a restart."""
    database = Database(url or f"sqlite:///{folder / 'sonogate.db'}")
    await database.open()
    try:
        yield Ward(database, folder, EVERYTHING.model_copy(update=settings))
    finally:
        await database.close()


__all__ = ["CANARY", "STUDY", "Ward", "maker_module", "ward", "write_here"]
