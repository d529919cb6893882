"""The REST door's way into the spool: a DICOM file or a picture, kept as durably as a C-STORE."""

import time
from pathlib import Path
from typing import BinaryIO

from sonogate.domain.identity import SOPInstanceUID
from sonogate.domain.instance import Kept, MediaType, Provenance, ReceivedInstance
from sonogate.domain.ports import Registrar
from sonogate.errors import MalformedObjectError, ReceiveError
from sonogate.observe.metrics import Metrics
from sonogate.receive.part10 import (
    MAX_HEAD_BYTES,
    ObjectHead,
    check_uid,
    file_meta,
    read_head,
)
from sonogate.receive.spool import Arrival, Content, Spool
from sonogate.receive.spool.deposit import BLOCK_BYTES
from sonogate.receive.spool.files import FiledObject

_NO_HEAD = ObjectHead(
    sop_class_uid="", sop_instance_uid="", transfer_syntax_uid="", data_set_offset=0
)


class Intake:
    """Keeps files that came over HTTP."""

    def __init__(self, spool: Spool, registrar: Registrar, metrics: Metrics) -> None:
        self._spool = spool
        self._registrar = registrar
        self._metrics = metrics

    async def take_file(
        self, body: bytes | Path, media_type: MediaType, provenance: Provenance
    ) -> Kept:
        """Keep one file and enter it into the database.

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
        try:
            self._spool.require_room()
            self._registrar.require_room()
            instance = await self._keep(body, media_type, provenance)
            kept = await self._registrar.enter(instance)
        except ReceiveError:
            calling_ae = self._metrics.ae(provenance.calling_ae)
            self._metrics.received.labels(calling_ae, "refused").inc()
            raise
        self._metrics.keep_seconds.observe(time.perf_counter() - started)
        return kept

    async def _keep(
        self, body: bytes | Path, media_type: MediaType, provenance: Provenance
    ) -> ReceivedInstance:
        head = _NO_HEAD
        if media_type is MediaType.DICOM:
            head = read_head(await self._spool.run(_first_bytes, body))
            _check_names(head)
        arrival = Arrival(
            media_type=media_type,
            sop_class_uid=head.sop_class_uid or None,
            sop_instance_uid=SOPInstanceUID(head.sop_instance_uid or "") or None,
            transfer_syntax_uid=head.transfer_syntax_uid or None,
            provenance=provenance,
        )
        meta = _meta(head, provenance) if media_type is MediaType.DICOM else b""
        if isinstance(body, Path):
            filed = await self._spool.run(self._file, body, head, meta)
            return await self._spool.keep_filed(arrival, filed)
        content = body[head.data_set_offset :]
        if not content:
            raise MalformedObjectError("The object is empty.")
        return await self._spool.keep(arrival, await self._spool.run(Content.of, content, meta))

    def _file(self, body: Path, head: ObjectHead, meta: bytes) -> FiledObject:
        with body.open("rb") as stream:
            return self._copy(stream, head, meta)

    def _copy(self, stream: BinaryIO, head: ObjectHead, meta: bytes) -> FiledObject:
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


def _check_names(head: ObjectHead) -> None:
    check_uid("SOP Instance UID", head.sop_instance_uid)
    for name, uid in (
        ("SOP Class UID", head.sop_class_uid),
        ("Transfer Syntax UID", head.transfer_syntax_uid),
    ):
        if uid:
            check_uid(name, uid)


def _first_bytes(body: bytes | Path) -> bytes:
    if isinstance(body, bytes):
        return body[:MAX_HEAD_BYTES]
    with body.open("rb") as stream:
        return stream.read(MAX_HEAD_BYTES)


def _meta(head: ObjectHead, provenance: Provenance) -> bytes:
    return file_meta(
        sop_class_uid=head.sop_class_uid,
        sop_instance_uid=head.sop_instance_uid,
        transfer_syntax_uid=head.transfer_syntax_uid,
        source_ae=provenance.calling_ae,
    )
