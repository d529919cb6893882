"""The REST door's way into the spool: a DICOM file or a picture, kept as durably as a C-STORE."""

import time
from pathlib import Path
from typing import BinaryIO

from sonogate.domain.identity import SOPInstanceUID
from sonogate.domain.instance import Kept, MediaType, Provenance, ReceivedInstance
from sonogate.domain.ports import Keeper
from sonogate.errors import MalformedObjectError, ReceiveError
from sonogate.observe.metrics import Metrics
from sonogate.receive.keeping import keep_row, result_of
from sonogate.receive.part10 import MAX_HEAD_BYTES, ObjectHead, file_meta, read_head
from sonogate.receive.spool import BLOCK_BYTES, Spool
from sonogate.receive.spool_file import SpooledObject

_NO_HEAD = ObjectHead(
    sop_class_uid="", sop_instance_uid="", transfer_syntax_uid="", data_set_offset=0
)


class Intake:
    """Keeps files that came over HTTP."""

    def __init__(self, spool: Spool, keeper: Keeper, metrics: Metrics) -> None:
        self._spool = spool
        self._keeper = keeper
        self._metrics = metrics

    async def take_file(
        self, body: bytes | Path, media_type: MediaType, provenance: Provenance
    ) -> Kept:
        """Keep one file and commit its row.

        Args:
            body: The file's bytes, or where they are; a file is copied and stays where it is.
            media_type: What the bytes are. Only DICOM is looked into, and only for its UIDs.
            provenance: Who sent it.

        Returns:
            Which object counts: the earlier one if the same bytes were kept before.

        Raises:
            ReceiveError: It could not be kept; nothing of it is left.
        """
        started = time.perf_counter()
        calling_ae = self._metrics.ae(provenance.calling_ae)
        try:
            self._spool.require_room()
            head, spooled = await self._spool.run(self._spool_file, body, media_type, provenance)
            instance = _instance(head, spooled, media_type, provenance)
            kept = await keep_row(self._spool, self._keeper, instance)
        except ReceiveError:
            self._metrics.received.labels(calling_ae, "refused").inc()
            raise
        self._metrics.received.labels(calling_ae, result_of(kept)).inc()
        self._metrics.received_bytes.labels(calling_ae).inc(spooled.size_bytes)
        self._metrics.keep_seconds.observe(time.perf_counter() - started)
        return kept

    def _spool_file(
        self, body: bytes | Path, media_type: MediaType, provenance: Provenance
    ) -> tuple[ObjectHead, SpooledObject]:
        if isinstance(body, bytes):
            first = body[:MAX_HEAD_BYTES]
        else:
            with body.open("rb") as stream:
                first = stream.read(MAX_HEAD_BYTES)
        is_dicom = media_type is MediaType.DICOM
        head = read_head(first) if is_dicom else _NO_HEAD
        meta = _meta(head, provenance) if is_dicom else b""
        if isinstance(body, bytes):
            return head, self._copy_bytes(body, head, meta)
        with body.open("rb") as stream:
            return head, self._copy_stream(stream, head, meta)

    def _copy_bytes(self, body: bytes, head: ObjectHead, meta: bytes) -> SpooledObject:
        content = memoryview(body)[head.data_set_offset :]
        if not content:
            raise MalformedObjectError("The object is empty.")
        return self._spool.new_file(meta).finish((content,))

    def _copy_stream(self, stream: BinaryIO, head: ObjectHead, meta: bytes) -> SpooledObject:
        stream.seek(head.data_set_offset)
        block = stream.read(BLOCK_BYTES)
        if not block:
            raise MalformedObjectError("The object is empty.")
        file = self._spool.new_file(meta)
        try:
            while block:
                file.write((block,))
                block = stream.read(BLOCK_BYTES)
        except OSError:
            file.discard()
            raise
        return file.finish()


def _meta(head: ObjectHead, provenance: Provenance) -> bytes:
    return file_meta(
        sop_class_uid=head.sop_class_uid,
        sop_instance_uid=head.sop_instance_uid,
        transfer_syntax_uid=head.transfer_syntax_uid,
        source_ae=provenance.calling_ae,
    )


def _instance(
    head: ObjectHead, spooled: SpooledObject, media_type: MediaType, provenance: Provenance
) -> ReceivedInstance:
    return ReceivedInstance(
        object_id=spooled.object_id,
        media_type=media_type,
        sop_class_uid=head.sop_class_uid or None,
        sop_instance_uid=SOPInstanceUID(head.sop_instance_uid) if head.sop_instance_uid else None,
        transfer_syntax_uid=head.transfer_syntax_uid or None,
        content_sha256=spooled.content_sha256,
        size_bytes=spooled.size_bytes,
        spool_name=spooled.spool_name,
        provenance=provenance,
    )
