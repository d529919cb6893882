"""A gate without workers: door, database, exam steps, commitment; and a cart that speaks both."""

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import (
    ModalityPerformedProcedureStep,
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    UltrasoundImageStorage,
    Verification,
)

from sonogate.app import background
from sonogate.domain.identity import StudyUID
from sonogate.domain.instance import Header
from sonogate.domain.job import Examination, Outcome
from sonogate.domain.study import Study
from sonogate.domain.verdict import Band, Status, Verdict
from sonogate.networking import Networking
from sonogate.observe.metrics import Metrics
from sonogate.receive.doors.desk import House
from sonogate.receive.doors.keeper import Doors
from sonogate.receive.keeping import Aftercare
from sonogate.receive.listener import Listener
from sonogate.receive.porter import OwnPorter
from sonogate.receive.spool import Spool
from sonogate.settings import Settings
from sonogate.store.database import Database
from sonogate.store.forward_records import Destinations
from sonogate.store.records import DeliveryTargets
from sonogate.store.registrar import Registrar
from sonogate.testing import make_instance
from sonogate.track.studies import Studies
from sonogate.track.tracker import record


@dataclass
class Ward:
    """A running gate, as far as the network sees it."""

    settings: Settings
    database: Database
    listener: Listener | Doors
    metrics: Metrics
    networking: Networking
    spool: Spool
    registrar: Registrar
    changes: list[None] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Where to knock."""
        return self.listener.port

    @property
    def studies(self) -> Studies:
        """What the doors show."""
        return Studies(self.database, settings=self.settings.track)

    async def study(self, uid: str) -> Study:
        """One study as REST shows it."""
        return await self.studies.get(uid)

    def count(self, name: str, **labels: str) -> float:
        """Value of one metric."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    async def judge(self, study_uid: str) -> None:
        """Say of everything that waits that it is high, as workers would."""
        now = datetime.now(UTC)

        def work(tx: Any) -> None:
            for claimed in tx.objects.claim("ward", now, 60, 100):
                received = claimed.received
                examination = Examination(
                    object_id=received.object_id,
                    outcome=Outcome.SCORED,
                    header=Header(study_instance_uid=StudyUID(study_uid)),
                )
                verdict = Verdict(
                    sop_instance_uid=received.sop_instance_uid,
                    study_instance_uid=study_uid,
                    status=Status.GRADED,
                    band=Band.HIGH,
                    quality=90.0,
                    received_at=received.provenance.received_at,
                    verdict_at=now,
                )
                record(tx, claimed, examination, verdict, now, self.settings.track)

        await self.database.write(work)


@asynccontextmanager
async def open_ward(folder: Path, **settings: Any) -> AsyncIterator[Ward]:
    """Run door, database and loops for the time of the block; the folder outlives it."""
    listener = {"port": 0, **settings.pop("listener", {})}
    made = Settings.model_validate(
        {"data_dir": folder, "listener": listener, "spool": {"min_free_bytes": 1}, **settings}
    )
    database, metrics = Database(made.database_url), Metrics()
    spool = Spool(made.spool_dir, made.spool, made.listener)
    destinations = Destinations.from_settings(made.forward.destinations)
    registrar = Registrar(database, made.spool.max_unjudged, destinations)
    registrar.on_entered = aftercare = Aftercare(spool, metrics, lambda: None)
    changes: list[None] = []
    async with AsyncExitStack() as stack:
        await database.open()
        stack.push_async_callback(database.close)
        await asyncio.to_thread(spool.prepare)
        networking = Networking.of(
            made,
            database,
            DeliveryTargets(),
            metrics,
            lambda: changes.append(None),
            registrar.caught_up,
        )
        ports = (networking.steps, networking.commitments)
        porter = OwnPorter(made.listener, metrics)
        door: Listener | Doors = Listener(made.listener, spool, registrar, porter, *ports)
        if made.listener.processes > 1:
            house = House(registrar=registrar, porter=porter, steps=ports[0], commitments=ports[1])
            door = Doors(made, spool, house, metrics, partial(live_names, database))
            aftercare.on_settled = door.settled
        await spool.open()
        await door.start()
        stack.push_async_callback(spool.close)
        await stack.enter_async_context(background(registrar.run()))
        await stack.enter_async_context(background(networking.run()))
        stack.push_async_callback(door.stop)
        yield Ward(made, database, door, metrics, networking, spool, registrar, changes)


async def live_names(database: Database) -> set[str]:
    """The spool names of all objects whose bytes are still wanted."""
    return await database.read(lambda tx: tx.spooled_bytes.spool_names())


# What a cart says.


def image(study_uid: str, number: int = 1) -> Dataset:
    """A small image of a study."""
    made = make_instance(seed=number, height=40, width=40)
    made.StudyInstanceUID = study_uid
    return made


def created(study_uid: str, **changes: object) -> Dataset:
    """The data set of an N-CREATE (PS3.4 Table F.7.2-1); None takes an attribute out."""
    scheduled = Dataset()
    scheduled.StudyInstanceUID = study_uid
    scheduled.ReferencedStudySequence = Items([])
    scheduled.AccessionNumber = "A1"
    scheduled.RequestedProcedureID = "RP1"
    scheduled.RequestedProcedureDescription = ""
    scheduled.ScheduledProcedureStepID = "SPS1"
    scheduled.ScheduledProcedureStepDescription = ""
    scheduled.ScheduledProtocolCodeSequence = Items([])
    said = Dataset()
    said.ScheduledStepAttributesSequence = Items([scheduled])
    said.PatientName = "Canary^Yellow"
    said.PatientID = "P1"
    said.PatientBirthDate = ""
    said.PatientSex = "O"
    said.ReferencedPatientSequence = Items([])
    said.PerformedProcedureStepID = "PPS1"
    said.PerformedStationAETitle = "CART"
    said.PerformedStationName = ""
    said.PerformedLocation = ""
    said.PerformedProcedureStepStartDate = "20260301"
    said.PerformedProcedureStepStartTime = "090000"
    said.PerformedProcedureStepStatus = "IN PROGRESS"
    said.PerformedProcedureStepDescription = ""
    said.PerformedProcedureTypeDescription = ""
    said.ProcedureCodeSequence = Items([])
    said.PerformedProcedureStepEndDate = ""
    said.PerformedProcedureStepEndTime = ""
    said.Modality = "US"
    said.StudyID = "1"
    said.PerformedProtocolCodeSequence = Items([])
    said.PerformedSeriesSequence = Items([])
    return changed(said, changes)


def ended(images: Sequence[Dataset], status: str = "COMPLETED", **changes: object) -> Dataset:
    """The data set of an N-SET that ends a step and names its images."""
    series = Dataset()
    series.PerformingPhysicianName = ""
    series.ProtocolName = "ABDOMEN"
    series.OperatorsName = ""
    series.SeriesInstanceUID = generate_uid()
    series.SeriesDescription = ""
    series.RetrieveAETitle = ""
    series.ReferencedImageSequence = Items([reference(each) for each in images])
    series.ReferencedNonImageCompositeSOPInstanceSequence = Items([])
    said = Dataset()
    said.PerformedProcedureStepStatus = status
    said.PerformedProcedureStepEndDate = "20260301"
    said.PerformedProcedureStepEndTime = "091500"
    said.PerformedSeriesSequence = Items([series])
    return changed(said, changes)


def changed(data_set: Dataset, changes: dict[str, object]) -> Dataset:
    """Set attributes, or take them out."""
    for keyword, value in changes.items():
        if value is None:
            delattr(data_set, keyword)
        else:
            setattr(data_set, keyword, value)
    return data_set


def reference(each: Dataset) -> Dataset:
    """Name an instance."""
    item = Dataset()
    item.ReferencedSOPClassUID = each.SOPClassUID
    item.ReferencedSOPInstanceUID = each.SOPInstanceUID
    return item


def asked(images: Sequence[Dataset], transaction_uid: str = "") -> Dataset:
    """The data set of an N-ACTION."""
    said = Dataset()
    said.TransactionUID = transaction_uid or generate_uid()
    said.ReferencedSOPSequence = Items([reference(each) for each in images])
    return said


Handlers = Sequence[tuple[Any, Callable[..., Any]]]


@contextmanager
def calling(port: int, handlers: Handlers = (), ae_title: str = "CART") -> Iterator[Association]:
    """Associate as a cart does, blocking."""
    ae = AE(ae_title=ae_title)
    ae.dimse_timeout = 20
    ae.add_requested_context(UltrasoundImageStorage, ExplicitVRLittleEndian)
    ae.add_requested_context(ModalityPerformedProcedureStep)
    ae.add_requested_context(StorageCommitmentPushModel)
    ae.add_requested_context(Verification)
    association = ae.associate("127.0.0.1", port, ae_title="SONOGATE", evt_handlers=list(handlers))
    assert association.is_established
    try:
        yield association
    finally:
        association.release()


@dataclass
class Heard:
    """The reports that a sender was given: (event type, data set)."""

    reports: list[tuple[int, Dataset]] = field(default_factory=list)
    status: int = 0
    _is_there: threading.Event = field(default_factory=threading.Event)

    def __call__(self, event: evt.Event) -> tuple[int, None]:
        """Take one report."""
        self.reports.append((event.event_type, event.event_information))
        self._is_there.set()
        return self.status, None

    def wait(self, seconds: float = 10.0) -> None:
        """Wait for the first report, blocking."""
        assert self._is_there.wait(seconds)

    @property
    def handlers(self) -> Handlers:
        """To be given to an association or a server."""
        return [(evt.EVT_N_EVENT_REPORT, self)]


@contextmanager
def awaiting_reports(
    heard: Heard, port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[int]:
    """Listen for reports as a cart does, on an association of the gate's own; yields the port."""
    ae = AE(ae_title="CART")
    ae.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
    server = ae.start_server(
        ("127.0.0.1", port), block=False, evt_handlers=list(heard.handlers), ssl_context=tls
    )
    assert server is not None
    try:
        yield int(server.socket.getsockname()[1])
    finally:
        server.shutdown()


def ask(port: int, images: Sequence[Dataset], transaction_uid: str = "") -> int:
    """Ask for commitment and leave at once; return the status."""
    with calling(port) as association:
        answer, _ = association.send_n_action(
            asked(images, transaction_uid),
            1,
            StorageCommitmentPushModel,
            StorageCommitmentPushModelInstance,
        )
        return int(answer.Status)


def store(port: int, images: Sequence[Dataset]) -> list[int]:
    """Store images; return the statuses."""
    with calling(port) as association:
        return [int(association.send_c_store(each).Status) for each in images]
