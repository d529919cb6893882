"""What was made, for those who ask over HTTP: rows, bytes, and the DICOM JSON of a result."""

import asyncio
import io
from typing import Any

from pydicom import dcmread

from sonogate.act.results.shelf import Shelf
from sonogate.errors import UnknownInstanceError
from sonogate.settings.results import RejectBy
from sonogate.store.database import Database
from sonogate.store.results import ResultRow

INLINE_BYTES = 1 << 30
"""No value of a result is bulk data; all of it stands in the metadata."""


class PublishedResults:
    """Results over the database and the shelf.

    Args:
        database: an open database.
        shelf: where the files are.
        rejections_by: who rejects; None: a rejection leads to nothing.
    """

    def __init__(self, database: Database, shelf: Shelf, *, rejections_by: RejectBy | None) -> None:
        self.rejections_by = rejections_by
        self._database = database
        self._shelf = shelf

    async def of_study(self, study_uid: str) -> list[ResultRow]:
        """Return every result of a study, in the order they were made."""
        return await self._database.read(lambda tx: tx.results.of_study(study_uid))

    async def latest(self, limit: int, offset: int) -> list[ResultRow]:
        """Return results whose bytes are here, the newest first."""
        return await self._database.read(lambda tx: tx.results.latest(limit, offset))

    async def find(self, study_uid: str, series_uid: str, uid: str) -> ResultRow:
        """Return one result by all its names.

        Raises:
            UnknownInstanceError: the gate made no such result.
        """
        row = await self._database.read(lambda tx: tx.results.get(uid))
        if row is None or (row.study_instance_uid, row.series_instance_uid) != (
            study_uid,
            series_uid,
        ):
            raise UnknownInstanceError("The gate made no such result.")
        return row

    async def content(self, row: ResultRow) -> bytes:
        """Return a result's file.

        Raises:
            UnknownInstanceError: its time on the disk is over.
        """
        try:
            return await asyncio.to_thread(self._shelf.read, row.file_name)
        except FileNotFoundError:
            raise UnknownInstanceError("This result's time on the disk is over.") from None

    async def metadata(self, row: ResultRow) -> dict[str, Any]:
        """Return a result as DICOM JSON (PS3.18 annex F).

        Raises:
            UnknownInstanceError: its time on the disk is over.
        """
        return await asyncio.to_thread(_to_json, await self.content(row))


def _to_json(part10: bytes) -> dict[str, Any]:
    ds = dcmread(io.BytesIO(part10))
    as_json: dict[str, Any] = ds.to_json_dict(bulk_data_threshold=INLINE_BYTES)
    return as_json
