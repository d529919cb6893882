"""The pool of scoring workers, seen from the gate: hand out jobs, replace what crashes or hangs."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from sonogate.domain.job import Examination, Greeting, Job
from sonogate.errors import DeadlineError, ModelError, WorkerCrashError, WorkerKilledError
from sonogate.observe.logs import get_logger
from sonogate.observe.metrics import Metrics
from sonogate.score import wire
from sonogate.settings import ScoringSettings

START = (
    "from sonogate.score.confinement import confine; missing = confine(); "
    "from sonogate.worker import main; main(missing)"
)
"""Confinement comes before the imports that start threads."""

START_SECONDS = 120.0
HIRE_PAUSES_SECONDS = (0.2, 1.0)
"""Pauses between tries to replace a worker; what killed one that was starting may have passed."""
KILLED = frozenset({-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP})
"""Exit codes of a worker that somebody else ended: a person, or a system short of memory."""
REAP_SECONDS = 1.0
"""How long a worker that fell silent may take to be gone; one that talks nonsense never is."""
NOT_STARTED = "a scoring worker did not start; run: sonogate doctor"
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "HOME")

log = get_logger()


def worker_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what a worker may know: no secrets, one BLAS thread."""
    kept = {name: environ[name] for name in PASSED_ON if name in environ}
    return kept | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONUTF8": "1"}


@dataclass(eq=False)
class Worker:
    """One child process."""

    process: Process
    greeting: Greeting

    @classmethod
    async def start(cls, settings: ScoringSettings) -> "Worker":
        """Start a worker and wait until its model is loaded.

        Raises:
            ModelError: it ended before its greeting; its words are in the message.
        """
        process = await spawn(settings)
        try:
            async with asyncio.timeout(START_SECONDS):
                greeting = wire.GREETING.validate_json(await receive(process))
        except (WorkerCrashError, TimeoutError, ValidationError) as error:
            said = await last_words(process)
            raise ModelError(said or NOT_STARTED) from error
        except asyncio.CancelledError:
            await last_words(process)
            raise
        return cls(process, greeting)

    async def examine(self, job: Job) -> Examination:
        """Send the job and wait for its examination."""
        stdin = self.process.stdin
        assert stdin is not None  # noqa: S101 - started with a pipe
        try:
            stdin.write(wire.pack(wire.JOB.dump_json(job)))
            await stdin.drain()
        except ConnectionError as error:
            raise WorkerCrashError from error
        body = await receive(self.process)
        try:
            return wire.EXAMINATION.validate_json(body)
        except ValidationError as error:
            raise WorkerCrashError("A worker's answer is not an examination.") from error

    async def was_killed(self) -> bool:
        """Whether the process ended by no fault of its own, nor of what it read."""
        try:
            async with asyncio.timeout(REAP_SECONDS):
                return await self.process.wait() in KILLED
        except TimeoutError:
            return False

    async def end(self) -> None:
        """Kill the process and reap it."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.communicate()


async def spawn(settings: ScoringSettings) -> Process:
    """Start a worker's process.

    Raises:
        ModelError: the system starts no more processes.
    """
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-c",
            START,
            settings.model_dump_json(),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=worker_environment(os.environ),
        )
    except OSError as error:
        raise ModelError(f"{NOT_STARTED} ({error.strerror})") from error


async def receive(process: Process) -> bytes:
    """Read one message of a worker.

    Raises:
        WorkerCrashError: the worker ended or said something that is not a message.
    """
    stdout = process.stdout
    assert stdout is not None  # noqa: S101 - started with a pipe
    try:
        (length,) = wire.LENGTH.unpack(await stdout.readexactly(wire.LENGTH.size))
        if length > wire.MAX_MESSAGE_BYTES:
            raise WorkerCrashError("A worker's answer is too long.")
        return await stdout.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise WorkerCrashError from error


async def last_words(process: Process) -> str:
    """Return the last line a dying worker wrote."""
    if process.returncode is None:
        process.kill()
    _, stderr = await process.communicate()
    lines = stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


@dataclass
class WorkerPool:
    """An `Examiner` over N workers."""

    settings: ScoringSettings
    metrics: Metrics
    greeting: Greeting | None = None
    _idle: asyncio.Queue[Worker | None] = field(default_factory=asyncio.Queue)
    _workers: set[Worker] = field(default_factory=set)

    async def start(self) -> Greeting:
        """Start every worker; the first one's greeting speaks for all."""
        for _ in range(self.settings.workers):
            self._idle.put_nowait(await self._hire())
        assert self.greeting is not None  # noqa: S101 - workers >= 1
        self.metrics.provider_rung.clear()
        self.metrics.provider_rung.labels(self.greeting.model.provider).set(1)
        return self.greeting

    @property
    def process_ids(self) -> list[int]:
        """Process ids of the workers alive now."""
        return [worker.process.pid for worker in self._workers]

    async def examine(self, job: Job) -> Examination:
        """Examine one object within the deadline.

        Raises:
            WorkerKilledError: the worker was killed from outside; it has been replaced.
            WorkerCrashError: the worker broke; it has been replaced.
            DeadlineError: the worker was still busy; it has been replaced.
            ModelError: none is left, and several in a row did not start.
        """
        worker = await self._take()
        try:
            async with asyncio.timeout(self.settings.deadline_seconds):
                examination = await worker.examine(job)
        except TimeoutError as error:
            await self._dismiss(worker, "deadline")
            raise DeadlineError from error
        except WorkerCrashError as error:
            was_killed = await worker.was_killed()
            await self._dismiss(worker, "crash")
            if was_killed:
                raise WorkerKilledError from error
            raise
        except asyncio.CancelledError:
            await self._dismiss(worker, "cancelled")
            raise
        self._idle.put_nowait(worker)
        return examination

    async def stop(self) -> None:
        """End every worker."""
        workers, self._workers = self._workers, set()
        await asyncio.gather(*(worker.end() for worker in workers))

    async def _take(self) -> Worker:
        worker = await self._idle.get()
        if worker is None:
            try:
                return await self._replace()
            except BaseException:
                self._idle.put_nowait(None)
                raise
        return worker

    async def _replace(self) -> Worker:
        """Hire; again after a pause if the new worker died while it started."""
        for attempt, pause in enumerate(HIRE_PAUSES_SECONDS, 1):
            try:
                return await self._hire()
            except ModelError:
                log.warning("worker did not start", attempt=attempt)
                await asyncio.sleep(pause)
        return await self._hire()

    async def _hire(self) -> Worker:
        worker = await Worker.start(self.settings)
        self._workers.add(worker)
        self.greeting = self.greeting or worker.greeting
        return worker

    async def _dismiss(self, worker: Worker, reason: str) -> None:
        self._workers.discard(worker)
        self._idle.put_nowait(None)
        await worker.end()
        self.metrics.worker_restarts.labels(reason).inc()
        log.warning("worker replaced", reason=reason, exit_code=worker.process.returncode)
