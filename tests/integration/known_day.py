"""A day at a gate of which everything is known: what was sent, when, and what was answered.

Each number here comes from the sender's side or from the REST answers, none from the metrics.
"""

import asyncio
import io
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import httpx
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    BasicTextSRStorage,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
)
from pynetdicom import AE, build_context
from pynetdicom.association import Association
from pynetdicom.dsutils import encode

from sonogate.demo.phantom import make_scan
from sonogate.demo.views import VIEWS
from sonogate.testing import make_instance, speckle

CANARY = "CANARY^PATIENT^NAME"
DELAY = timedelta(seconds=40)
"""How long the carts of this day keep an image before they send it."""
CONTEXTS = [
    build_context(UltrasoundImageStorage, ExplicitVRLittleEndian),
    build_context(UltrasoundImageStorage, JPEGBaseline8Bit),
    build_context(UltrasoundMultiFrameImageStorage, ExplicitVRLittleEndian),
    build_context(BasicTextSRStorage, ExplicitVRLittleEndian),
]


@dataclass(kw_only=True)
class Sent:
    """One object, from the sender's side."""

    ae: str
    exam: str
    n_bytes: int  #: of the data set, or of the picture
    before: datetime
    after: datetime
    result: str  #: as the gate should count it: kept, duplicate, conflict, refused
    least_keep_seconds: float  #: how slow the disk was made
    uid: str | None = None
    acquired_at: datetime | None = None
    is_cine: bool = False
    least_seconds: float = 0.0  #: its worker was held up for so long
    verdict: dict[str, Any] | None = None
    seen_at: datetime | None = None

    @property
    def keep_seconds(self) -> float:
        """From the first byte to the answer: at most so long was it from the last to durable."""
        return (self.after - self.before).total_seconds()

    @property
    def judged(self) -> dict[str, Any]:
        """Its verdict."""
        assert self.verdict is not None
        return self.verdict


@dataclass
class Day:
    """What happened between two looks."""

    sent: list[Sent] = field(default_factory=list)
    ended: Counter[str] = field(default_factory=Counter)  #: associations, by how
    requests: Counter[tuple[str, ...]] = field(default_factory=Counter)  #: route, status class
    overrides: Counter[tuple[str, str]] = field(default_factory=Counter)
    cleared: Counter[str] = field(default_factory=Counter)
    closed_by_hand: set[str] = field(default_factory=set)
    studies: dict[str, dict[str, Any]] = field(default_factory=dict)  #: as they stood at the end
    workers_lost: Counter[str] = field(default_factory=Counter)

    @property
    def kept(self) -> list[Sent]:
        """Objects that the gate keeps and judges."""
        return [each for each in self.sent if each.result in {"kept", "conflict"}]


@dataclass
class Doors:
    """The REST door; every request is written down by its route."""

    http: httpx.AsyncClient
    day: Day

    async def call(self, method: str, route: str, *, more: Any = None, **names: str) -> Any:
        """Ask; return the answer."""
        answer = await self.http.request(method, route.format(**names), **(more or {}))
        self.day.requests[route, f"{answer.status_code // 100}xx"] += 1
        return answer


@dataclass
class Cart:
    """One scanner; what it sends is written down."""

    ae: str
    port: int
    day: Day
    slow_seconds: float = 0.0  #: how long the disk takes for what it sends now

    def associate(self, called_ae: str = "SONOGATE") -> Association:
        """Open an association, or be rejected."""
        ae = AE(self.ae)
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = 30
        return ae.associate("127.0.0.1", self.port, contexts=CONTEXTS, ae_title=called_ae)

    def push(self, *objects: Dataset, result: str = "kept") -> list[Sent]:
        """Send over one association and release it."""
        assoc = self.associate()
        assert assoc.is_established
        sent = [self._store(assoc, each, result) for each in objects]
        assoc.release()
        self.day.ended["released"] += 1
        self.day.sent += sent
        return sent

    def _store(self, assoc: Association, ds: Dataset, result: str) -> Sent:
        body = encode(ds, is_implicit_vr=False, is_little_endian=True)
        assert body is not None
        before = datetime.now(UTC)
        with slow_disk(self.slow_seconds):
            status = assoc.send_c_store(ds).Status
        assert (status == 0) == (result != "refused"), hex(status)
        return Sent(
            ae=self.ae,
            exam=ds.get("BodyPartExamined", "none"),
            n_bytes=len(body),
            before=before,
            after=datetime.now(UTC),
            result=result,
            least_keep_seconds=self.slow_seconds,
            uid=ds.SOPInstanceUID,
            acquired_at=acquired_at(ds),
            is_cine="NumberOfFrames" in ds,
        )


@contextmanager
def slow_disk(seconds: float) -> Iterator[None]:
    """Let every sync take at least so long."""
    real = os.fdatasync

    def slow(descriptor: int) -> None:
        time.sleep(seconds)
        real(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        if seconds:
            patch.setattr(os, "fdatasync", slow)
        yield


def acquired_at(ds: Dataset) -> datetime:
    """Read back what `still` wrote."""
    return datetime.strptime(ds.AcquisitionDateTime, "%Y%m%d%H%M%S.%f%z")


def still(exam: str, *, study: str, seed: int = 0, view: str | None = None) -> Dataset:
    """Good speckle, acquired a while ago."""
    ds = make_instance(seed=seed, study_uid=study, view=view, patient_name=CANARY)
    return taken(ds, datetime.now(UTC) - DELAY, exam)


def taken(ds: Dataset, at: datetime, exam: str) -> Dataset:
    """Say when it was acquired, and of what."""
    ds.AcquisitionDate, ds.AcquisitionTime = at.strftime("%Y%m%d"), at.strftime("%H%M%S.%f")
    ds.AcquisitionDateTime = at.strftime("%Y%m%d%H%M%S.%f%z")
    if exam:
        ds.BodyPartExamined = exam
    return ds


def black(ds: Dataset) -> Dataset:
    """No echo at all."""
    ds.PixelData = bytes(len(ds.PixelData))
    return ds


@cache
def scan(view: str) -> Image.Image:
    """Draw a phantom's view."""
    return Image.fromarray(make_scan(VIEWS[view], seed=1).picture).resize((320, 240))


def phantom(ds: Dataset, view: str, *, is_bad: bool = False) -> Dataset:
    """Show a view of the phantom; a bad one is as blurred as can be."""
    shown = scan(view)
    if is_bad:
        shown = shown.resize((24, 18)).resize(shown.size)
    ds.PixelData = shown.tobytes()
    return ds


def cine(ds: Dataset, n_frames: int = 4) -> Dataset:
    """Make a loop of a still."""
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    ds.NumberOfFrames, ds.FrameTime = n_frames, 40
    ds.FrameIncrementPointer = 0x00181063
    ds.PixelData = ds.PixelData * n_frames
    return ds


def report(ds: Dataset) -> Dataset:
    """Make a measurement report of a still: nothing to look at."""
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = BasicTextSRStorage
    ds.Modality = "SR"
    del ds.PixelData, ds.SequenceOfUltrasoundRegions
    return ds


def broken(ds: Dataset) -> Dataset:
    """Call its pixels JPEG, which they aren't."""
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    ds.PixelData = encapsulate([bytes(range(256)) * 8])
    ds["PixelData"].is_undefined_length = True
    return ds


def part10(ds: Any) -> bytes:
    """Return the file of an instance."""
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def picture(seed: int) -> bytes:
    """Return a PNG of speckle."""
    out = io.BytesIO()
    Image.fromarray(speckle(200, 240, 90 + seed)).save(out, "PNG")
    return out.getvalue()


async def judge(doors: Doors, sent: Sequence[Sent]) -> None:
    """Wait until each of these has its verdict, and note when it was seen."""
    async with asyncio.timeout(120):
        while waiting := [each for each in sent if each.verdict is None]:
            for each in waiting:
                route = "/v1/instances/{sop_instance_uid}"
                answer = await doors.call("GET", route, sop_instance_uid=str(each.uid))
                if answer.status_code == 200 and answer.json()["status"] != "pending":
                    each.verdict, each.seen_at = answer.json(), datetime.now(UTC)
            await asyncio.sleep(0.05)
