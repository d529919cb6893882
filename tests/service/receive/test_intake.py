"""A file that comes by REST is kept like one that comes by C-STORE."""

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sonogate.domain.identity import AETitle
from sonogate.domain.instance import MediaType, Provenance, Transport
from sonogate.errors import MalformedObjectError, SpoolFullError
from sonogate.receive.intake import Intake
from sonogate.receive.part10 import EXPLICIT_LITTLE
from tests.service.receive.door import US_IMAGE, Door, eventually, open_door
from tests.service.receive.test_part10 import written_file

PROVENANCE = Provenance(
    calling_ae=AETitle("REST"),
    called_ae=AETitle("SONOGATE"),
    peer_address="127.0.0.1",
    transport=Transport.REST,
    received_at=datetime(2026, 1, 1, tzinfo=UTC),
)


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    """A listener with its spool and keeper."""
    async with open_door(tmp_path) as door:
        yield door


@pytest.fixture
def intake(door: Door) -> Intake:
    """The REST side of the same spool."""
    return Intake(door.spool, door.registrar, door.metrics)


async def test_a_dicom_file_is_named_and_hashed_by_its_data_set(door: Door, intake: Intake) -> None:
    """The row is what a C-STORE of the same object would have made."""
    octets = written_file(EXPLICIT_LITTLE)
    await intake.take_file(octets, MediaType.DICOM, PROVENANCE)
    (row,) = door.registrar.rows
    kept = door.bytes_of(row)
    data_set = octets[-(len(kept) - kept.index(b"\x08\x00\x05\x00")) :]

    assert ("1.2.3", US_IMAGE, EXPLICIT_LITTLE) == (
        row.sop_instance_uid,
        row.sop_class_uid,
        row.transfer_syntax_uid,
    )
    assert hashlib.sha256(data_set).hexdigest() == row.content_sha256
    assert kept.endswith(data_set)
    assert len(kept) == row.size_bytes


@pytest.mark.parametrize("preamble", [b"MZ\x90\0", b"\x7fELF", b"#!/bin/sh\n", b"II*\0"])
async def test_a_preamble_from_outside_is_not_kept(
    door: Door, intake: Intake, preamble: bytes
) -> None:
    """What is a program or a picture too (CVE-2019-11687) is an object only, once it is here."""
    octets = preamble.ljust(128, b"\x90") + written_file(EXPLICIT_LITTLE)[128:]
    await intake.take_file(octets, MediaType.DICOM, PROVENANCE)
    kept = door.bytes_of(door.registrar.rows[0])

    assert kept.startswith(bytes(128) + b"DICM")
    assert preamble not in kept


async def test_a_file_on_disk_is_kept_like_its_bytes(
    door: Door, intake: Intake, tmp_path: Path
) -> None:
    """A path is copied; the same bytes again are a duplicate, and no file is left over."""
    octets = written_file(EXPLICIT_LITTLE)
    path = tmp_path / "upload"
    path.write_bytes(octets)
    first = await intake.take_file(octets, MediaType.DICOM, PROVENANCE)
    second = await intake.take_file(path, MediaType.DICOM, PROVENANCE)

    assert second.duplicate
    assert first.object_id == second.object_id
    await eventually(lambda: len(door.held()) == 1)
    assert path.exists()


async def test_a_picture_is_kept_as_it_is(door: Door, intake: Intake) -> None:
    """No UID, no file meta; the hash is the file's."""
    await intake.take_file(b"\x89PNG picture", MediaType.PNG, PROVENANCE)
    (row,) = door.registrar.rows

    assert row.sop_instance_uid is None
    assert hashlib.sha256(b"\x89PNG picture").hexdigest() == row.content_sha256
    assert door.bytes_of(row) == b"\x89PNG picture"


@pytest.mark.parametrize("body", [b"", b"no DICOM at all", bytes(132) + b"DICM"])
async def test_what_is_no_object_leaves_nothing(door: Door, intake: Intake, body: bytes) -> None:
    """It is refused in words, counted, and no file stays."""
    with pytest.raises(MalformedObjectError):
        await intake.take_file(body, MediaType.DICOM, PROVENANCE)

    assert door.held() == []
    assert door.registrar.rows == []
    assert door.count("sonogate_received_total", calling_ae="REST", result="refused") == 1


async def test_a_full_backlog_takes_nothing(door: Door, intake: Intake) -> None:
    """Where the backlog has no room, nothing of the object is written."""
    door.registrar.is_full = True
    with pytest.raises(SpoolFullError):
        await intake.take_file(b"\x89PNG picture", MediaType.PNG, PROVENANCE)

    assert door.held() == []


async def test_a_uid_that_is_none_is_refused(door: Door, intake: Intake) -> None:
    """What no row could hold never becomes one."""
    octets = written_file(EXPLICIT_LITTLE).replace(b"1.2.3", b"1.\x01.3")
    with pytest.raises(MalformedObjectError, match="is not a UID"):
        await intake.take_file(octets, MediaType.DICOM, PROVENANCE)

    assert door.held() == []
