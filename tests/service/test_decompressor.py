"""Decoding to pass on: the very samples, for each coding that lost nothing, and nothing else."""

import asyncio
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from sonogate.act.forward.decoding import Decoding
from sonogate.act.forward.parcel import Parcel
from sonogate.act.forward.syntaxes import LOSSLESS
from sonogate.decompressor import decompress
from sonogate.demo.exam import Coding, Shot, make_exam
from sonogate.domain.instance import Span
from sonogate.errors import UndecodableError
from sonogate.testing import make_instance

JPEG = "1.2.840.10008.1.2.4."
BY_DCMTK = {
    "1.2.840.10008.1.2.5": ("dcmcrle",),
    f"{JPEG}57": ("dcmcjpeg", "+el"),
    f"{JPEG}70": ("dcmcjpeg", "+e1"),
    f"{JPEG}80": ("dcmcjpls", "+el"),
}
BY_OPENJPEG = (f"{JPEG}90", f"{JPEG}201", f"{JPEG}202")

Tool = Callable[[str], str]


def colour_cine() -> Dataset:
    """Draw a small colour cine, uncompressed."""
    shot = Shot(view="heart", coding=Coding.RAW, cine=True)
    cine: Dataset = next(iter(make_exam(datetime.now(UTC), shots=(shot,))))
    cine.PixelData = b"".join(
        frame[:64, :96].tobytes() for frame in cine.pixel_array.reshape(-1, *shape_of(cine))[:3]
    )
    cine.NumberOfFrames, cine.Rows, cine.Columns = 3, 64, 96
    return cine


def shape_of(ds: Dataset) -> tuple[int, int, int]:
    """Return the shape of a colour frame."""
    return ds.Rows, ds.Columns, 3


def coded(ds: Dataset, syntax: str, need_tool: Tool, folder: Path) -> Path:
    """Write an instance in another syntax, without loss."""
    plain, path = folder / "plain.dcm", folder / f"{syntax}.dcm"
    ds.save_as(plain, enforce_file_format=True)
    if syntax in BY_DCMTK:
        tool, *options = BY_DCMTK[syntax]
        subprocess.run([need_tool(tool), *options, str(plain), str(path)], check=True)
        return path
    other = dcmread(plain)
    frames = other.pixel_array.reshape(-1, *shape_of(other))
    pages = [
        bytes(imagecodecs.jpeg2k_encode(f, codecformat="j2k", reversible=True, mct=True))
        for f in frames
    ]
    other.PixelData = encapsulate(pages)
    other["PixelData"].is_undefined_length = True
    other.PhotometricInterpretation = "YBR_RCT"
    other.file_meta.TransferSyntaxUID = UID(syntax)
    other.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("syntax", sorted(LOSSLESS - {ExplicitVRLittleEndian}))
def test_each_lossless_coding_gives_its_samples_back(
    syntax: str, need_tool: Tool, tmp_path: Path
) -> None:
    """A colour cine ends with the samples it began with, under the same UID."""
    plain = colour_cine()
    if syntax == ImplicitVRLittleEndian:
        path = tmp_path / "implicit.dcm"
        plain.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        plain.save_as(path, enforce_file_format=True)
    else:
        path = coded(plain, syntax, need_tool, tmp_path)
    target = tmp_path / "decoded.dcm"
    decompress(path.read_bytes(), ExplicitVRLittleEndian, target)
    found, before = dcmread(target), dcmread(path)

    assert ExplicitVRLittleEndian == found.file_meta.TransferSyntaxUID
    assert plain.PixelData == found.PixelData
    assert before.SOPInstanceUID == found.SOPInstanceUID
    assert ("RGB", 0) == (found.PhotometricInterpretation, found.PlanarConfiguration)


def test_signed_samples_are_not_guessed_at(need_tool: Tool, tmp_path: Path) -> None:
    """Where a codec might drop a sign, the object is refused rather than changed."""
    ds = make_instance(height=16, width=16)
    ds.PixelRepresentation = 1
    path = coded_grey(ds, need_tool, tmp_path)

    with pytest.raises(UndecodableError):
        decompress(path.read_bytes(), ExplicitVRLittleEndian, tmp_path / "decoded.dcm")


def coded_grey(ds: Dataset, need_tool: Tool, folder: Path) -> Path:
    """Write a grey instance in RLE."""
    plain, path = folder / "plain.dcm", folder / "rle.dcm"
    ds.save_as(plain, enforce_file_format=True)
    subprocess.run([need_tool("dcmcrle"), str(plain), str(path)], check=True)
    return path


async def test_a_hostile_object_costs_a_child_and_leaves_nothing(
    need_tool: Tool, tmp_path: Path
) -> None:
    """Part of a file is decoded in a process of its own; a broken one leaves no file behind."""
    folder = tmp_path / "outgoing"
    decoding = Decoding(folder)
    decoding.prepare()
    content = coded_grey(make_instance(height=32, width=32), need_tool, tmp_path).read_bytes()
    segment = tmp_path / "segment"
    broken = content[: len(content) // 2].replace(b"\x20\x00", b"\xff\xff")
    await asyncio.to_thread(segment.write_bytes, b"before" + content + broken)

    def parcel(number: int, span: Span) -> Parcel:
        return Parcel(
            forward_id=number, file_stem="X", sop_class_uid="1", sop_instance_uid="2",
            transfer_syntax_uid="3", calling_ae=None, day="2026-03-01", path=segment, span=span,
        )  # fmt: skip

    whole = parcel(1, Span(offset=6, size_bytes=len(content)))
    torn = parcel(2, Span(offset=6 + len(content), size_bytes=len(broken)))
    path = await decoding(whole, ExplicitVRLittleEndian)
    samples = dcmread(path).pixel_array
    path.unlink()
    with pytest.raises(UndecodableError):
        await decoding(torn, ExplicitVRLittleEndian)

    assert np.array_equal(dcmread(tmp_path / "plain.dcm").pixel_array, samples)
    assert [] == sorted(folder.iterdir())
