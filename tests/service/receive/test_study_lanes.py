"""The study of an object from its first bytes: however its header is written, or not at all."""

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from sonogate.domain.identity import AETitle, ObjectId, SOPInstanceUID, new_object_id
from sonogate.domain.instance import MediaType, Provenance, ReceivedInstance, Transport
from sonogate.receive.spool import Spool
from sonogate.receive.study_lanes import lanes_of, study_in
from sonogate.settings import ListenerSettings, SpoolSettings
from sonogate.testing import make_instance


def written(ds: Dataset, syntax: UID = ExplicitVRLittleEndian) -> bytes:
    """Return the Part 10 bytes of an instance."""
    ds.file_meta.TransferSyntaxUID = syntax
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("undefined", [True, False])
def test_a_study_is_found_behind_sequences(syntax: UID, *, undefined: bool) -> None:
    """Sequences before it, of defined or undefined length, are stepped over."""
    ds = make_instance(height=8, width=8)
    inner = Dataset()
    inner.StudyInstanceUID = "9.9.9"  # that of another object, which this one refers to
    ds.ReferencedStudySequence = Sequence([inner])
    ds["ReferencedStudySequence"].is_undefined_length = undefined
    ds.ReferencedStudySequence[0].is_undefined_length_sequence_item = undefined

    assert ds.StudyInstanceUID == study_in(written(ds, syntax))


def test_no_study_is_no_lane() -> None:
    """Without the attribute, or with an absurd one, the object goes in a lane of its own."""
    without, absurd = make_instance(height=8, width=8), make_instance(height=8, width=8)
    del without.StudyInstanceUID
    content = written(absurd).replace(absurd.StudyInstanceUID.encode(), b"1" * 64)

    assert study_in(written(without)) is None
    assert study_in(content[:300]) is None


async def test_bytes_that_are_gone_or_odd_have_no_study(tmp_path: Path) -> None:
    """Nothing that a sender wrote ends the registrar."""
    spool = Spool(tmp_path, SpoolSettings(min_free_bytes=1), ListenerSettings())
    spool.prepare()
    (tmp_path / "files" / "ODD").write_bytes(b"\xff" * 400)
    provenance = Provenance(
        calling_ae=AETitle("CART1"),
        called_ae=AETitle("SONOGATE"),
        peer_address="127.0.0.1",
        transport=Transport.DIMSE,
        received_at=datetime.now(UTC),
    )
    objects = [
        ReceivedInstance(
            object_id=ObjectId(new_object_id()),
            media_type=MediaType.DICOM,
            sop_class_uid="1.2",
            sop_instance_uid=SOPInstanceUID("1.3"),
            transfer_syntax_uid="1.4",
            content_sha256="0" * 64,
            size_bytes=400,
            spool_name=name,
            provenance=provenance,
        )
        for name in ("files/GONE", "files/ODD", "../../etc/passwd")
    ]

    assert [None] * 3 == lanes_of(spool)(objects)
