"""STOW-RS from hostile clients, over a real HTTP server: bounded parts, bytes, time and places."""

import asyncio
import gzip
import io
import zipfile
from collections.abc import AsyncIterator
from xml.etree import ElementTree

import httpx
import pytest

from sonogate.api import bodies, verdicts
from sonogate.api.multipart import MAX_HEADER_BYTES, MAX_PARTS
from tests.service.api.conftest import Door, serving
from tests.service.api.test_stow import BOUNDARY, NATIVE, TYPE, dicom, multipart, stow

PART = f"--{BOUNDARY}\r\n\r\n".encode()
NOTHING = f"--{BOUNDARY}\r\n\r\nx\r\n".encode()


def zipped(content: bytes) -> bytes:
    """Put a body in a ZIP file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("image.dcm", content)
    return out.getvalue()


HOSTILE: dict[str, tuple[bytes, int]] = {
    "more parts than any client sends": (NOTHING * (MAX_PARTS + 1), 413),
    "another boundary": (multipart(dicom()).replace(b"frontier", b"frontiex"), 400),
    "a boundary inside the head of a part": (PART[:-2] + b"X: " + PART * 3, 400),
    "a head that never ends": (PART[:-2] + b"X: " + b"y" * (2 * MAX_HEADER_BYTES + 70_000), 400),
    "a delimiter line that never ends": (PART[:-4] + b" " * (MAX_HEADER_BYTES + 70_000), 400),
    "no end": (NOTHING * 3, 400),
    "a boundary of its own object": (multipart(multipart(dicom())), 409),
}


@pytest.mark.parametrize(("body", "status"), HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_body_is_refused(
    door: Door, client: httpx.AsyncClient, body: bytes, status: int
) -> None:
    """Each with its status; nothing is kept and no file is left."""
    async with asyncio.timeout(5):
        response = await stow(client, body)

    assert status == response.status_code
    assert ([], []) == (door.submitted, list(door.upload_dir.iterdir()))


async def test_a_compressed_body_is_never_inflated(door: Door, client: httpx.AsyncClient) -> None:
    """Neither Content-Encoding nor a ZIP is undone: gzip and zip bombs stay small."""
    bomb = gzip.compress(multipart(dicom("1.2.3", 20_000_000)))
    answers = [
        await stow(client, bomb, Content_Encoding="gzip"),
        await stow(client, multipart(zipped(dicom("1.2.3", 20_000_000)))),
    ]

    assert [400, 409] == [answer.status_code for answer in answers]
    assert door.submitted == []


@pytest.mark.parametrize("path", ["/v1/verdicts", "/dicomweb/studies"])
async def test_a_body_that_trickles_is_given_up(
    door: Door, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """A byte now and then is no progress: 408, and the place is free again."""
    monkeypatch.setattr(bodies, "PROGRESS_SECONDS", 0.3)
    whole = multipart(dicom(n_bytes=5000)) if "dicomweb" in path else dicom(n_bytes=5000)
    headers = {"Content-Type": TYPE if "dicomweb" in path else "application/dicom"}

    async def slowly() -> AsyncIterator[bytes]:
        for octet in whole[:60]:
            yield bytes([octet])
            await asyncio.sleep(0.02)

    async with (
        serving(door.app, door.ports) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        started = asyncio.get_running_loop().time()
        slow = await client.post(path, content=slowly(), headers=headers)
        took = asyncio.get_running_loop().time() - started
        swift = await client.post(path, content=whole, headers=headers)

    assert (408, True) == (slow.status_code, swift.is_success)
    assert took < 2
    assert 1 == len(door.submitted)


async def test_uploads_beyond_the_places_are_told_to_come_back(door: Door) -> None:
    """One more is told to come back; the rest of the API answers."""
    places = door.app.state.upload_places
    for _ in range(verdicts.MAX_UPLOADS):
        await places.acquire()
    async with door.client() as client:
        crowded = await stow(client, multipart(dicom()))
        other = await client.get("/v1/studies")

    assert (503, 200) == (crowded.status_code, other.status_code)


@pytest.mark.parametrize(
    "content",
    [
        b"P7\nWIDTH 65536\nHEIGHT 65536\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n",
        zipped(bytes(1000)),
        gzip.compress(bytes(1000)),
    ],
    ids=["PAM", "ZIP", "gzip"],
)
@pytest.mark.parametrize("claimed", ["application/octet-stream", "image/x-portable-arbitrarymap"])
async def test_what_the_gate_does_not_read_is_refused_unread(
    door: Door, client: httpx.AsyncClient, content: bytes, claimed: str
) -> None:
    """PAM, ZIP and gzip have no reader here, whatever they hold."""
    response = await client.post("/v1/verdicts", content=content, headers={"Content-Type": claimed})

    assert 415 == response.status_code
    assert door.submitted == []


async def test_a_uid_that_xml_can_not_hold_is_not_repeated(client: httpx.AsyncClient) -> None:
    """The part is refused or kept by its place in the answer, which stays well-formed."""
    response = await stow(
        client, multipart(dicom("1.2\x01<\x00.3"), dicom("1.2.4")), Accept="application/dicom+xml"
    )
    tree = ElementTree.fromstring(response.text)  # noqa: S314 - our own answer
    uids = [each.findtext(f"{NATIVE}Value") for each in tree.iter() if names_an_instance(each)]

    assert response.status_code in (200, 202)
    assert [None, "1.2.4"] == uids


def names_an_instance(one: ElementTree.Element) -> bool:
    """Whether an element is a Referenced SOP Instance UID."""
    return one.get("keyword") == "ReferencedSOPInstanceUID"
