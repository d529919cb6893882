"""DCMTK's own clients push objects in every transfer syntax they can propose."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, generate_uid

from tests.service.receive.door import US_IMAGE, Door, open_door

pytestmark = pytest.mark.integration

IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
JPEG = "1.2.840.10008.1.2.4."
STORESCU_SYNTAXES = {
    "-xe": EXPLICIT,
    "-xb": BIG,
    "-xi": IMPLICIT,
    "-xs": f"{JPEG}70",
    "-xy": f"{JPEG}50",
    "-xx": f"{JPEG}51",
    "-xv": f"{JPEG}90",
    "-xw": f"{JPEG}91",
    "-xt": f"{JPEG}80",
    "-xu": f"{JPEG}81",
    "-xm": f"{JPEG}100",
    "-xh": f"{JPEG}101",
    "-xn": f"{JPEG}102",
    "-xl": f"{JPEG}103",
    "-x2": f"{JPEG}104",
    "-x3": f"{JPEG}105",
    "-xo": f"{JPEG}106",
    "-x4": f"{JPEG}107",
    "-x5": f"{JPEG}108",
    "-xr": "1.2.840.10008.1.2.5",
}
ENCAPSULATED = sorted(set(STORESCU_SYNTAXES.values()) - {IMPLICIT, EXPLICIT, BIG})


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    """A listener on a free port."""
    async with open_door(tmp_path) as door:
        yield door


def write_object(folder: Path, syntax: str, *, n_bytes: int = 512) -> Path:
    """Write an object of made-up bytes in a syntax; nobody here decodes them."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = UID(US_IMAGE), generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.Modality, ds.SamplesPerPixel, ds.PhotometricInterpretation = "US", 1, "MONOCHROME2"
    ds.Rows, ds.Columns = 256, n_bytes // 256
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    pixels = os.urandom(n_bytes)
    is_encapsulated = syntax in ENCAPSULATED
    ds.PixelData = encapsulate([pixels]) if is_encapsulated else pixels
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = is_encapsulated
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    path = folder / f"{ds.SOPInstanceUID}.dcm"
    ds.save_as(path, enforce_file_format=True)
    return path


async def run(*command: str) -> tuple[int, str]:
    """Run a client; return its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, "TCP_NODELAY": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _nothing = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, said.decode(errors="replace")


def assert_kept(door: Door, path: Path, syntax: str) -> None:
    """The object of a file is in the spool, readable, in its syntax, with its pixels."""
    sent = dcmread(path)
    (row,) = [each for each in door.registrar.rows if each.sop_instance_uid == sent.SOPInstanceUID]
    kept = dcmread(BytesIO(door.bytes_of(row)))

    assert syntax == row.transfer_syntax_uid == kept.file_meta.TransferSyntaxUID
    assert sent.PixelData == kept.PixelData
    assert sent.StudyInstanceUID == kept.StudyInstanceUID


async def test_echoscu_is_answered(door: Door, need_tool: Callable[[str], str]) -> None:
    """C-ECHO, repeated over one association, succeeds and is released."""
    code, said = await run(
        need_tool("echoscu"), "--repeat", "3", "-aec", "SONOGATE", "127.0.0.1", str(door.port)
    )

    assert (0, "") == (code, said)
    assert door.count("sonogate_associations_ended_total", result="released") == 1


@pytest.mark.parametrize("option", STORESCU_SYNTAXES)
async def test_storescu_pushes_in_each_syntax_it_can_propose(
    door: Door, need_tool: Callable[[str], str], tmp_path: Path, option: str
) -> None:
    """What storescu proposes is accepted, kept byte for byte and acknowledged."""
    syntax = STORESCU_SYNTAXES[option]
    path = write_object(tmp_path, syntax)
    code, said = await run(
        need_tool("storescu"), option, "-aec", "SONOGATE", "127.0.0.1", str(door.port), str(path)
    )

    assert code == 0, said
    assert_kept(door, path, syntax)


async def test_storescu_is_refused_deflated(
    door: Door, need_tool: Callable[[str], str], tmp_path: Path
) -> None:
    """Proposed deflated, the object comes uncompressed: storescu offers both, we take one."""
    path = write_object(tmp_path, EXPLICIT)
    code, said = await run(
        need_tool("storescu"), "-xd", "-aec", "SONOGATE", "127.0.0.1", str(door.port), str(path)
    )

    assert code == 0, said
    assert door.registrar.rows[0].transfer_syntax_uid in {EXPLICIT, IMPLICIT, BIG}


async def test_dcmsend_pushes_a_mixed_folder(
    door: Door, need_tool: Callable[[str], str], tmp_path: Path
) -> None:
    """The client proposes what its files are; each arrives, compressed ones as they are."""
    folder = tmp_path / "exam"
    folder.mkdir()
    syntaxes = [EXPLICIT, IMPLICIT, BIG, *ENCAPSULATED]
    paths = {write_object(folder, syntax): syntax for syntax in syntaxes}
    code, said = await run(
        need_tool("dcmsend"), "-aec", "SONOGATE", "127.0.0.1", str(door.port), *map(str, paths)
    )

    assert code == 0, said
    assert len(paths) == len(door.registrar.rows)
    for path, syntax in paths.items():
        if syntax in ENCAPSULATED:
            assert_kept(door, path, syntax)


@pytest.mark.parametrize("pdu_bytes", ["4096", "131072"])
async def test_a_cine_arrives_whole_in_any_pdu_size(
    door: Door, need_tool: Callable[[str], str], tmp_path: Path, pdu_bytes: str
) -> None:
    """Ten megabytes stream to disk; storescu waits for them to be durable."""
    path = write_object(tmp_path, EXPLICIT, n_bytes=256 * 40_000)
    code, said = await run(
        need_tool("storescu"), "--max-send-pdu", pdu_bytes, "-xe",
        "127.0.0.1", str(door.port), str(path),
    )  # fmt: skip

    assert code == 0, said
    assert_kept(door, path, EXPLICIT)


async def test_a_wrong_called_ae_is_told_so(
    tmp_path: Path, need_tool: Callable[[str], str]
) -> None:
    """With check_called_ae a cart that addresses another AE is rejected in the standard's words."""
    async with open_door(tmp_path, check_called_ae=True) as door:
        code, said = await run(need_tool("echoscu"), "-aec", "OTHER", "127.0.0.1", str(door.port))

        assert code != 0
        assert "Called AE Title Not Recognized" in said
        assert door.count("sonogate_associations_ended_total", result="rejected") == 1
