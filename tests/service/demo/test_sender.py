"""The sender against a real SCP: bytes as they are, every object accounted for."""

import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import JPEGBaseline8Bit, RLELossless
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.sop_class import Verification

from sonogate.demo import sender
from sonogate.demo.checkpoint import Checkpoint
from sonogate.demo.exam import Coding, Shot, make_exam
from sonogate.demo.objects import find_objects
from sonogate.demo.sender import Peer, SendError, echo, send_study

pytestmark = pytest.mark.integration

SHOTS = [Shot(view="thyroid"), Shot(view="thyroid", coding=Coding.RLE)]


class Scp:
    """A bare SCP that remembers the bytes of what it got."""

    def __init__(self) -> None:
        self.content: dict[str, str] = {}
        self.associations = 0
        self.refuse_after = 10_000
        ae = AE(ae_title="BARE")
        for context in AllStoragePresentationContexts:
            ae.add_supported_context(
                context.abstract_syntax or "", [*(context.transfer_syntax or []), JPEGBaseline8Bit]
            )
        ae.add_supported_context(Verification)
        self.server = ae.start_server(
            ("127.0.0.1", 0),
            block=False,
            evt_handlers=[(evt.EVT_C_STORE, self.keep), (evt.EVT_ACCEPTED, self.count)],
        )

    @property
    def peer(self) -> Peer:
        """How to reach it."""
        return Peer(host="127.0.0.1", port=self.server.server_address[1], called_ae="BARE")

    def keep(self, event: evt.Event) -> int:
        """Remember the hash; refuse when full."""
        if len(self.content) >= self.refuse_after:
            return 0xA700
        body = event.request.DataSet.getvalue()
        uid = str(event.request.AffectedSOPInstanceUID)
        self.content[uid] = hashlib.sha256(body).hexdigest()
        return 0x0000

    def count(self, _event: evt.Event) -> None:
        """Count associations."""
        self.associations += 1


@pytest.fixture
def scp() -> Iterator[Scp]:
    """A running bare SCP."""
    bare = Scp()
    yield bare
    bare.server.shutdown()


@pytest.fixture(scope="module")
def exam_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures (JPEG, RLE), a report and a text file."""
    folder = tmp_path_factory.mktemp("exam")
    for number, ds in enumerate(make_exam(datetime.now(UTC), shots=SHOTS)):
        ds.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    (folder / "notes.txt").write_text("not an object")
    return folder


def test_objects_travel_byte_by_byte_and_what_the_scp_cannot_take_is_said(
    scp: Scp, exam_folder: Path
) -> None:
    """What is accepted arrives with the very bytes of the file; RLE, not offered, is named."""
    found = find_objects([exam_folder])

    sent = send_study(found.files, scp.peer)

    by_syntax = {one.file.transfer_syntax_uid: one for one in sent}
    kept = [one.file for one in sent if one.is_kept]
    assert {file.sop_instance_uid: file.content_sha256() for file in kept} == scp.content
    assert by_syntax[str(JPEGBaseline8Bit)].is_kept
    assert "no such object" in by_syntax[str(RLELossless)].detail
    assert 3 == len(sent)


def test_a_study_goes_over_one_association(scp: Scp, exam_folder: Path) -> None:
    """A cart keeps its association open for the exam; so do we."""
    studies = find_objects([exam_folder]).by_study()
    for files in studies.values():
        send_study(files, scp.peer)

    assert (1, 1) == (len(studies), scp.associations)


def test_a_full_peer_is_recorded_not_hidden(scp: Scp, exam_folder: Path) -> None:
    """Out of resources is an answer that the caller sees, object by object."""
    scp.refuse_after = 0
    sent = send_study(find_objects([exam_folder]).files, scp.peer)

    assert [] == [one for one in sent if one.is_kept]
    assert "0xA700 (out of resources, send again later)" in {one.detail for one in sent}


def test_what_is_not_dicom_is_named(exam_folder: Path, tmp_path: Path) -> None:
    """A folder's other files are skipped with their reason."""
    (tmp_path / "half.dcm").write_bytes(b"\0" * 128 + b"DICM\x02\x00\x10")
    found = find_objects([exam_folder, tmp_path, tmp_path / "absent.dcm"])

    reasons = {path.name: reason for path, reason in found.skipped.items()}
    assert 3 == len(found.files)
    assert "not a DICOM file" == reasons["notes.txt"]
    assert reasons["absent.dcm"].startswith("can't be read")
    assert "half.dcm" in reasons


# pynetdicom drops the socket of a connection that failed without closing it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_nobody_there_is_one_plain_sentence() -> None:
    """A closed port gives the address and what to check, no traceback."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        peer = Peer(host="127.0.0.1", port=closed.getsockname()[1], called_ae="NOBODY")

        with pytest.raises(SendError, match="does not answer; check host, port and AE title"):
            echo(peer)


def test_echo_is_answered(scp: Scp) -> None:
    """A C-ECHO against a running SCP takes some time and no error."""
    assert 0 < echo(scp.peer)


def slowed(wait: Callable[..., bool]) -> Callable[..., bool]:
    """Let a client's thread be interrupted where it has just passed its checkpoint."""

    def slow(event: threading.Event, timeout: float | None = None) -> bool:
        passed = wait(event, timeout)
        thread = threading.current_thread()
        if isinstance(thread, Association) and thread.is_requestor:
            time.sleep(0.2)
        return passed

    return slow


def late(get_msg: Callable[..., Any]) -> Callable[..., Any]:
    """Let a sender be interrupted between its last byte and its waiting for the answer."""

    def get(provider: DIMSEServiceProvider, **how: Any) -> Any:
        if provider.assoc.is_requestor and how["block"]:
            time.sleep(0.4)
        return get_msg(provider, **how)

    return get


def test_a_fast_answer_is_not_lost_on_a_slow_machine(
    scp: Scp, exam_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's own thread, just past its checkpoint, must not take the sender's answer."""
    for event in (threading.Event, Checkpoint):
        monkeypatch.setattr(event, "wait", slowed(event.wait))
    monkeypatch.setattr(DIMSEServiceProvider, "get_msg", late(DIMSEServiceProvider.get_msg))
    monkeypatch.setattr(sender, "ANSWER_SECONDS", 3.0)
    files = find_objects([exam_folder]).files
    files = [file for file in files if file.transfer_syntax_uid == JPEGBaseline8Bit]
    sent = send_study(files * 4, scp.peer)

    assert [True] * len(sent) == [each.is_kept for each in sent]
