"""Objects that lie, break off or blow up, as the bytes that would travel."""

import struct
import warnings
import zlib

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import UID

from sonogate.settings import MIB
from sonogate.testing import make_instance

DEFLATED = "1.2.840.10008.1.2.1.99"
BOMB_MIB = 300


def content_of(ds: Dataset) -> bytes:
    """Write a data set as it travels: explicit little endian, no file meta."""
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, False
    bare = Dataset({each.tag: each for each in ds})
    write_dataset(stream, bare)
    return stream.getvalue()


def changed(uid: str, **attributes: object) -> bytes:
    """A good image but for these attributes."""
    ds = make_instance()
    with warnings.catch_warnings(action="ignore"):
        for keyword, value in {"SOPInstanceUID": uid, **attributes}.items():
            setattr(ds, keyword, value)
        return content_of(ds)


def cut_in_its_header(uid: str) -> bytes:
    """A good image that breaks off in the middle of a value."""
    whole = changed(uid)
    return whole[: whole.index(b"Phantom^Test") + 4]


def nested(uid: str) -> bytes:
    """A good image with a sequence 10,000 deep before its pixels."""
    head, pixels = split_at_pixels(changed(uid))
    item = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    sequence = struct.pack("<HH2s2xL", 0x0054, 0x0220, b"SQ", 0xFFFFFFFF) + item
    return head + sequence * 10_000 + pixels


def of_3_gib(uid: str) -> bytes:
    """Pixel Data that claim 3 GiB and have a few kilobytes."""
    head, pixels = split_at_pixels(changed(uid))
    return head + pixels[:8] + struct.pack("<L", 3 << 30) + pixels[12:5000]


def split_at_pixels(content: bytes) -> tuple[bytes, bytes]:
    """Part an object before its Pixel Data."""
    at = content.index(struct.pack("<HH", 0x7FE0, 0x0010) + b"O")
    return content[:at], content[at:]


def deflate_bomb() -> bytes:
    """A Part 10 file of less than a megabyte that inflates to 300."""
    ds = make_instance()
    del ds.PixelData
    deflater = zlib.compressobj(level=9, wbits=-zlib.MAX_WBITS)
    head = content_of(ds) + struct.pack("<HH2s2xL", 0x7FE0, 0x0010, b"OB", BOMB_MIB * MIB)
    zeros = (deflater.compress(bytes(MIB)) for _ in range(BOMB_MIB))
    bomb = deflater.compress(head) + b"".join(zeros) + deflater.flush()
    ds.file_meta.TransferSyntaxUID = UID(DEFLATED)
    meta = DicomBytesIO()
    write_file_meta_info(meta, ds.file_meta)
    return bytes(128) + b"DICM" + meta.getvalue() + bomb
