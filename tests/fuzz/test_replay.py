"""The stored inputs of the fuzzing campaign, and seeded damage to them, through every door.

Each side runs in a process of its own, so that a crash is told from an exception, and a crash of
the listener from one of a worker.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import need_extra
from tests.fuzz.harness import GATE_GROWS_BYTES, STORED, WORKER_BYTES, Side, Target
from tests.fuzz.replay import replay
from tests.fuzz.targets import TARGETS

pytestmark = [pytest.mark.integration, pytest.mark.slow]

DAMAGED = {Side.GATE: 150, Side.WORKER: 40}
"""Damaged inputs for each target; together some 1,500, in some fifteen seconds of CPU time."""
PROCESS_SECONDS = 500.0
"""Wall time for one side; a busy machine takes thirty times its CPU time."""
DEADLINE_SECONDS = 20.0
"""`scoring.deadline_seconds`: a worker that takes longer is replaced."""
MAX_STORED_BYTES = 300_000
VIDEO = "video"


def run(
    side: Side, names: list[str], folder: Path, module: str = "tests.fuzz.replay"
) -> dict[str, Any]:
    """Replay in a process of its own; return its report.

    Raises:
        AssertionError: The process died; the input that killed it is kept.
    """
    words = [side, str(DAMAGED[side]), str(folder), *names]
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        timeout=PROCESS_SECONDS,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    if done.returncode:
        killer = folder / "input"
        pytest.fail(f"{side} process ended with {done.returncode}; see {killer}\n{done.stderr!r}")
    report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return report


def check(report: dict[str, Any], side: Side) -> None:
    """Every door ended each input as it may, in time and within memory."""
    bound = {Side.GATE: GATE_GROWS_BYTES, Side.WORKER: WORKER_BYTES}[side]
    for each in report["replayed"]:
        assert [] == each["failures"], each["target"]
        assert each["n_runs"] >= DAMAGED[side], each["target"]
        assert each["slowest_seconds"] < DEADLINE_SECONDS, each["target"]
    assert report["grown_bytes"] < bound


@pytest.mark.timeout(600)
@pytest.mark.parametrize("side", Side)
def test_no_input_is_more_than_a_door_can_bear(side: Side, tmp_path: Path) -> None:
    """The listener lives and no worker is lost; nothing is raised, memory stays under its cap."""
    names = [each.name for each in TARGETS.values() if each.side is side and each.name != VIDEO]

    check(run(side, names, tmp_path), side)


@pytest.mark.train
def test_no_video_is_more_than_a_worker_can_bear(tmp_path: Path) -> None:
    """MPEG-2, H.264 and HEVC, where the [video] extra is installed."""
    need_extra("av", "video")

    check(run(Side.WORKER, [VIDEO], tmp_path), Side.WORKER)


def test_what_a_door_raises_is_told(tmp_path: Path) -> None:
    """The replay names the input; a replay that swallows would prove nothing."""

    def fall(data: bytes) -> str:
        raise ValueError("fell") if data else AssertionError("empty")

    door = Target(name="none", side=Side.GATE, run=fall, seeds=lambda: {"one": b"1"})
    found = replay(door, 3, tmp_path / "input")

    assert "one: ValueError: fell" == found.failures[0]
    assert 4 == len(found.failures) == found.n_runs


def test_a_door_that_kills_its_process_is_told(tmp_path: Path) -> None:
    """A process that ends before its report fails the test that started it."""
    with pytest.raises(pytest.fail.Exception, match="process ended with"):
        run(Side.WORKER, [VIDEO], tmp_path, module="tests.fuzz.none")


def test_the_stored_inputs_are_few_and_belong_to_targets() -> None:
    """They are small, and none is left over from a door that is no more."""
    folders = {path.name for path in STORED.iterdir()}
    size = sum(path.stat().st_size for path in STORED.rglob("*") if path.is_file())

    assert folders <= set(TARGETS)
    assert size < MAX_STORED_BYTES
