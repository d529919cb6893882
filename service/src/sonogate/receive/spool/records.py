"""One record of a segment: a head, the object's row as JSON, the object's bytes."""

import hashlib
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, Final, Self

from pydantic import TypeAdapter, ValidationError

from sonogate.domain.identity import ObjectId, SOPInstanceUID
from sonogate.domain.instance import MediaType, Provenance, ReceivedInstance, Span
from sonogate.receive.spool.files import Block

_HEAD: Final = struct.Struct("<4sIIIQ")
"""Magic, CRC-32 of lengths and row, lengths of row, file meta and content."""
_LENGTHS: Final = struct.Struct("<IIQ")
_MAGIC: Final = b"SGOB"
_MAX_ROW_BYTES: Final = 64 * 1024
_CHUNK_BYTES: Final = 1024 * 1024
_ROW: Final = TypeAdapter(ReceivedInstance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What is known of an object before it is kept."""

    media_type: MediaType
    sop_class_uid: str | None
    sop_instance_uid: SOPInstanceUID | None
    transfer_syntax_uid: str | None
    provenance: Provenance

    def kept(
        self, object_id: ObjectId, content_sha256: str, size_bytes: int, spool_name: str = ""
    ) -> ReceivedInstance:
        """Return the row of the object, now that it has bytes and a name."""
        return ReceivedInstance(
            object_id=object_id,
            media_type=self.media_type,
            sop_class_uid=self.sop_class_uid,
            sop_instance_uid=self.sop_instance_uid,
            transfer_syntax_uid=self.transfer_syntax_uid,
            content_sha256=content_sha256,
            size_bytes=size_bytes,
            spool_name=spool_name,
            provenance=self.provenance,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The bytes of an object, in RAM."""

    meta: bytes  #: preamble and file meta; not part of the hash
    chunks: Sequence[Block]  #: the data set, or the picture's file
    sha256: str  #: of the chunks, lower-case hex
    size_bytes: int  #: of file meta and chunks

    @classmethod
    def of(cls, data: Block, meta: bytes = b"") -> Self:
        """Hash bytes that are all there; blocking."""
        digest = hashlib.sha256(data).hexdigest()
        return cls(meta=meta, chunks=(data,), sha256=digest, size_bytes=len(meta) + len(data))


@dataclass(frozen=True, slots=True)
class Record:
    """A record as found in a segment."""

    instance: ReceivedInstance
    span: Span  #: of file meta and content; empty if the object has a file of its own
    content_offset: int  #: where the content begins, which the row's hash is of


def name_in(segment: str, span: Span) -> str:
    """Return the spool name of an object that lies in a segment."""
    return f"{segment}/{span.offset}+{span.size_bytes}"


def opening(instance: ReceivedInstance, n_meta_bytes: int, n_content_bytes: int) -> bytes:
    """Return the start of a record: its head and its row; file meta and content follow."""
    row = _ROW.dump_json(instance)
    lengths = _LENGTHS.pack(len(row), n_meta_bytes, n_content_bytes)
    return _MAGIC + zlib.crc32(row, zlib.crc32(lengths)).to_bytes(4, "little") + lengths + row


def scan(file: BinaryIO, segment: str, size_bytes: int, alignment: int) -> Iterator[Record]:
    """Yield the records of a segment from the file's position up to where they stop making sense.

    A torn record ends the segment: neither it nor what lies behind it was acknowledged.

    Args:
        file: The segment.
        segment: Its name.
        size_bytes: Its length.
        alignment: Each record begins at a multiple of this.
    """
    while (record := _read(file, segment, size_bytes)) is not None:
        yield record
        end = record.span.offset + record.span.size_bytes
        file.seek(end + -end % alignment)


def _read(file: BinaryIO, segment: str, size_bytes: int) -> Record | None:
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    magic, checksum, n_row_bytes, n_meta_bytes, n_content_bytes = _HEAD.unpack(head)
    if magic != _MAGIC or n_row_bytes > _MAX_ROW_BYTES:
        return None
    row = file.read(n_row_bytes)
    offset = file.tell()
    span = Span(offset=offset, size_bytes=n_meta_bytes + n_content_bytes)
    if checksum != zlib.crc32(head[8:] + row) or offset + span.size_bytes > size_bytes:
        return None
    try:
        instance = _ROW.validate_json(row)
    except ValidationError:
        return None
    if span.size_bytes:
        instance = replace(instance, spool_name=name_in(segment, span))
    return Record(instance, span, offset + n_meta_bytes)


def is_whole(file: BinaryIO, record: Record) -> bool:
    """Whether a record's content is the one that its row speaks of; it moves in the file."""
    file.seek(record.content_offset)
    left = record.span.offset + record.span.size_bytes - record.content_offset
    digest = hashlib.sha256()
    while left and (chunk := file.read(min(left, _CHUNK_BYTES))):
        digest.update(chunk)
        left -= len(chunk)
    return digest.hexdigest() == record.instance.content_sha256
