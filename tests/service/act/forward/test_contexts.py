"""What a batch proposes: contexts made to measure, never more than an association has."""

from pathlib import Path

from sonogate.act.forward.association import Peer
from sonogate.act.forward.dicom import DicomCarrier, batches
from sonogate.act.forward.parcel import Parcel
from sonogate.act.forward.pdus import MAX_CONTEXTS, Proposal, associate_rq
from sonogate.act.forward.syntaxes import PLAIN
from sonogate.domain.instance import Span

RLE, JPEG_BASELINE = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50"


def parcel(number: int, sop_class: str, syntax: str = RLE) -> Parcel:
    """Make a parcel of no bytes."""
    return Parcel(
        forward_id=number, file_stem=str(number), sop_class_uid=sop_class,
        sop_instance_uid=f"1.2.{number}", transfer_syntax_uid=syntax, calling_ae="CART1",
        day="2026-03-01", path=Path("/nowhere"), span=Span(offset=0, size_bytes=0),
    )  # fmt: skip


async def _never(_parcel: Parcel, _syntax: str) -> Path:
    raise AssertionError


def carrier(*, may_decode: bool) -> DicomCarrier:
    """Make a carrier to nowhere."""
    return DicomCarrier(
        peer=Peer(host="nowhere", port=1, ae_title="PACS", answer_seconds=1),
        own_ae="SONOGATE",
        calls_as_sender=False,
        may_decode=may_decode,
        make_tls=lambda: None,
        decode=_never,
    )


def test_a_context_for_each_kind_and_one_to_fall_back_on() -> None:
    """Each pair once, in order; plain samples where the coding lost nothing and the site allows."""
    parcels = [parcel(1, "1.1"), parcel(2, "1.1", JPEG_BASELINE), parcel(3, "1.1")]
    strict = [Proposal("1.1", (RLE,)), Proposal("1.1", (JPEG_BASELINE,))]

    assert strict == carrier(may_decode=False).proposals(parcels)
    assert [*strict, Proposal("1.1", PLAIN)] == carrier(may_decode=True).proposals(parcels)


def test_no_association_needs_more_contexts_than_there_are() -> None:
    """Three hundred kinds, in order, over as many associations as they need."""
    parcels = [parcel(number, f"1.{number}") for number in range(300)]
    parts = list(batches(parcels))
    proposed = [carrier(may_decode=True).proposals(part) for part in parts]

    assert parcels == [each for part in parts for each in part]
    assert MAX_CONTEXTS >= max(map(len, proposed)) > MAX_CONTEXTS - 2
    assert all(associate_rq(each, "PACS", "SONOGATE") for each in proposed)
