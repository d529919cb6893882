"""DCMTK's clients push real pictures to a running gate, in every coding DCMTK has; all are judged.

`test_receive_dcmtk` proves that what they propose is kept byte for byte; here it is also decoded
and scored. JPEG 2000 and HTJ2K are proposed by them but made by our own codec; DCMTK has none.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import imagecodecs
import pytest
import pytest_asyncio
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, generate_uid

from sonogate.demo.exam import Coding, Shot, make_exam
from sonogate.settings import (
    HttpSettings,
    ListenerSettings,
    ScoringSettings,
    Settings,
    SpoolSettings,
)
from sonogate.testing import Gate, running_gate
from tests.integration.test_gate import verdict
from tests.integration.test_receive_dcmtk import run

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),  # one gate for all
]

Tool = Callable[[str], str]
IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED, RLE = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5"
JPEG = "1.2.840.10008.1.2.4."
JPEG_2000 = "jpeg 2000"
PLAIN = {IMPLICIT, EXPLICIT, BIG}


@dataclass(frozen=True)
class Recipe:
    """How a picture is coded by DCMTK, and what storescu is told to propose."""

    proposal: str
    encoder: tuple[str, ...]
    syntax: str  #: the file's
    arrives_as: str = ""  #: if not as the file is
    is_lossless: bool = True


RECIPES = {
    "implicit little": Recipe("-xi", ("dcmconv", "+ti"), IMPLICIT),
    "explicit little": Recipe("-xe", ("dcmconv", "+te"), EXPLICIT),
    "explicit big": Recipe("-xb", ("dcmconv", "+tb"), BIG),
    "deflated": Recipe("-xd", ("dcmconv", "+td"), DEFLATED, arrives_as=EXPLICIT),
    "RLE": Recipe("-xr", ("dcmcrle",), RLE),
    "JPEG baseline": Recipe("-xy", ("dcmcjpeg", "+eb"), f"{JPEG}50", is_lossless=False),
    "JPEG extended": Recipe("-xx", ("dcmcjpeg", "+ee"), f"{JPEG}51", is_lossless=False),
    "JPEG lossless .70": Recipe("-xs", ("dcmcjpeg", "+e1"), f"{JPEG}70"),
    "JPEG-LS": Recipe("-xt", ("dcmcjpls", "+el"), f"{JPEG}80"),
    "JPEG-LS near-lossless": Recipe(
        "-xu", ("dcmcjpls", "+en"), f"{JPEG}81", is_lossless=False
    ),
    "JPEG 2000": Recipe("-xv", (JPEG_2000, "reversible"), f"{JPEG}90"),
    "JPEG 2000 lossy": Recipe("-xw", (JPEG_2000, "lossy"), f"{JPEG}91", is_lossless=False),
}  # fmt: skip
DCMSEND_ONLY = {
    "JPEG lossless .57": Recipe("", ("dcmcjpeg", "+el"), f"{JPEG}57"),
}
"""storescu has no option that proposes it; dcmsend proposes whatever its files are."""
CINE_RECIPES = ("explicit little", "RLE", "JPEG baseline", "JPEG lossless .70")
"""What carts code their loops in, short of video."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gate]:
    """A running gate."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("gate"),
        listener=ListenerSettings(port=0),
        http=HttpSettings(port=0),
        spool=SpoolSettings(min_free_bytes=1),
        scoring=ScoringSettings(workers=1),
    )
    async with running_gate(settings) as gate:
        yield gate


@pytest.fixture(scope="module")
def phantoms() -> tuple[Dataset, Dataset]:
    """A still and a cine of our own generator, uncompressed."""
    shots = (
        Shot(view="kidney", coding=Coding.RAW),
        Shot(view="heart", coding=Coding.RAW, cine=True),
    )
    still, cine, _report = make_exam(datetime.now(UTC), shots=shots)
    return still, cine


async def coded(phantom: Dataset, recipe: Recipe, folder: Path, need_tool: Tool) -> Path:
    """Write a phantom as an instance of its own in a coding; return the file."""
    phantom.SOPInstanceUID = phantom.file_meta.MediaStorageSOPInstanceUID = generate_uid(None)
    plain = folder / f"{phantom.SOPInstanceUID}.plain"
    phantom.save_as(plain, enforce_file_format=True)
    path = plain.with_suffix(".dcm")
    encoder, *options = recipe.encoder
    if encoder == JPEG_2000:
        code_jpeg_2000(plain, path, recipe)
    else:
        code, said = await run(need_tool(encoder), *options, str(plain), str(path))
        assert code == 0, said
    assert recipe.syntax == dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID
    return path


def code_jpeg_2000(plain: Path, path: Path, recipe: Recipe) -> None:
    """Code each frame with OpenJPEG, colours transformed."""
    ds = dcmread(plain)
    frames = ds.pixel_array.reshape(-1, ds.Rows, ds.Columns, 3)
    level = None if recipe.is_lossless else 45
    pages = [
        bytes(
            imagecodecs.jpeg2k_encode(
                frame, level, codecformat="j2k", reversible=recipe.is_lossless, mct=True
            )
        )
        for frame in frames
    ]
    ds.PixelData = encapsulate(pages)
    ds["PixelData"].is_undefined_length = True
    ds.PhotometricInterpretation = "YBR_RCT" if recipe.is_lossless else "YBR_ICT"
    ds.file_meta.TransferSyntaxUID = UID(recipe.syntax)
    ds.save_as(path, enforce_file_format=True)


async def verdicts(gate: Gate, paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Return the verdict of each file's instance."""
    async with httpx.AsyncClient(base_url=gate.url, timeout=60) as http:
        uids = [dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in paths]
        return [await verdict(http, uid) for uid in uids]


def kept_as(gate: Gate, path: Path) -> str:
    """Return the transfer syntax in which a file's instance was kept."""
    uid = str(dcmread(path, stop_before_pixels=True).SOPInstanceUID)
    query = "SELECT transfer_syntax_uid FROM objects WHERE sop_instance_uid = ?"
    with closing(sqlite3.connect(gate.settings.data_dir / "sonogate.db")) as database:
        ((syntax,),) = database.execute(query, (uid,))
    return str(syntax)


async def test_echoscu_is_answered(gate: Gate, need_tool: Tool) -> None:
    """C-ECHO succeeds."""
    code, said = await run(
        need_tool("echoscu"), "-aec", "SONOGATE", "127.0.0.1", str(gate.dicom_port)
    )

    assert (0, "") == (code, said)


@pytest.mark.parametrize("name", RECIPES)
async def test_storescu_s_picture_is_judged_in_each_coding(
    gate: Gate, phantoms: tuple[Dataset, Dataset], need_tool: Tool, tmp_path: Path, name: str
) -> None:
    """Pushed as coded, kept as coded, graded; without loss it is graded as the plain one is."""
    recipe, still = RECIPES[name], phantoms[0]
    plain = await coded(still, RECIPES["explicit little"], tmp_path, need_tool)
    path = await coded(still, recipe, tmp_path, need_tool)
    for each, proposal in ((plain, "-xe"), (path, recipe.proposal)):
        code, said = await run(
            need_tool("storescu"), proposal, "-aec", "SONOGATE",
            "127.0.0.1", str(gate.dicom_port), str(each),
        )  # fmt: skip
        assert code == 0, said
    reference, body = await verdicts(gate, [plain, path])

    assert (recipe.arrives_as or recipe.syntax) == kept_as(gate, path)
    assert "graded" == reference["status"] == body["status"]
    near = pytest.approx(reference["quality"], abs=0.05 if recipe.is_lossless else 10)
    assert near == body["quality"]


async def test_dcmsend_s_folder_is_judged_whole(
    gate: Gate, phantoms: tuple[Dataset, Dataset], need_tool: Tool, tmp_path: Path
) -> None:
    """A still in every coding and cines, in one call; dcmsend proposes what its files are."""
    recipes = {**RECIPES, **DCMSEND_ONLY}
    del recipes["deflated"]  # dcmsend can't read a deflated file
    still, cine = phantoms
    wanted = [(still, recipe) for recipe in recipes.values()]
    wanted += [(cine, recipes[name]) for name in CINE_RECIPES]
    paths = {await coded(phantom, each, tmp_path, need_tool): each for phantom, each in wanted}
    code, said = await run(
        need_tool("dcmsend"), "-aec", "SONOGATE", "127.0.0.1", str(gate.dicom_port),
        *map(str, paths),
    )  # fmt: skip
    assert code == 0, said
    async with asyncio.timeout(100):
        bodies = await verdicts(gate, list(paths))

    assert ["graded"] * len(paths) == [body["status"] for body in bodies]
    assert {1, 16} == {body["frames"]["total"] for body in bodies}
    compressed = {path: each.syntax for path, each in paths.items() if each.syntax not in PLAIN}
    assert compressed == {path: kept_as(gate, path) for path in compressed}
