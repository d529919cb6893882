"""Examinations to judge, made by hand."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sonogate.domain.frames import Region
from sonogate.domain.identity import AETitle, ObjectId, SOPInstanceUID
from sonogate.domain.instance import Header, MediaType, Provenance, ReceivedInstance, Transport
from sonogate.domain.job import Examination, Outcome
from sonogate.domain.scores import Attribute, FrameScore, FrameScores, ModelIdentity
from sonogate.domain.verdict import Verdict
from sonogate.judge.policy import Policy
from sonogate.settings import JudgeSettings

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
SCAN = Region(x=100, y=50, width=600, height=400)
MODEL = ModelIdentity(name="dct-manifold", version="1.0.0", sha256="ab" * 32, provider="cpu")

RECEIVED = ReceivedInstance(
    object_id=ObjectId("01J0000000000000000000000A"),
    media_type=MediaType.DICOM,
    sop_class_uid="1.2.840.10008.5.1.4.1.1.6.1",
    sop_instance_uid=SOPInstanceUID("1.2.3.4"),
    transfer_syntax_uid="1.2.840.10008.1.2.1",
    content_sha256="00" * 32,
    size_bytes=1000,
    spool_name="ab/object",
    provenance=Provenance(
        calling_ae=AETitle("VOLUSON1"),
        called_ae=AETitle("SONOGATE"),
        peer_address="127.0.0.1",
        transport=Transport.DIMSE,
        received_at=NOW,
    ),
)


def frame(number: int, quality: float, **severities: float) -> FrameScore:
    """One frame with faults of these severities, everywhere in the picture."""
    return FrameScore(
        frame_number=number,
        quality=quality,
        scores={"nrq": 100 - quality},
        attributes={code: Attribute(severity=value) for code, value in severities.items()},
    )


def examination(
    frames: Sequence[FrameScore], header: Header | None = None, n_total: int | None = None
) -> Examination:
    """What a worker answers for these frames."""
    return Examination(
        object_id=RECEIVED.object_id,
        outcome=Outcome.SCORED,
        header=header or Header(),
        scores=FrameScores(
            model=MODEL, frames=tuple(frames), n_total=n_total or len(frames), scan=SCAN
        ),
    )


def refused(outcome: Outcome, code: str | None, detail: str | None = None) -> Examination:
    """What a worker answers for an object without a score."""
    return Examination(
        object_id=RECEIVED.object_id, outcome=outcome, reason_code=code, reason_detail=detail
    )


def judge(answer: Examination, settings: Mapping[str, object] | None = None) -> Verdict:
    """Judge with a card of 75 and 45."""
    policy = Policy.from_settings(75, 45, JudgeSettings.model_validate(settings or {}))
    return policy.judge(answer, RECEIVED, NOW)
