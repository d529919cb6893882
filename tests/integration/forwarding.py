"""A gate reduced to what passes objects on, and archives of all kinds to pass them to."""

import asyncio
import io
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import UltrasoundImageStorage, UltrasoundMultiFrameImageStorage

from sonogate.act.forward.book import ForwardBook
from sonogate.act.forward.forwarder import Forwarder
from sonogate.domain.forwarding import DestinationReport
from sonogate.domain.identity import AETitle
from sonogate.domain.instance import MediaType, Provenance, Transport
from sonogate.observe.metrics import Metrics
from sonogate.outgoing import make_forwarder, prepare_outgoing
from sonogate.receive.intake import Intake
from sonogate.receive.spool import Spool
from sonogate.receive.study_lanes import lanes_of
from sonogate.settings import DestinationSettings, ForwardSettings, Settings, SpoolSettings
from sonogate.store.database import Database
from sonogate.store.registrar import Registrar
from sonogate.testing import make_instance
from tests.ports import free_port

PATIENCE_SECONDS = 60.0
EXPLICIT = "1.2.840.10008.1.2.1"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
RLE = "1.2.840.10008.1.2.5"


def dicom_bytes(ds: Dataset) -> bytes:
    """Return the Part 10 bytes of an instance."""
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def study(n_images: int, study_uid: str | None = None) -> list[Dataset]:
    """Make the small images of one study."""
    first = make_instance(seed=0, height=32, width=32, study_uid=study_uid)
    others = [
        make_instance(seed=seed, height=32, width=32, study_uid=first.StudyInstanceUID)
        for seed in range(1, n_images)
    ]
    return [first, *others]


def uids(instances: Sequence[Dataset]) -> list[str]:
    """Return the SOP Instance UIDs of data sets."""
    return [str(each.SOPInstanceUID) for each in instances]


@dataclass
class Station:
    """Spool, database, registrar and forwarder: what stands between a cart and an archive."""

    settings: Settings
    database: Database
    spool: Spool
    intake: Intake
    forwarder: Forwarder
    metrics: Metrics

    async def keep(
        self, *instances: Dataset | bytes, calling_ae: str = "CART1", at: datetime | None = None
    ) -> list[str]:
        """Keep instances as if a cart had sent them; return their object ids."""
        kept = []
        for each in instances:
            provenance = Provenance(
                calling_ae=AETitle(calling_ae),
                called_ae=AETitle("SONOGATE"),
                peer_address="127.0.0.1",
                transport=Transport.DIMSE,
                received_at=at or datetime.now(UTC),
            )
            body = each if isinstance(each, bytes) else dicom_bytes(each)
            found = await self.intake.take_file(body, MediaType.DICOM, provenance)
            kept.append(str(found.object_id))
        return kept

    async def report(self, name: str = "pacs") -> DestinationReport:
        """Return how a destination does."""
        reports = await ForwardBook(self.database, self.forwarder).destinations()
        return next(each for each in reports if each.name == name)

    async def until(
        self, is_so: Callable[[DestinationReport], bool], name: str = "pacs"
    ) -> DestinationReport:
        """Wait until a destination's report is as wanted."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                report = await self.report(name)
                if is_so(report):
                    return report
                await asyncio.sleep(0.02)

    async def delivered(self, name: str = "pacs") -> DestinationReport:
        """Wait until nothing is owed."""
        return await self.until(lambda report: report.owed == 0, name)

    def count(self, result: str, name: str = "pacs") -> float:
        """Return how often a destination answered so."""
        value = self.metrics.registry.get_sample_value(
            "sonogate_forwarded_total", {"destination": name, "result": result}
        )
        return value or 0.0


@asynccontextmanager
async def station(folder: Path, *destinations: DestinationSettings) -> AsyncIterator[Station]:
    """Run a station over a folder; a second one over the same folder is a restart."""
    settings = Settings(
        data_dir=folder / "data",
        spool=SpoolSettings(min_free_bytes=1),
        forward=ForwardSettings(destinations=destinations),
    )
    settings.data_dir.mkdir(exist_ok=True)
    metrics, database = Metrics(), Database(settings.database_url)
    spool = Spool(settings.spool_dir, settings.spool, settings.listener)
    forwarder = make_forwarder(settings, database, spool, metrics)
    prepare_outgoing(settings)
    await database.open()
    await asyncio.to_thread(spool.prepare)
    registrar = Registrar(database, 10_000, forwarder.destinations, lanes_of(spool))
    registrar.on_entered = lambda _instance, _kept: forwarder.wake()
    newest = await database.read(lambda tx: tx.objects.newest_received_at())
    unsettled = await asyncio.to_thread(spool.unsettled, newest)
    await registrar.recover([each for kept in unsettled.values() for each in kept])
    await spool.open()
    loops = [asyncio.create_task(registrar.run()), asyncio.create_task(forwarder.run())]
    try:
        intake = Intake(spool, registrar, metrics)
        yield Station(settings, database, spool, intake, forwarder, metrics)
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await spool.close()
        await database.close()


@dataclass
class Archive:
    """A scriptable archive of pynetdicom's: takes what it is told to, and counts."""

    port: int = field(default_factory=free_port)
    syntaxes: Sequence[str] = (EXPLICIT,)
    answer: Callable[["Archive", Any], int] = lambda _archive, _event: 0x0000
    instances: list[str] = field(default_factory=list)  #: UIDs in the order they came
    data_sets: dict[str, bytes] = field(default_factory=dict)
    calling_aes: list[str] = field(default_factory=list)
    n_associations: int = 0
    n_connections: int = 0
    _server: Any = None

    def start(self) -> None:
        """Open the port."""
        ae = AE(ae_title="PACS")
        for sop_class in (UltrasoundImageStorage, UltrasoundMultiFrameImageStorage):
            ae.add_supported_context(sop_class, list(self.syntaxes))
        handlers = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_ACCEPTED, self._accepted),
            (evt.EVT_CONN_OPEN, self._connected),
        ]
        self._server = ae.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)

    def stop(self) -> None:
        """Close the port, and every association."""
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def _connected(self, _event: Any) -> None:
        self.n_connections += 1

    def _accepted(self, event: Any) -> None:
        self.n_associations += 1
        self.calling_aes.append(event.assoc.requestor.ae_title.strip())

    def _store(self, event: Any) -> int:
        status = self.answer(self, event)
        if status & 0xF000 in (0x0000, 0xB000) and status not in (0x0122, 0x0111):
            uid = str(event.request.AffectedSOPInstanceUID)
            self.instances.append(uid)
            self.data_sets[uid] = event.request.DataSet.getvalue()
        return status


@contextmanager
def archive(**how: Any) -> Iterator[Archive]:
    """Run an archive for the time of the block."""
    running = Archive(**how)
    running.start()
    try:
        yield running
    finally:
        running.stop()


def pacs(port: int, **more: Any) -> DestinationSettings:
    """Settings of a DICOM destination that is tried again soon."""
    values = {
        "name": "pacs", "host": "127.0.0.1", "port": port, "ae_title": "PACS",
        "answer_seconds": 10.0, "retry_max_seconds": 1.0,
    }  # fmt: skip
    return DestinationSettings(**(values | more))


def orthanc_config(folder: Path, dicom_port: int, http_port: int) -> Path:
    """Write the settings of an archive named PACS."""
    folder.mkdir(exist_ok=True)
    config = folder / "orthanc.json"
    config.write_text(
        json.dumps(
            {
                "StorageDirectory": str(folder), "IndexDirectory": str(folder), "Plugins": [],
                "DicomAet": "PACS", "DicomPort": dicom_port, "HttpPort": http_port,
                "RemoteAccessAllowed": False, "AuthenticationEnabled": False,
            }
        )
    )  # fmt: skip
    return config


@asynccontextmanager
async def orthanc(tool: str, folder: Path, dicom_port: int) -> AsyncIterator[httpx.AsyncClient]:
    """Run Orthanc as an archive for the time of the block."""
    http_port = free_port()
    config = orthanc_config(folder, dicom_port, http_port)
    process = await asyncio.create_subprocess_exec(
        tool, str(config), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        url = f"http://127.0.0.1:{http_port}"
        async with httpx.AsyncClient(base_url=url, timeout=20, trust_env=False) as http:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    with suppress(httpx.TransportError):
                        if (await http.get("/system")).is_success:
                            break
                    await asyncio.sleep(0.05)
            yield http
    finally:
        process.kill()
        await process.wait()


async def instances_in(http: httpx.AsyncClient) -> Counter[str]:
    """Count the instances that Orthanc has, by SOP Instance UID."""
    found = (await http.get("/instances?expand")).json()
    return Counter(each["MainDicomTags"]["SOPInstanceUID"] for each in found)
