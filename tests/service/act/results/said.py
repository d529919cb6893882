"""Facts and orders to write results of, and the tools that read them."""

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from sonogate.act.results.facts import (
    Earlier,
    ImageFacts,
    Order,
    Place,
    Rejection,
    Revocation,
    StudyFacts,
    Written,
)
from sonogate.act.results.origin import read_origin
from sonogate.act.results.report import write_report
from sonogate.act.results.selection import write_advice, write_rejection
from sonogate.domain.verdict import Band, Finding, FindingRegion, Frames, Model, Status

MODEL = Model(name="nrq", version="1.0.0", sha256="ab" * 32, provider="cpu")
SAID_AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
US, US_MULTIFRAME = "1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.3.1"
US_RETIRED, US_MULTIFRAME_RETIRED = "1.2.840.10008.5.1.4.1.1.6", "1.2.840.10008.5.1.4.1.1.3"
REGION = FindingRegion(x=10, y=20, width=30, height=40)
CONTACT = Finding(code="poor_contact", label="The left third is dark", severity=0.6, region=REGION)
NOISE = Finding(code="noisy", label="Noise", severity=0.4)
REJECTION = Rejection(reason="111215", by="Dr. Jürgen ^\\ A", at=SAID_AT)


def image(number: int = 1, **more: Any) -> ImageFacts:
    """Make one judged image."""
    values: dict[str, Any] = {
        "number": number,
        "sop_class_uid": US,
        "sop_instance_uid": f"1.2.3.4.{number}",
        "series_instance_uid": "1.2.3.4",
        "status": Status.GRADED,
        "band": Band.HIGH,
        "machine_band": Band.HIGH,
        "quality": 91.25,
        "model": MODEL,
        "policy_version": "card-1",
    }
    return ImageFacts(**(values | more))


def low(number: int = 1, **more: Any) -> ImageFacts:
    """Make one low image with a region and a finding without one."""
    values = {"band": Band.LOW, "machine_band": Band.LOW, "quality": 21.0}
    return image(number, findings=(CONTACT, NOISE), **(values | more))


def cine(number: int = 1, **more: Any) -> ImageFacts:
    """Make a cine loop whose tenth frame is the worst."""
    frames = Frames(total=30, scored=[1, 10, 20], best=1, worst=10)
    return low(number, sop_class_uid=US_MULTIFRAME, n_frames=30, frames=frames, **more)


EVERY_KIND = (
    image(1),
    image(2, band=Band.MEDIUM, machine_band=Band.MEDIUM, quality=55.0, uncertain=True),
    low(3, is_replaced=True),
    cine(4),
    low(5, machine_band=Band.HIGH, by_person=True, rejection=REJECTION),
    image(6, revocation=Revocation(rejected_by="1.2.3.99")),
    image(7, sop_class_uid=US_RETIRED),
    image(
        8,
        sop_class_uid=US_MULTIFRAME_RETIRED,
        n_frames=3,
        status=Status.UNSCORABLE,
        band=None,
        machine_band=None,
        quality=None,
        model=None,
    ),
)
"""High, medium, low; a cine; a person's word; a rejection, one taken back; retired SOP classes."""


def order(kind: Any, source: Path, study_uid: str, *images: ImageFacts, **more: Any) -> Order:
    """Make an order."""
    values: dict[str, Any] = {
        "kind": kind,
        "version": 1,
        "facts": StudyFacts(study_instance_uid=study_uid, images=images),
        "said_at": SAID_AT,
        "sources": (Place(path=str(source)),),
        "series_number": 9900,
        "device": "SONOGATE",
    }
    return Order(**(values | more))


EARLIER = Earlier(
    sop_class_uid="1.2.840.10008.5.1.4.1.1.88.33",
    sop_instance_uid="1.2.3.98",
    series_instance_uid="1.2.3.97",
)
WRITERS: dict[str, Callable[[Order, Dataset], Written]] = {
    "report": write_report,
    "advice": write_advice,
    "rejection": write_rejection,
}


def write(order: Order) -> Written:
    """Write an order in this process."""
    origin = read_origin(order.sources, order.facts.study_instance_uid)
    return WRITERS[order.kind](order, origin)


def complaints(tool: str, path: Path) -> list[str]:
    """Return what dciodvfy finds wrong; warnings left out."""
    ran = subprocess.run([tool, "-new", path], capture_output=True, text=True, check=False)
    assert "SR" in ran.stderr + ran.stdout or "KeyObject" in ran.stderr + ran.stdout
    return [line for line in (ran.stderr + ran.stdout).splitlines() if "Error" in line]
