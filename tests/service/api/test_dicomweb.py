"""QIDO-RS and WADO-RS over results that were really made, and the list on the plain API."""

import io
from collections.abc import AsyncIterator
from dataclasses import replace
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from sonogate.act.results import maker as maker_module
from sonogate.act.results.published import PublishedResults
from sonogate.api.app import make_app
from sonogate.domain.verdict import Band
from tests.service.act.results.ward import CANARY, STUDY, Ward, ward, write_here
from tests.service.api.conftest import Door

pytestmark = pytest.mark.integration
TOKEN = "a-token-of-twenty-four-characters"  # noqa: S105 - of a test's own door


@pytest.fixture
async def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ward]:
    """A closed study with a report and advice."""
    monkeypatch.setattr(maker_module, "write_all", write_here)
    async with ward(tmp_path) as opened:
        await opened.add(Band.LOW)
        await opened.close()
        await opened.make()
        yield opened


@pytest.fixture
async def web(door: Door, one: Ward) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a door with the real studies and results behind it."""
    published = PublishedResults(one.database, one.shelf, rejections_by="override")
    ports: Any = replace(door.ports, results=published, studies=one.studies)
    door.app = make_app(ports, door.settings)
    async with door.client() as client:
        yield client


def value(item: dict[str, Any], tag: str) -> Any:
    """Return an attribute's first value."""
    return item[tag]["Value"][0]


async def test_results_are_found_and_retrieved(web: httpx.AsyncClient, one: Ward) -> None:
    """Search, follow the address in the answer, read what was made; the search names nobody."""
    response = await web.get(f"/dicomweb/studies/{STUDY}/instances")
    found = {value(item, "00080060"): value(item, "00081190") for item in response.json()}
    retrieved = await web.get(found["SR"])
    whole = b"Content-Type: " + retrieved.headers["content-type"].encode() + b"\r\n\r\n"
    message = BytesParser().parsebytes(whole + retrieved.content)
    payload: Any = message.get_payload()
    (part,) = payload
    row = (await one.rows("report"))[0]

    assert {"SR", "KO"} == set(found)
    assert CANARY not in response.text
    assert "application/dicom" == part.get_content_type()
    assert one.shelf.read(row.file_name) in retrieved.content


async def test_a_client_may_ask_for_the_bare_file(web: httpx.AsyncClient) -> None:
    """And for its attributes as DICOM JSON, which pydicom reads back."""
    (item,) = (await web.get("/dicomweb/instances", params={"Modality": "SR"})).json()
    address = value(item, "00081190")
    bare = await web.get(address, headers={"Accept": "application/dicom"})
    metadata = await web.get(f"{address}/metadata")
    ds = dcmread(io.BytesIO(bare.content))

    assert "application/dicom" == bare.headers["content-type"]
    assert CANARY == str(ds.PatientName)
    assert "application/dicom+json" == metadata.headers["content-type"]
    assert ds.ContentSequence == Dataset.from_json(metadata.json()[0]).ContentSequence
    assert 2 == len((await web.get(f"/dicomweb/studies/{STUDY}/metadata")).json())


async def test_an_image_is_not_retrieved(web: httpx.AsyncClient) -> None:
    """The gate serves its own results alone; nor does a wrong study or series lead anywhere."""
    (item,) = (await web.get("/dicomweb/instances?Modality=SR")).json()
    address = value(item, "00081190")
    paths = [
        f"/dicomweb/studies/{STUDY}/series/1.2.3/instances/1.2.3.1",
        address.replace(STUDY, "1.2.9"),
        f"{address}.1",
    ]

    assert [404] * 3 == [(await web.get(path)).status_code for path in paths]
    assert 406 == (await web.get(address, headers={"Accept": "image/png"})).status_code


async def test_a_token_is_asked_for_here_too(make_door: Any, one: Ward) -> None:
    """A result names a patient: no part of DICOMweb is open."""
    door = make_door(token=TOKEN)
    async with door.client() as client:
        answers = [
            await client.get("/dicomweb/instances"),
            await client.get(f"/dicomweb/studies/{STUDY}/metadata"),
            await client.post("/dicomweb/studies"),
        ]

    assert [401] * 3 == [answer.status_code for answer in answers]
