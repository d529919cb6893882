"""A store with judged images, and a model that says what a test scripts."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sonogate.act.advice.adviser import Adviser
from sonogate.act.advice.answers import AdviceError
from sonogate.act.advice.asking import Asking
from sonogate.act.advice.prompts import Question
from sonogate.act.backoff import Backoff
from sonogate.domain.identity import AETitle, SOPInstanceUID, new_object_id
from sonogate.domain.instance import MediaType, Provenance, ReceivedInstance, Transport
from sonogate.domain.verdict import Band, Finding, FindingRegion, Status, Verdict
from sonogate.observe.metrics import Metrics
from sonogate.settings import AdviceSettings
from sonogate.store.database import Database
from sonogate.store.records import Picture
from tests.advice_server import GOOD

Say = Callable[[Question], str]


def good(_question: Question) -> str:
    """Say what is asked for."""
    return json.dumps(GOOD)


@dataclass
class Model:
    """Says what a test scripts, and remembers what it was asked."""

    act: Say = good
    model: str | None = "scripted"
    asked: list[Question] = field(default_factory=list)
    closed: bool = False

    async def say(self, question: Question) -> str:
        """Say it."""
        self.asked.append(question)
        return self.act(question)

    async def close(self) -> None:
        """Note it."""
        self.closed = True


def failing(error: AdviceError) -> Say:
    """Fail each time."""

    def act(_question: Question) -> str:
        raise error

    return act


def thumbnail() -> bytes:
    """Draw any."""
    out = io.BytesIO()
    Image.fromarray(np.full((60, 80), 90, np.uint8)).save(out, "PNG")
    return out.getvalue()


@dataclass
class Clinic:
    """Judged images, and who asks about them."""

    database: Database
    model: Model
    metrics: Metrics = field(default_factory=Metrics)
    told: list[int] = field(default_factory=list)
    n: int = 0

    def adviser(self, **settings: Any) -> Adviser:
        """Make an adviser that hardly waits between attempts."""
        facts = {"url": "http://127.0.0.1:1/v1", "model": "tiny", "timeout_seconds": 5.0}
        asked = AdviceSettings(enabled=True, **(facts | settings))
        asking = Asking(
            settings=asked,
            oracle=self.model,
            metrics=self.metrics,
            backoff=Backoff(first_seconds=0.01, max_seconds=0.02),
        )
        return Adviser(
            database=self.database,
            settings=asked,
            asking=asking,
            on_given=lambda: self.told.append(1),
        )

    async def judge(
        self,
        band: Band | None = Band.LOW,
        *,
        age_seconds: float = 0.0,
        picture: bytes | None = b"",
        findings: list[Finding] | None = None,
    ) -> tuple[str, str]:
        """Enter an image with its verdict; return its UID and its object id."""
        self.n += 1
        uid, object_id = f"1.2.{self.n}", new_object_id()
        at = datetime.now(UTC) - timedelta(seconds=age_seconds)
        verdict = Verdict(
            sop_instance_uid=uid,
            status=Status.GRADED if band else Status.UNSCORABLE,
            band=band,
            quality=20.0 if band else None,
            findings=findings or [],
            verdict_at=at,
        )
        shown = thumbnail() if picture == b"" else picture
        received = ReceivedInstance(
            object_id=object_id,
            media_type=MediaType.DICOM,
            sop_class_uid="1.2.840.10008.5.1.4.1.1.6.1",
            sop_instance_uid=SOPInstanceUID(uid),
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            content_sha256=f"{self.n:064x}",
            size_bytes=1000,
            spool_name=object_id,
            provenance=Provenance(
                calling_ae=AETitle("CART1"),
                called_ae=AETitle("SONOGATE"),
                peer_address="127.0.0.1",
                transport=Transport.DIMSE,
                received_at=at,
            ),
        )

        def work(tx: Any) -> None:
            tx.objects.keep(received)
            tx.verdicts.add(object_id, verdict)
            tx.pictures.add(object_id, Picture(thumbnail=shown))

        await self.database.write(work)
        return uid, object_id


FAULT = Finding(
    code="poor_contact",
    label="The left third is dark",
    severity=0.8,
    region=FindingRegion(x=0, y=0, width=20, height=40),
)


@pytest.fixture
def clinic(database: Database) -> Clinic:
    """A clinic with an empty store."""
    return Clinic(database, Model())
