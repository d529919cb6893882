"""What a running gate sends to an adviser on this machine: pictures of tissue, and no patient.

The header carries a known name, number and birth date; so do a banner beside the scan, which is cut
away, and letters on the tissue itself, which are painted over.
"""

import base64
import io
import json
import urllib.error
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from sonogate.testing import speckle
from tests.acceptance.canary import ACCESSION, BORN, NAME, PATIENT_ID, png_texts, seen_in, sick
from tests.acceptance.cart import Cart
from tests.acceptance.killing import wait_while_it_falls
from tests.acceptance.serving import Served
from tests.advice_server import AdviceServer, Asked

pytestmark = [pytest.mark.integration, pytest.mark.acceptance, pytest.mark.slow]

HEIGHT, WIDTH, TOP = 340, 400, 80
"""Of the whole picture; the scan begins below a banner."""
LINES = (f"{NAME} {PATIENT_ID}", f"{BORN} {ACCESSION}")
TOML = """
[log]
level = "debug"
[scoring]
workers = 1
model = "dct-manifold/1.0.0"
[advice]
enabled = true
url = "{url}"
model = "tiny"
timeout_seconds = 20.0
max_concurrent = 1
"""

Grey = np.ndarray[Any, np.dtype[np.uint8]]


def scan() -> Grey:
    """A weak scan below an empty banner."""
    grey = np.zeros((HEIGHT, WIDTH), np.uint8)
    tissue = speckle(HEIGHT - TOP, WIDTH, 5)
    tissue[:, : WIDTH // 2] //= 16
    grey[TOP:] = tissue
    return grey


def written(grey: Grey, at: tuple[int, int], size: int) -> Grey:
    """Burn who the patient is into a picture."""
    picture = Image.fromarray(grey)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(size)
    for row, line in enumerate(LINES):
        pen.text((at[0], at[1] + 2 * size * row), line, fill=255, font=font)
    return np.asarray(picture)


PICTURES = {
    "plain": scan(),
    "banner": written(scan(), (4, 4), 18),
    "tissue": written(scan(), (205, TOP + 90), 11),
}


def still(grey: Grey) -> Dataset:
    """A still of the canary, whose scan is its one region."""
    ds = sick(SOPInstanceUID=generate_uid(), StudyInstanceUID=generate_uid())
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.Rows, ds.Columns = HEIGHT, WIDTH
    ds.PixelData = grey.tobytes()
    (region,) = ds.SequenceOfUltrasoundRegions
    region.RegionLocationMinY0 = TOP
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = WIDTH - 1, HEIGHT - 1
    return ds


def pictures_of(asked: Asked) -> Iterator[bytes]:
    """Decode the pictures of a request."""
    for url in asked.pictures:
        yield base64.b64decode(url.partition(",")[2])


def opened(png: bytes) -> Grey:
    """Decode a picture."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"))


def n_without_advice(served: Served, uid: str) -> int:
    """Return 0 once the adviser said something of an image, else 1."""
    with suppress(urllib.error.HTTPError):  # not entered yet
        return int(not served.get(f"/v1/instances/{uid}/advice")["advice"])
    return 1


def test_an_adviser_is_sent_no_patient(tmp_path: Path) -> None:
    """Neither request nor picture, nor a picture's own fields; nor is what came back logged."""
    asked: dict[str, Asked] = {}
    with AdviceServer() as server:
        served = Served(tmp_path, TOML.format(url=server.url))
        served.start()
        try:
            for name, grey in PICTURES.items():
                one = still(grey)
                assert Cart(served.dicom_port).push([one])
                uid = str(one.SOPInstanceUID)
                wait_while_it_falls(partial(n_without_advice, served, uid))
                asked[name] = server.asked[-1]
        finally:
            served.stop()
        n_asked = len(server.asked)
    sent = {name: [*pictures_of(each)] for name, each in asked.items()}
    whole = [
        json.dumps([each.body, each.headers], ensure_ascii=False).encode() for each in server.asked
    ]
    plain, banner, tissue = ([opened(png) for png in sent[name]] for name in PICTURES)

    assert len(PICTURES) == n_asked
    assert [set()] * len(whole) == [seen_in(each) for each in whole]
    assert all(
        not seen_in(png) and not png_texts(png) and not Image.open(io.BytesIO(png)).info
        for pngs in sent.values()
        for png in pngs
    )
    assert all(np.array_equal(a, b) for a, b in zip(plain, banner, strict=True))
    assert contrast(PICTURES["tissue"][TOP:]) > 30
    assert abs(contrast(resized(tissue[0]))) < 5
    assert set() == seen_in((tmp_path / "gate.log").read_bytes())


def resized(grey: Grey) -> Grey:
    """Bring a picture that was sent to the size of the scan."""
    return np.asarray(Image.fromarray(grey).resize((WIDTH, HEIGHT - TOP)))


def contrast(grey: Grey) -> float:
    """Return by how much the letters' strokes on the tissue are lighter than what is between."""
    ink = PICTURES["tissue"][TOP:].astype(int) - PICTURES["plain"][TOP:] > 60
    rows, columns = np.nonzero(ink)
    lines = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
    return float(grey[lines][ink[lines]].mean() - grey[lines][~ink[lines]].mean())
