"""Judge files without a server: what `sonogate score` does.

The same reading, scoring and judging as in the gate, in this very process and without a database,
so nothing is kept and nothing supersedes anything.
"""

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sonogate.demo.objects import files_under, open_file
from sonogate.domain.identity import AETitle, SOPInstanceUID, new_object_id
from sonogate.domain.instance import (
    MediaType,
    Provenance,
    ReceivedInstance,
    Transport,
    sniff,
)
from sonogate.domain.job import Examination, Job, Outcome
from sonogate.domain.verdict import Band, Seconds, Verdict
from sonogate.judge.findings import action_of, notes
from sonogate.judge.policy import Policy
from sonogate.messages import LANGUAGE, Language
from sonogate.score.scorer import ModelScorer
from sonogate.settings import Settings
from sonogate.worker import Examiner

MAGIC_BYTES = 132
OFFLINE = AETitle("OFFLINE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One file and what is said of it; `skipped` instead, if it is nothing to judge."""

    path: Path
    verdict: Verdict | None = None
    skipped: str | None = None
    language: Language = LANGUAGE  #: of the verdict's sentences

    def to_json(self) -> dict[str, Any]:
        """Return the verdict's schema with the file's `path` in front."""
        body = self.verdict.model_dump(mode="json") if self.verdict else {}
        return {"path": str(self.path), **body}

    def to_text(self) -> str:
        """Say the verdict, and what was noticed, in a few lines."""
        verdict = self.verdict
        if verdict is None:
            return f"{self.path}: {self.skipped}"
        word = verdict.band.value if verdict.band else verdict.status.replace("_", " ")
        quality = "" if verdict.quality is None else f" {verdict.quality:.0f}"
        said = [f"{word}{quality}", *(part for part in (verdict.reason, verdict.action) if part)]
        mark = "noticed" if verdict.band is Band.HIGH else "also"
        more = [
            f"{mark}: {each.label}. {action_of(each.code, self.language)}"
            for each in notes(verdict)
        ]
        return "\n    ".join([f"{self.path}: {'. '.join(said)}", *more])


def judge_files(paths: Sequence[Path], settings: Settings) -> Iterator[Judged]:
    """Judge every DICOM object and every PNG, JPEG or WebP image under the paths.

    Raises:
        ModelError: The model can't be loaded.
    """
    scorer = ModelScorer.open(settings.scoring)
    examiner, greeting = Examiner(scorer), scorer.greeting
    policy = Policy.from_settings(
        greeting.high_from, greeting.medium_from, settings.judge, settings.language
    )
    for path in files_under(paths):
        try:
            received = received_from(path)
        except ValueError as error:
            yield Judged(path=path, skipped=str(error))
            continue
        verdict = _judge(received, path, examiner, policy, settings.scoring.max_frames)
        yield Judged(path=path, verdict=verdict, language=settings.language)


def received_from(path: Path) -> ReceivedInstance:
    """Describe a file as the gate would after receiving it.

    Raises:
        ValueError: It is neither a DICOM object nor a picture; the message says what it is.
    """
    media_type = media_type_of(path)
    names: dict[str, Any] = {}
    if media_type is MediaType.DICOM:
        file = open_file(path)
        names = {
            "sop_class_uid": file.sop_class_uid,
            "sop_instance_uid": SOPInstanceUID(file.sop_instance_uid),
            "transfer_syntax_uid": file.transfer_syntax_uid,
            "content_sha256": file.content_sha256(),
        }
    else:
        names = dict.fromkeys(("sop_class_uid", "sop_instance_uid", "transfer_syntax_uid"))
        names["content_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return ReceivedInstance(
        object_id=new_object_id(),
        media_type=media_type,
        size_bytes=path.stat().st_size,
        spool_name=path.name,
        provenance=Provenance(
            calling_ae=OFFLINE,
            called_ae=OFFLINE,
            peer_address="",
            transport=Transport.REST,
            received_at=datetime.now(UTC),
        ),
        **names,
    )


def media_type_of(path: Path) -> MediaType:
    """Tell by its first bytes what a file is.

    Raises:
        ValueError: Neither a DICOM object nor a PNG, JPEG or WebP image.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(MAGIC_BYTES)
    except OSError as error:
        raise ValueError(f"can't be read: {error.strerror or error}") from error
    media_type = sniff(head)
    if media_type is None:
        raise ValueError("neither a DICOM object nor a PNG, JPEG or WebP image")
    return media_type


def _judge(
    received: ReceivedInstance, path: Path, examiner: Examiner, policy: Policy, max_frames: int
) -> Verdict:
    started = time.perf_counter()
    job = Job(
        object_id=received.object_id,
        path=str(path.resolve()),
        media_type=received.media_type,
        max_frames=max_frames,
    )
    try:
        examination = examiner.examine(job)
    except Exception as error:  # noqa: BLE001 - boundary: one bad file must not end the walk
        examination = Examination(
            object_id=received.object_id,
            outcome=Outcome.UNSCORABLE,
            reason_code="worker_crash",
            reason_detail=type(error).__name__,
        )
    judging = time.perf_counter()
    verdict = policy.judge(examination, received, datetime.now(UTC))
    ended = time.perf_counter()
    spent = examination.seconds
    seconds = Seconds(
        read=spent.read,
        preprocess=spent.preprocess,
        infer=spent.infer,
        judge=ended - judging,
        total=ended - started,
    )
    return verdict.model_copy(update={"seconds": seconds})
