"""The child process that reads and scores; it knows no network and no database."""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from sonogate.domain.frames import FrameStack
from sonogate.domain.instance import Header
from sonogate.domain.job import Examination, Job, Outcome, StageSeconds
from sonogate.domain.ports import Scorer
from sonogate.domain.scores import ScoredStack
from sonogate.errors import (
    GateError,
    NotApplicableError,
    UndecodableError,
    UnreadableError,
    UnscorableError,
)
from sonogate.read.frames import read_frames
from sonogate.read.objects.header import open_object
from sonogate.read.pixels.pictures import fingerprint
from sonogate.read.thumbnails import thumbnail_png
from sonogate.read.traces.find import trace_net
from sonogate.score import wire
from sonogate.score.confinement import tighten
from sonogate.score.heatmap import heatmap_png
from sonogate.score.scorer import ModelScorer, worst_row
from sonogate.settings import ScoringSettings


@dataclass(frozen=True, slots=True)
class Examiner:
    """Examines objects in this very process."""

    scorer: Scorer

    @classmethod
    def open(cls, settings: ScoringSettings) -> "Examiner":
        """Load the models; raises ModelError."""
        trace_net()
        return cls(ModelScorer.open(settings))

    def examine(self, job: Job) -> Examination:
        """Read and score one object; what can't be scored is an answer, not an error."""
        started = time.perf_counter()
        header = Header()
        try:
            opened = open_object(Path(job.path), job.media_type, job.span)
            header = opened.header
            stack = read_frames(opened, job.max_frames)
        except (NotApplicableError, UnscorableError) as error:
            return refusal(job, header, error, time.perf_counter() - started)
        except OSError as error:
            unreadable = UnreadableError(f"The kept file can't be read: {error.strerror}.")
            return refusal(job, header, unreadable, time.perf_counter() - started)
        except MemoryError:
            too_big = UndecodableError("It needs more memory than a worker may use.")
            return refusal(job, header, too_big, time.perf_counter() - started)
        read_seconds = time.perf_counter() - started
        return examination(job, stack, self.scorer.score(stack), read_seconds)


def refusal(
    job: Job,
    header: Header,
    error: NotApplicableError | UnscorableError,
    read_seconds: float,
) -> Examination:
    """Turn a refusal to score into an examination."""
    unscorable = isinstance(error, UnscorableError)
    return Examination(
        object_id=job.object_id,
        outcome=Outcome.UNSCORABLE if unscorable else Outcome.NOT_APPLICABLE,
        reason_code=error.code,
        reason_detail=str(error) if unscorable else None,
        header=header,
        seconds=StageSeconds(read=read_seconds),
    )


def examination(
    job: Job, stack: FrameStack, scored: ScoredStack, read_seconds: float
) -> Examination:
    """Put the scores together with the pictures that a person will see."""
    row = worst_row(scored.scores)
    thumbnail = thumbnail_png(stack, row)
    return Examination(
        object_id=job.object_id,
        outcome=Outcome.SCORED,
        header=stack.header,
        scores=scored.scores,
        thumbnail_png=thumbnail,
        heatmap_png=heatmap_png(scored.heats[row], stack.scan_mask, png_size(thumbnail)),
        fingerprint=fingerprint(stack, row),
        has_calipers=stack.has_calipers,
        seconds=StageSeconds(
            read=read_seconds,
            preprocess=scored.preprocess_seconds,
            infer=scored.infer_seconds,
        ),
    )


def png_size(png: bytes) -> tuple[int, int]:
    """Return (height, width) from a PNG's first chunk."""
    return int.from_bytes(png[20:24], "big"), int.from_bytes(png[16:20], "big")


def take_wire() -> tuple[BinaryIO, BinaryIO]:
    """Keep standard input and output for the wire; what a codec prints goes nowhere."""
    wire_out = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    return sys.stdin.buffer, wire_out


def main(missing: Sequence[str] = ()) -> None:
    """Answer jobs from standard input until it ends; the first argument is the settings as JSON.

    Args:
        missing: confinement steps that this system did not allow.
    """
    settings = ScoringSettings.model_validate_json(sys.argv[1])
    wire_in, wire_out = take_wire()
    try:
        scorer = ModelScorer.open(settings)
        trace_net()
    except GateError as error:
        sys.exit(str(error))
    tighten(settings.memory_bytes)
    os.dup2(1, 2)
    examiner = Examiner(scorer)
    greeting = replace(scorer.greeting, unconfined=tuple(missing))
    send(wire_out, wire.GREETING.dump_json(greeting))
    while (body := wire.read_message(wire_in)) is not None:
        answer = examiner.examine(wire.JOB.validate_json(body))
        send(wire_out, wire.EXAMINATION.dump_json(answer))


def send(stream: BinaryIO, body: bytes) -> None:
    """Write one message."""
    stream.write(wire.pack(body))
    stream.flush()
