"""A day on which a patient goes through every door of a gate, and much goes wrong."""

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless, UltrasoundImageStorage, generate_uid
from pynetdicom import AE
from pynetdicom.sop_class import (
    ModalityPerformedProcedureStep,
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from tests.acceptance.canary import (
    ACCESSION,
    BORN,
    NAME,
    PATIENT_ID,
    REASON,
    TYPED,
    seen_in,
    sick,
)
from tests.acceptance.serving import Served
from tests.integration.bad_objects import changed, cut_in_its_header, nested, of_3_gib
from tests.integration.forwarding import dicom_bytes
from tests.integration.ward import asked, calling, created, ended, image
from tests.service.receive.door import associate_rq, connected, message, store_rq

STOW_TYPE = 'multipart/related; type="application/dicom"; boundary=b'
DICOM = {"Content-Type": "application/dicom"}
QUERY = f"PatientName={NAME}&PatientID={PATIENT_ID}&00100030={BORN}"


def hostile() -> dict[str, bytes]:
    """Objects that can't be read, each with the canary where parsers quote what they choke on."""
    numbers = {
        keyword: changed(
            str(generate_uid()), PatientName=NAME, Modality=TYPED.upper(), **{keyword: "0" * 12}
        ).replace(b"0" * 12, NAME[:12].encode())
        for keyword in ("InstanceNumber", "AcquisitionDateTime", "NumberOfFrames", "PatientAge")
    }
    return numbers | {
        "cut": cut_in_its_header("1.2.3").replace(b"Phan", NAME[:4].encode()),
        "nested": nested("1.2.4"),
        "3 GiB": of_3_gib("1.2.5"),
        "none": f"%PDF {NAME} {PATIENT_ID}".encode() * 40,
    }


@dataclass
class PatientDay:
    """What was done, and what came back."""

    gate: Served
    answers: list[tuple[str, int, bytes]] = field(default_factory=list)  #: what, status, all of it
    comments: list[str] = field(default_factory=list)  #: of DIMSE answers
    pngs: list[bytes] = field(default_factory=list)
    good: Dataset = field(default_factory=sick)
    coded: Dataset = field(init=False)  #: of the same study, to be decoded for an archive

    def __post_init__(self) -> None:
        """Compress an image without loss."""
        self.coded = sick(seed=2, StudyInstanceUID=self.good.StudyInstanceUID)
        self.coded.compress(RLELossless, generate_instance_uid=False)

    async def spend(self) -> None:
        """Go through every door."""
        async with httpx.AsyncClient(base_url=self.gate.url(""), timeout=60) as http:
            await self._by_dicom()
            await asyncio.to_thread(self._by_steps)
            await self._lose_a_worker(http)
            await self._over_http(http)
            await self._ask_wrongly(http)
            await self._ask_rightly(http)

    async def _by_dicom(self) -> None:
        for each in (self.good, self.coded):
            await asyncio.to_thread(self._store, each)
        async with connected(self.gate.dicom_port) as peer:
            await peer.associate()
            for number, content in enumerate(hostile().values()):
                await peer.say(message(store_rq(f"1.2.9.{number}"), content))
                await peer.hear_status()
            await peer.say(NAME.encode() * 9)  # no PDU
            await peer.hear()
        async with connected(self.gate.dicom_port) as peer:
            await peer.say(associate_rq()[:-9] + NAME.encode())  # cut off by closing
        async with connected(self.gate.dicom_port) as peer:
            await peer.associate()
            await peer.say(message(store_rq("1.2.7"), changed("1.2.7", PatientName=NAME))[:9000])

    def _store(self, ds: Dataset) -> None:
        ae = AE(ae_title="CART1")
        ae.add_requested_context(UltrasoundImageStorage, ds.file_meta.TransferSyntaxUID)
        association = ae.associate("127.0.0.1", self.gate.dicom_port, ae_title="SONOGATE")
        assert association.is_established
        self._heard(association.send_c_store(ds))
        association.release()

    def _heard(self, status: Dataset) -> None:
        self.comments.append(str(status))

    def _by_steps(self) -> None:
        study = str(self.good.StudyInstanceUID)
        said = {"PatientName": NAME, "PatientID": PATIENT_ID, "PatientBirthDate": BORN}
        begun = created(study, **said)
        begun.ScheduledStepAttributesSequence[0].AccessionNumber = ACCESSION
        begun.PerformedProcedureStepDescription = TYPED
        wrong = created(study, **said, PerformedProcedureStepStatus=PATIENT_ID)
        with calling(self.gate.dicom_port) as association:
            step, model = generate_uid(), ModalityPerformedProcedureStep
            for ds, uid in ((begun, step), (begun, step), (wrong, generate_uid())):
                self._heard(association.send_n_create(ds, model, uid)[0])
            for minute, status in enumerate(("COMPLETED", "COMPLETED", "DISCONTINUED")):
                over = ended([self.good], status, PerformedProcedureStepEndTime=f"092{minute}00")
                over.PerformedSeriesSequence[0].OperatorsName = NAME
                self._heard(association.send_n_set(over, model, step)[0])
            for ds in (asked([self.good, image(generate_uid())]), begun):
                answer, _ = association.send_n_action(
                    ds, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
                )
                self._heard(answer)

    async def _lose_a_worker(self, http: httpx.AsyncClient) -> None:
        """Break a worker that has an object of the patient in hand, as a bad codec would."""
        await self._judged(http, str(self.good.SOPInstanceUID))
        (worker,) = (pid for pid in self.gate.worker_ids() if _is_worker(pid))
        os.kill(worker, signal.SIGSTOP)
        fatal = sick(seed=3)
        await asyncio.to_thread(self._store, fatal)
        await asyncio.sleep(0.3)
        os.kill(worker, signal.SIGSEGV)
        os.kill(worker, signal.SIGCONT)
        await self._judged(http, str(fatal.SOPInstanceUID))

    async def _judged(self, http: httpx.AsyncClient, uid: str) -> None:
        async with asyncio.timeout(90):
            while True:
                if (await http.get(f"/v1/instances/{uid}")).json().get("status") == "graded":
                    return
                await asyncio.sleep(0.05)

    async def _n_results(self, http: httpx.AsyncClient) -> int:
        study = self.good.StudyInstanceUID
        return len((await http.get(f"/v1/studies/{study}/results")).json())

    async def _over_http(self, http: httpx.AsyncClient) -> None:
        parts = [dicom_bytes(sick(seed=4)), *hostile().values()]
        body = b"".join(
            b"--b\r\nContent-Type: application/dicom\r\n\r\n" + part + b"\r\n" for part in parts
        )
        stow = {"Content-Type": STOW_TYPE}
        await self._ask(http, "POST", "/dicomweb/studies", content=body + b"--b--", headers=stow)
        await self._ask(http, "POST", "/dicomweb/studies", content=body[:999], headers=stow)
        await self._ask(http, "POST", "/v1/verdicts", content=parts[0], headers=DICOM)
        for part in hostile().values():
            file = dicom_bytes(sick())[:400] + part
            await self._ask(http, "POST", "/v1/verdicts", content=file, headers=DICOM)

    async def _ask_wrongly(self, http: httpx.AsyncClient) -> None:
        uid = str(self.good.SOPInstanceUID)
        for path in (
            f"/{NAME}",
            f"/v1/studies/{NAME}",
            f"/v1/studies?{QUERY}",
            f"/v1/instances/{NAME}",
            f"/v1/instances/{uid}?content_sha256={PATIENT_ID}",
            f"/v1/objects/{PATIENT_ID}",
            f"/web/{NAME}.js",
            f"/dicomweb/instances?{QUERY}&limit={PATIENT_ID}",
            f"/dicomweb/studies/{NAME}/instances",
            f"/v1/events?last_event_id={PATIENT_ID}",
        ):
            await self._ask(http, "GET", path)
        for wish in ({"band": NAME, "reason": REASON, "by": "dr"}, {NAME: PATIENT_ID}, [NAME]):
            await self._ask(http, "POST", f"/v1/instances/{uid}/override", json=wish)
        for odd in (f"{{{NAME}", f'{{"band": "{NAME}'):
            await self._ask(
                http, "POST", f"/v1/instances/{uid}/override", content=odd,
                headers={"Content-Type": "application/json"},
            )  # fmt: skip
        for headers in ({"Host": NAME}, {"Origin": f"http://{PATIENT_ID}"}, {NAME[:10]: NAME}):
            await self._ask(http, "POST", f"/v1/studies/{uid}/close", headers=headers)
        await self._ask(http, "DELETE", f"/v1/destinations/{NAME}")
        await self._ask(http, "GET", "/v1/fault")

    async def _ask_rightly(self, http: httpx.AsyncClient) -> None:
        uid, study = str(self.good.SOPInstanceUID), str(self.good.StudyInstanceUID)
        wish = {"band": "low", "reason": f"{REASON} of a person", "by": "dr"}
        await self._ask(http, "POST", f"/v1/instances/{uid}/override", json=wish)
        for picture in ("thumbnail.png", "heatmap.png"):
            answer = await http.get(f"/v1/instances/{uid}/{picture}")
            assert answer.status_code == 200
            self.pngs.append(answer.content)
        for path in ("/", "/v1/studies", f"/v1/studies/{study}", "/v1/findings", "/v1/senders"):
            await self._ask(http, "GET", path)
        await self._ask(http, "POST", f"/v1/studies/{study}/close", json={})
        async with asyncio.timeout(60):
            while await self._n_results(http) < 2:  # noqa: ASYNC110 - asked by REST
                await asyncio.sleep(0.1)
        for path in ("/v1/destinations", "/health/ready", f"/dicomweb/instances?{QUERY}"):
            await self._ask(http, "GET", path)
        (found, *_) = (await http.get(f"/dicomweb/studies/{study}/instances")).json()
        report = await http.get(found["00081190"]["Value"][0])
        assert "patient" in seen_in(report.content), "a report names its patient"

    async def _ask(self, http: httpx.AsyncClient, method: str, path: str, **more: Any) -> None:
        answer = await http.request(method, path, **more)
        whole = repr(answer.headers.raw).encode() + answer.content
        self.answers.append((f"{method} {path}", answer.status_code, whole))

    async def metrics(self) -> bytes:
        """Return what Prometheus is shown."""
        async with httpx.AsyncClient(base_url=self.gate.url("")) as http:
            return (await http.get("/metrics")).content


def _is_worker(pid: int) -> bool:
    """Tell a scoring worker from what decodes or writes for a moment."""
    with suppress(OSError):
        return b"sonogate.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


async def upload_without_end(gate: Served) -> None:
    """Send the beginning of a large object over HTTP, and then nothing."""
    file = dicom_bytes(sick(seed=5)) + bytes(3 << 20)
    head = (
        f"POST /v1/verdicts HTTP/1.1\r\nHost: 127.0.0.1:{gate.http_port}\r\n"
        f"Content-Type: application/dicom\r\nContent-Length: {len(file) + (1 << 20)}\r\n\r\n"
    )
    with suppress(ConnectionError):
        async with connected(gate.http_port) as peer:
            await peer.say(head.encode() + file)
            await asyncio.sleep(60)
