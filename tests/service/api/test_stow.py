"""STOW-RS: bounded parts, each kept or refused by itself, and the answers of the standard."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonogate.api.bodies import IN_MEMORY_BYTES
from sonogate.api.multipart import read_parts
from sonogate.api.problems import Problem
from sonogate.errors import MalformedObjectError, SpoolFullError
from sonogate.receive.part10 import file_meta
from tests.service.api.conftest import Door

BOUNDARY = "frontier"
TYPE = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
US = "1.2.840.10008.5.1.4.1.1.6.1"
NATIVE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"


def dicom(uid: str = "1.2.3", n_bytes: int = 10) -> bytes:
    """Return a Part 10 file with nothing but its names."""
    meta = file_meta(
        sop_class_uid=US,
        sop_instance_uid=uid,
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        source_ae="CART1",
    )
    return meta + b"\x10\x00\x10\x00PN\x04\x00A^B " + b"\0" * n_bytes


def multipart(*bodies: bytes, content_type: str = "application/dicom") -> bytes:
    """Return the body of a request."""
    parts = [
        f"--{BOUNDARY}\r\nContent-Type: {content_type}\r\n\r\n".encode() + body + b"\r\n"
        for body in bodies
    ]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


async def stow(client: httpx.AsyncClient, body: bytes, **headers: str) -> httpx.Response:
    """Send a request."""
    sent = {"Content-Type": TYPE} | {name.replace("_", "-"): text for name, text in headers.items()}
    return await client.post("/dicomweb/studies", content=body, headers=sent)


def items(answer: dict[str, Any], tag: str) -> list[str]:
    """Return the SOP Instance UIDs of a sequence of the answer."""
    found = answer.get(tag, {}).get("Value", [])
    return [item["00081155"].get("Value", [""])[0] for item in found]


async def test_every_part_is_kept(door: Door, client: httpx.AsyncClient) -> None:
    """A small and a large object; byte for byte; 200 lists both, and no place to retrieve them."""
    small, large = dicom("1.2.3"), dicom("1.2.4", 3 * IN_MEMORY_BYTES)
    response = await stow(client, multipart(small, large))
    answer = response.json()

    assert (200, "application/dicom+json") == (
        response.status_code,
        response.headers["content-type"],
    )
    assert ["1.2.3", "1.2.4"] == items(answer, "00081199")
    assert [US, US] == [item["00081150"]["Value"][0] for item in answer["00081199"]["Value"]]
    assert "Value" not in answer["00081190"]
    assert [small, large] == [body for body, _type, _peer in door.submitted]
    assert [] == list(door.upload_dir.iterdir())


async def test_xml_is_answered_where_only_that_is_accepted(client: httpx.AsyncClient) -> None:
    """The Native DICOM Model holds the same."""
    response = await stow(client, multipart(dicom()), Accept="application/dicom+xml")
    tree = ElementTree.fromstring(response.text)  # noqa: S314 - our own answer
    uids = [
        value.text
        for one in tree.iter(f"{NATIVE}DicomAttribute")
        if one.get("keyword") == "ReferencedSOPInstanceUID"
        for value in one
    ]

    assert "application/dicom+xml" == response.headers["content-type"]
    assert ["1.2.3"] == uids


async def test_one_bad_part_does_not_cost_the_others(door: Door, client: httpx.AsyncClient) -> None:
    """202: what can't be understood is listed with 0xC000, the rest is kept."""
    response = await stow(client, multipart(dicom("1.2.3"), b"no object", dicom("1.2.4")))
    answer = response.json()

    assert 202 == response.status_code
    assert ["1.2.3", "1.2.4"] == items(answer, "00081199")
    assert [0xC000] == [item["00081197"]["Value"][0] for item in answer["00081198"]["Value"]]
    assert 2 == len(door.submitted)


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [(SpoolFullError(), 503, 0xA700), (MalformedObjectError(), 409, 0xC000)],
)
async def test_nothing_kept_is_no_success(
    door: Door, client: httpx.AsyncClient, error: Exception, status: int, reason: int
) -> None:
    """No room: come back later; no object: 409."""
    door.verdict = error
    response = await stow(client, multipart(dicom()))
    (item,) = response.json()["00081198"]["Value"]

    assert (status, reason) == (response.status_code, item["00081197"]["Value"][0])
    assert (status == 503) == ("retry-after" in response.headers)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (multipart(dicom()), {"Content_Type": "application/dicom"}, 415),
        (multipart(dicom()), {"Content_Type": "multipart/form-data; boundary=frontier"}, 415),
        (
            multipart(dicom()),
            {"Content_Type": 'multipart/related; type="application/dicom+json"; boundary=frontier'},
            415,
        ),
        (multipart(dicom()), {"Content_Type": "multipart/related"}, 400),
        (multipart(dicom()), {"Accept": "text/html"}, 406),
        (multipart(dicom())[:-20], {}, 400),
        (b"nothing of the kind" * 9999, {}, 400),
        (b"", {}, 400),
        (multipart(), {}, 400),
        (multipart(dicom()), {"Content_Length": str(10**12)}, 413),
    ],
)
async def test_a_request_that_is_none_is_refused(
    client: httpx.AsyncClient, body: bytes, headers: dict[str, str], status: int
) -> None:
    """Each with what is wrong and what to do."""
    response = await stow(client, body, **headers)

    assert status == response.status_code
    assert response.json()["remedy"]


async def test_a_part_of_another_type_is_refused(client: httpx.AsyncClient) -> None:
    """What a part says it is counts."""
    body = multipart(dicom(), content_type="image/jpeg")
    response = await stow(client, body)

    assert 409 == response.status_code


async def test_a_body_over_the_bound_is_stopped(
    make_door: Callable[..., Door],
) -> None:
    """Announced or not, nothing beyond the bound is read; no file is left."""
    door = make_door(max_body_bytes=2 * IN_MEMORY_BYTES)
    whole = multipart(dicom("1.2.3", 4 * IN_MEMORY_BYTES))

    async def chunked() -> AsyncIterator[bytes]:
        for at in range(0, len(whole), 65536):
            yield whole[at : at + 65536]

    async with door.client() as client:
        response = await client.post(
            "/dicomweb/studies", content=chunked(), headers={"Content-Type": TYPE}
        )

    assert 413 == response.status_code
    assert [] == list(door.upload_dir.iterdir())


async def test_another_page_s_script_is_refused(client: httpx.AsyncClient) -> None:
    """As on the rest of the API."""
    response = await stow(client, multipart(dicom()), Origin="https://evil.example")

    assert 403 == response.status_code


async def gathered(body: bytes, size: int, folder: Path | None = None) -> list[bytes]:
    """Return the parts of a body that comes in pieces of a size."""

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), size):
            yield body[at : at + size]

    return [
        part.body if isinstance(part.body, bytes) else part.body.read_bytes()
        async for part in read_parts(pieces(), BOUNDARY.encode(), folder)
    ]


@given(
    bodies=st.lists(st.binary(max_size=40) | st.just(b"\r\n--frontie\r\n--"), max_size=4),
    size=st.integers(1, 70),
)
async def test_parts_are_the_same_however_they_are_cut(bodies: list[bytes], size: int) -> None:
    """A boundary may lie across any two pieces."""
    sane = [body for body in bodies if b"\r\n--frontier" not in body]

    assert sane == await gathered(multipart(*sane), size)


@given(st.binary(max_size=200), st.integers(1, 50))
async def test_noise_is_refused_or_ends(noise: bytes, size: int) -> None:
    """Whatever comes, the reader answers and never waits for more than there is."""
    for body in (noise, multipart(b"x") + noise, multipart(b"x")[:-9] + noise):
        with suppress(Problem):
            await gathered(body, size)


async def test_the_answer_is_json(client: httpx.AsyncClient) -> None:
    """A client that accepts anything gets DICOM JSON."""
    response = await stow(client, multipart(dicom()), Accept="*/*")

    assert {"00081190", "00081199"} == set(json.loads(response.text))
