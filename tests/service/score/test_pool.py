"""Real workers: answers, crashes, hangs."""

import asyncio
import errno
import os
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sonogate.domain.instance import MediaType
from sonogate.domain.job import Job, Outcome
from sonogate.errors import DeadlineError, ModelError, WorkerCrashError
from sonogate.observe.metrics import Metrics
from sonogate.score import pool as pool_module
from sonogate.score.pool import WorkerPool
from sonogate.settings import ScoringSettings
from sonogate.testing import make_instance

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    """One worker with a real model."""
    pool = WorkerPool(ScoringSettings(workers=1), Metrics())
    await pool.start()
    yield pool
    await pool.stop()


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job for a valid still."""
    path = tmp_path / "still.dcm"
    make_instance().save_as(path, enforce_file_format=True)
    return Job(object_id="01TEST", path=str(path), media_type=MediaType.DICOM)


async def test_a_worker_examines_a_still(pool: WorkerPool, job: Job) -> None:
    """The answer carries scores, header, pictures and times."""
    examination = await pool.examine(job)

    assert Outcome.SCORED is examination.outcome
    assert examination.scores is not None
    assert "cpu" == examination.scores.model.provider
    assert (examination.thumbnail_png or b"").startswith(b"\x89PNG")
    assert (examination.heatmap_png or b"").startswith(b"\x89PNG")
    assert 1024 == len(examination.fingerprint or b"")
    assert examination.seconds.read > 0


async def test_a_hanging_worker_is_replaced_at_the_deadline(job: Job) -> None:
    """A stopped process stands for a codec that never returns."""
    pool = WorkerPool(ScoringSettings(workers=1, deadline_seconds=1), Metrics())
    await pool.start()
    (stuck,) = pool.process_ids
    os.kill(stuck, signal.SIGSTOP)
    with pytest.raises(DeadlineError):
        await pool.examine(job)
    pool.settings = ScoringSettings(workers=1, deadline_seconds=20)

    assert Outcome.SCORED is (await pool.examine(job)).outcome
    assert [stuck] != pool.process_ids
    await pool.stop()


async def test_a_killed_worker_is_replaced(pool: WorkerPool, job: Job) -> None:
    """The crash is told, and the next job finds a fresh worker."""
    (victim,) = pool.process_ids
    os.kill(victim, signal.SIGSTOP)
    waiting = asyncio.create_task(pool.examine(job))
    await asyncio.sleep(0.1)
    os.kill(victim, signal.SIGKILL)
    with pytest.raises(WorkerCrashError):
        await waiting

    assert Outcome.SCORED is (await pool.examine(job)).outcome


async def test_a_worker_killed_while_it_starts_is_replaced_too(
    pool: WorkerPool, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job waits for the next one; nobody is told of the one that never worked."""
    await crash(pool, job)
    spawned = kill_the_first(2, monkeypatch)

    assert Outcome.SCORED is (await pool.examine(job)).outcome
    # Whoever asks first takes the exit code; asyncio then says 255 of a process killed twice.
    ended = (-signal.SIGKILL, 255)
    assert all(each.returncode in ended for each in spawned[:2])
    assert [None] == [each.returncode for each in spawned[2:]]


async def test_hiring_is_given_up_and_the_place_is_kept(
    pool: WorkerPool, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bounded: after three that died the caller is told, and a later job hires again."""
    await crash(pool, job)
    monkeypatch.setattr(pool_module, "HIRE_PAUSES_SECONDS", (0.0, 0.0))
    spawned = kill_the_first(3, monkeypatch)
    with pytest.raises(ModelError):
        await pool.examine(job)
    assert 3 == len(spawned)

    assert Outcome.SCORED is (await pool.examine(job)).outcome


async def test_a_system_that_starts_no_process_is_asked_again(
    pool: WorkerPool, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of processes for a moment: the job is examined after it."""
    await crash(pool, job)
    real, refusals = asyncio.create_subprocess_exec, [OSError(errno.EAGAIN, "try again")]

    async def spawn(*words: Any, **more: Any) -> Process:
        if refusals:
            raise refusals.pop()
        return await real(*words, **more)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", spawn)

    assert Outcome.SCORED is (await pool.examine(job)).outcome


async def test_a_start_that_is_called_off_leaves_no_process(
    pool: WorkerPool, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gate that stops while a worker starts takes it along."""
    await crash(pool, job)
    spawned = kill_the_first(0, monkeypatch)
    waiting = asyncio.create_task(pool.examine(job))
    while not spawned:  # noqa: ASYNC110 - the pool tells nobody that it hires
        await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    assert [-signal.SIGKILL] == [each.returncode for each in spawned]


async def crash(pool: WorkerPool, job: Job) -> None:
    """Kill the only worker, and let the pool notice."""
    (victim,) = pool.process_ids
    os.kill(victim, signal.SIGKILL)
    with pytest.raises(WorkerCrashError):
        await pool.examine(job)


def kill_the_first(n: int, monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    """Kill the next n processes as soon as they are there; return all that start from now on."""
    real = asyncio.create_subprocess_exec
    spawned: list[Process] = []

    async def spawn(*words: Any, **more: Any) -> Process:
        process = await real(*words, **more)
        if len(spawned) < n:
            process.kill()
        spawned.append(process)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", spawn)
    return spawned


async def test_a_missing_model_stops_the_start_with_its_name() -> None:
    """The remedy needs the setting's name and value."""
    pool = WorkerPool(ScoringSettings(workers=1, model="no-such-model/9"), Metrics())

    with pytest.raises(ModelError, match="no-such-model/9"):
        await pool.start()


async def test_workers_die_with_the_pool(pool: WorkerPool) -> None:
    """Nothing is left behind."""
    ids = pool.process_ids
    await pool.stop()

    assert not [pid for pid in ids if os.path.exists(f"/proc/{pid}")]  # noqa: ASYNC240, PTH110
