"""Bad input to a running gate: a clear answer, an honest verdict, bounded memory, and it goes on.

Each item is sent to one `sonogate serve` process of its own, over C-STORE or the bare socket. What
is kept gets the verdict `unscorable` with its reason; nothing ever looks like `high`. Peaks of
memory are the kernel's (VmHWM), so what was given back again counts too.
"""

import asyncio
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.uid import generate_uid

from sonogate.settings import MIB
from sonogate.testing import make_instance
from tests.acceptance.cart import Cart
from tests.acceptance.serving import Served
from tests.integration.bad_objects import (
    DEFLATED,
    changed,
    cut_in_its_header,
    deflate_bomb,
    nested,
    of_3_gib,
    split_at_pixels,
)
from tests.service.receive.door import (
    EXPLICIT_LITTLE,
    US_IMAGE,
    VERIFICATION,
    associate_rq,
    connected,
    message,
    store_rq,
)

pytestmark = [pytest.mark.integration, pytest.mark.slow]

A_ASSOCIATE_AC, A_ABORT = 2, 7
SUCCESS = 0x0000
GATE_GROWS = 48 * MIB
"""What all bad input together may add to the gate's peak."""
WORKER_GROWS = 640 * MIB
"""The same of a worker: a deflated data set of 256 MiB, held twice while its pieces are joined."""


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gate in a process of its own that has judged one image, so that it is warm."""
    served = Served(tmp_path_factory.mktemp("gate"), extra_toml="[scoring]\nworkers = 1")
    served.start()
    try:
        yield served
    finally:
        served.stop()


@dataclass(frozen=True)
class Peaks:
    """The most memory that the gate and any of its workers have held, in bytes."""

    gate: int
    worker: int


def peak_bytes(pid: int) -> int:
    """Return the most resident memory a process has had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def peaks_of(gate: Served) -> Peaks:
    """Measure the gate and its workers."""
    assert gate.process is not None
    workers = [peak_bytes(pid) for pid in gate.worker_ids()]
    return Peaks(peak_bytes(gate.process.pid), max(workers, default=0))


async def verdict(gate: Served, uid: str) -> dict[str, Any]:
    """Ask until the instance has a verdict."""
    async with asyncio.timeout(60), httpx.AsyncClient(base_url=gate.url("")) as http:
        while True:
            body: dict[str, Any] = (await http.get(f"/v1/instances/{uid}")).json()
            if body["status"] != "pending":
                return body
            await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def before(gate: Served) -> Peaks:
    """Peaks after one good image."""
    asyncio.run(assert_serves(gate))
    return peaks_of(gate)


@pytest.fixture(autouse=True)
def goes_on(gate: Served, before: Peaks) -> Iterator[None]:
    """After each item: C-ECHO answered, a good image graded, peaks bounded."""
    yield
    asyncio.run(assert_serves(gate))
    after = peaks_of(gate)

    assert before.gate + GATE_GROWS > after.gate
    assert before.worker + WORKER_GROWS > after.worker


async def assert_serves(gate: Served) -> None:
    """The next association is taken, and what it sends is judged."""
    good = make_instance()
    cart = Cart(gate.dicom_port)

    assert await asyncio.to_thread(cart.echo)
    assert await asyncio.to_thread(cart.push, [good])
    assert "graded" == (await verdict(gate, good.SOPInstanceUID))["status"]


UNDECODABLE = "This object could not be decoded; it is kept"
NO_PIXELS = "This object holds no pixels; send it again from the scanner"
KEPT: dict[str, tuple[Callable[[str], bytes], str, str]] = {
    "cut in its pixels": (lambda uid: changed(uid)[:40_000], UNDECODABLE, "header claims"),
    "cut in its header": (cut_in_its_header, UNDECODABLE, "truncated"),
    "not DICOM": (lambda _uid: b"%PDF-1.7\n" + bytes(range(256)) * 40, UNDECODABLE, "truncated"),
    "rows that lie": (lambda uid: changed(uid, Rows=4800), UNDECODABLE, "1536000"),
    "65535 x 65535": (
        lambda uid: changed(uid, Rows=65535, Columns=65535), UNDECODABLE, "64 megapixels",
    ),
    "no rows": (lambda uid: changed(uid, Rows=0), NO_PIXELS, ""),
    "pixels of 3 GiB": (of_3_gib, UNDECODABLE, "header claims"),
    "sequence 10,000 deep": (nested, UNDECODABLE, "header"),
    "empty pixel data": (lambda uid: changed(uid, PixelData=b""), NO_PIXELS, ""),
    "no pixel data": (lambda uid: split_at_pixels(changed(uid))[0], NO_PIXELS, ""),
    "0 frames": (lambda uid: changed(uid, NumberOfFrames=0), NO_PIXELS, ""),
    "-1 frames": (lambda uid: changed(uid, NumberOfFrames=-1), NO_PIXELS, ""),
    "2 billion frames": (
        lambda uid: changed(uid, NumberOfFrames=2_000_000_000), UNDECODABLE, "header claims",
    ),
}  # fmt: skip
"""How it is made, and what its verdict says: the sentence, and a word of the detail behind it."""


@pytest.mark.parametrize("name", KEPT)
async def test_what_is_kept_is_unscorable_with_its_reason(gate: Served, name: str) -> None:
    """Answered Success, since it is safe on disk; then no band, no quality, and why."""
    make, sentence, detail = KEPT[name]
    uid = str(generate_uid())
    status = await store(gate, uid, make(uid))
    body = await verdict(gate, uid)

    assert SUCCESS == status
    assert ("unscorable", None, None) == (body["status"], body["band"], body["quality"])
    assert body["reason"].startswith(sentence)
    assert detail in body["reason"]


async def store(gate: Served, uid: str, content: bytes) -> int:
    """Send one object, whatever it holds, and return its status."""
    async with connected(gate.dicom_port) as peer:
        assert A_ASSOCIATE_AC == await peer.associate()
        await peer.say(message(store_rq(uid), content))
        status = await peer.hear_status()
        await peer.release()
    return status


def wrong_group_length(uid: str) -> bytes:
    """A C-STORE whose command set lies about its length."""
    lying = bytearray(store_rq(uid))
    lying[8:12] = struct.pack("<L", 4)
    return message(bytes(lying), changed(uid))


ABORTED: dict[str, tuple[bool, Callable[[str], bytes]]] = {
    "HTTP": (False, lambda _uid: b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "an association request of 4 GiB": (False, lambda _uid: struct.pack(">BxL", 1, 0xFFFFFFFF)),
    "a P-DATA of 4 GiB": (True, lambda _uid: struct.pack(">BxL", 4, 0xFFFFFFFF)),
    "a wrong group length": (True, wrong_group_length),
    "an object on a context never accepted": (
        True, lambda uid: message(store_rq(uid), changed(uid), context_id=99),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ABORTED)
async def test_what_is_no_dicom_talk_is_aborted_and_nothing_kept(gate: Served, name: str) -> None:
    """A clear A-ABORT; what the sender goes on to say is thrown away."""
    is_associated, make = ABORTED[name]
    uid = str(generate_uid())
    async with connected(gate.dicom_port) as peer:
        if is_associated:
            assert A_ASSOCIATE_AC == await peer.associate()
        await peer.say(make(uid))
        pdu_type, _body = await peer.hear()
        with suppress(ConnectionError):
            for _ in range(200):
                await peer.say(bytes(MIB // 2))

    assert A_ABORT == pdu_type
    assert 404 == await code_of(gate, uid)


async def code_of(gate: Served, uid: str) -> int:
    """Return the HTTP status of an instance."""
    async with httpx.AsyncClient(base_url=gate.url("")) as http:
        return (await http.get(f"/v1/instances/{uid}")).status_code


@pytest.mark.parametrize("uid", ["../../../../evil", "/evil", "..", "1.2/../evil"])
async def test_a_uid_with_dots_makes_no_path(gate: Served, uid: str) -> None:
    """The object is kept under a name of ours and judged by its pixels; the UID is only a text."""
    place = gate.folder.parent
    study = str(generate_uid())
    names = {path.name for path in place.rglob("*")}

    status = await store(gate, uid, changed(uid, StudyInstanceUID=study, SeriesInstanceUID=uid))
    body = await verdict_in(gate, study)

    assert SUCCESS == status
    assert (uid, "graded") == (body["sop_instance_uid"], body["status"])
    assert not [name for name in {path.name for path in place.rglob("*")} - names if "evil" in name]


async def verdict_in(gate: Served, study: str) -> dict[str, Any]:
    """Ask until the only instance of a study has a verdict."""
    async with asyncio.timeout(60), httpx.AsyncClient(base_url=gate.url("")) as http:
        while True:
            answer = await http.get(f"/v1/studies/{study}")
            if answer.is_success:
                (instance,) = answer.json()["instances"]
                if instance["verdict"]["status"] != "pending":
                    return dict(instance["verdict"])
            await asyncio.sleep(0.05)


async def test_deflated_is_not_accepted_over_dicom(gate: Served) -> None:
    """The context is refused in the association's answer: transfer syntaxes not supported."""
    proposal = {1: (US_IMAGE, [DEFLATED]), 3: (VERIFICATION, [EXPLICIT_LITTLE])}
    async with connected(gate.dicom_port) as peer:
        await peer.say(associate_rq(proposal))
        pdu_type, body = await peer.hear()
        results = {item[4]: item[6] for item in contexts_of(body)}

    assert A_ASSOCIATE_AC == pdu_type
    assert {1: 4, 3: 0} == results


def contexts_of(body: bytes) -> Iterator[bytes]:
    """Part the presentation context items (PS3.8 table 9-18) from an A-ASSOCIATE-AC."""
    at = 68
    while at < len(body):
        kind, length = struct.unpack_from(">BxH", body, at)
        if kind == 0x21:
            yield body[at : at + 4 + length]
        at += 4 + length


async def test_a_deflate_bomb_is_unscorable(gate: Served) -> None:
    """Posted, since no association carries it; the worker stops at its cap."""
    async with httpx.AsyncClient(base_url=gate.url(""), timeout=60) as http:
        answer = await http.post(
            "/v1/verdicts",
            content=deflate_bomb(),
            headers={"content-type": "application/dicom"},
        )

    assert ("unscorable", None) == (answer.json()["status"], answer.json()["band"])
    assert "inflates to more than 256 MiB" in answer.json()["reason"]
