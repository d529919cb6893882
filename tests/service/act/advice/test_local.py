"""The process with the weights: what is missing is a reason, what hangs is killed."""

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sonogate.act.advice.answers import AdviceError
from sonogate.act.advice.local import LocalModel
from sonogate.act.advice.prompts import Question
from sonogate.domain.advice import AdviceKind, AdviceReason
from sonogate.settings import AdviceSettings

QUESTION = Question(kind=AdviceKind.REMARK, pictures=(b"\x89PNG",))
MakePython = Callable[[str], Path]


@pytest.fixture
def make_python(tmp_path: Path) -> MakePython:
    """Return a maker of interpreters that run a script of the test in place of the runner."""

    def make(script: str) -> Path:
        (tmp_path / "script.py").write_text(script)
        path = tmp_path / "python"
        path.write_text(f'#!/bin/sh\nexec {sys.executable} -u {tmp_path}/script.py "$@"\n')
        path.chmod(path.stat().st_mode | stat.S_IEXEC)
        return path

    return make


@asynccontextmanager
async def model_of(python: Path, weights: Path, **more: Any) -> AsyncIterator[LocalModel]:
    """Have a model for the time of the block."""
    facts: dict[str, Any] = {"timeout_seconds": 2.0, "load_seconds": 60.0} | more
    settings = AdviceSettings(enabled=True, kind="local", python=python, weights=weights, **facts)
    model = LocalModel(settings=settings)
    try:
        yield model
    finally:
        await model.close()


async def reason_of(model: LocalModel) -> AdviceReason:
    """Ask in vain."""
    with pytest.raises(AdviceError) as caught:
        await model.say(QUESTION)
    return caught.value.reason


READY = 'import json, os, sys, time\nprint(json.dumps({"ready": True, "model": "Fake"}))\n'


async def test_one_process_answers_question_after_question(
    make_python: MakePython, tmp_path: Path
) -> None:
    """It is given the folder, the memory and what is asked; and no secret of ours."""
    python = make_python(
        READY
        + "for line in sys.stdin:\n"
        + "    asked = json.loads(line)\n"
        + '    print(json.dumps({"text": json.dumps([os.getpid(), sys.argv[1:], '
        + "sorted(asked), sorted(os.environ)])}))\n"
    )
    os.environ["SONOGATE_HTTP__TOKEN"] = "s3cret"  # noqa: S105 - a canary
    try:
        async with model_of(python, tmp_path, memory_bytes=10**9) as model:
            first, second = await model.say(QUESTION), await model.say(QUESTION)
            name = model.model
    finally:
        del os.environ["SONOGATE_HTTP__TOKEN"]

    assert first == second
    assert "Fake" == name
    assert str(tmp_path) in first
    assert "1000000000" in first
    assert "max_tokens" in first
    assert "SONOGATE" not in first


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("import sys; sys.exit(3)", "crashed"),
        ("print('hello')", "malformed"),
        ("print('[]')", "malformed"),
        ("print('{}')", "malformed"),
        ('print(\'{"failed": "no_weights"}\')', "no_weights"),
        ('print(\'{"failed": "wrong_version"}\')', "wrong_version"),
        ('print(\'{"failed": "rm -rf"}\')', "malformed"),
        ("print('x' * 10**6)", "too_long"),
        (READY + "sys.stdin.readline(); sys.exit(9)", "crashed"),
        (READY + "sys.stdin.readline(); os.abort()", "crashed"),
        (READY + "sys.stdin.readline(); time.sleep(60)", "timed_out"),
        (READY + "sys.stdin.close(); time.sleep(60)", "timed_out"),
        (READY + "sys.stdin.readline(); print('{\"text\": 7}')", "malformed"),
        (READY + 'sys.stdin.readline(); print(\'{"failed": "out_of_memory"}\')', "out_of_memory"),
        (READY + "sys.stdin.readline(); print('x' * 10**6)", "too_long"),
    ],
)
async def test_whatever_it_does_is_a_reason(
    make_python: MakePython, tmp_path: Path, script: str, reason: str
) -> None:
    """It never raises anything else, and never outlasts its time."""
    async with model_of(make_python(script), tmp_path) as model:
        assert reason == await reason_of(model)


async def test_a_flood_ends_each_time(make_python: MakePython, tmp_path: Path) -> None:
    """Whatever of it stands in the pipe when the process is killed."""
    python = make_python("print('x' * 10**7)")
    for _ in range(12):
        async with asyncio.timeout(30), model_of(python, tmp_path) as model:
            assert AdviceReason.TOO_LONG == await reason_of(model)


async def test_what_hangs_is_killed_with_all_it_started(
    make_python: MakePython, tmp_path: Path
) -> None:
    """And the next question has a process of its own."""
    python = make_python(
        READY
        + "import subprocess\n"
        + "child = subprocess.Popen(['sleep', '3600'])\n"
        + f"open({str(tmp_path / 'pids')!r}, 'a').write(f'{{os.getpid()}} {{child.pid}}\\n')\n"
        + "sys.stdin.readline(); time.sleep(60)\n"
    )
    async with asyncio.timeout(90), model_of(python, tmp_path, timeout_seconds=1.0) as model:
        reasons = [await reason_of(model), await reason_of(model)]
    lines = (tmp_path / "pids").read_text().splitlines()
    pids = [int(each) for line in lines for each in line.split()]

    assert [AdviceReason.TIMED_OUT] * 2 == reasons
    assert 4 == len(set(pids))
    for _ in range(500):  # a killed process takes a moment to be gone
        if not any(map(is_alive, pids)):
            break
        await asyncio.sleep(0.02)
    assert not [pid for pid in pids if is_alive(pid)]


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for yet does not."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


async def test_a_python_that_is_not_there_is_a_reason(tmp_path: Path) -> None:
    """A wrong path, a folder, a file that can't be run."""
    (tmp_path / "text").write_text("no program")
    for python in (tmp_path / "missing", tmp_path, tmp_path / "text"):
        async with model_of(python, tmp_path) as model:
            assert AdviceReason.NO_ENVIRONMENT == await reason_of(model)


@pytest.mark.parametrize("files", [(), ("config.json",), ("model.safetensors",)])
async def test_the_shipped_runner_misses_weights(tmp_path: Path, files: tuple[str, ...]) -> None:
    """Before anything is imported: this Python need not have transformers."""
    for name in files:
        (tmp_path / name).write_text("{}")
    async with model_of(Path(sys.executable), tmp_path) as model:
        assert AdviceReason.NO_WEIGHTS == await reason_of(model)


async def test_the_shipped_runner_misses_its_environment(tmp_path: Path) -> None:
    """A bare Python has no torch."""
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_text("{}")
    python = bare / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')  # no site-packages
    python.chmod(0o755)
    async with model_of(python, tmp_path) as model:
        assert AdviceReason.NO_ENVIRONMENT == await reason_of(model)


async def test_echovlms_class_needs_its_own_transformers(tmp_path: Path) -> None:
    """Another version is said, not tried: it would fail somewhere inside."""
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "EchoVLM.py").write_text("raise SystemExit('it was run')")
    packages = tmp_path / "packages"
    for name in ("torch", "transformers"):
        (packages / name).mkdir(parents=True)
        (packages / name / "__init__.py").write_text("__version__ = '4.57.3'\n")
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\nshift\nexec env PYTHONPATH={packages} {sys.executable} -S "$@"\n'
    )
    python.chmod(0o755)
    async with model_of(python, tmp_path) as model:
        assert AdviceReason.WRONG_VERSION == await reason_of(model)
