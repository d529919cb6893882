"""A disk that runs full under the gate: told, survived, and freed without a restart."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.serving import Served
from tests.faults.carts import CLEAR, OUT_OF_RESOURCES, Exam, FaultCart, sending
from tests.faults.small_disk import small_disk
from tests.faults.standing import get, grown, standing, warm_up, without_grade

N_ROUNDS = int(os.environ.get("SONOGATE_FULL_DISKS", "1"))
FULL_SECONDS = 2.0
RECOVERY_SECONDS = 20.0
SETTINGS = "janitor_seconds = 1\nsegment_bytes = 65536\n[scoring]\nworkers = 1\n"

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    # pynetdicom forgets the socket of a refused connection without closing it.
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
    ),
]


def test_a_full_disk_is_told_and_survived(tmp_path: Path, need_tool: Callable[[str], str]) -> None:
    """Spool, database and pictures share a disk that is full: 0xA700, nothing lost, nothing left.

    A gate that is started on the full disk says so and ends; freed, it has all it had acknowledged.
    """
    exam = Exam()
    with small_disk(tmp_path / "data", need_tool, N_ROUNDS) as disk:
        served = Served(
            tmp_path,
            extra_toml=SETTINGS,
            environment=disk.environment,
            prefix=disk.prefix,
            min_free_bytes=1,
        )
        served.start()
        cart = FaultCart(served.dicom_port)
        try:
            assert cart.send(exam.more(7)) == []
            warm_up(served)
            assert without_grade(served, cart.acknowledged) == {}
            usual = standing(served)
            for _ in range(N_ROUNDS):
                cart.answers.clear()
                disk.fill()
                with sending(cart, exam, n_at_once=4) as sent:
                    time.sleep(FULL_SECONDS)
                    live, _ = get(served.url("/health/live"))
                told = dict(cart.answers)
                disk.free()
                started = time.monotonic()
                left = cart.send_until_kept(cart.unkept(sent), RECOVERY_SECONDS)
                seconds = time.monotonic() - started
                print(f"{disk.kind}: told {told}, well again in {seconds:.1f} s")  # noqa: T201

                assert told.get(OUT_OF_RESOURCES, 0) > 0
                assert set(told) <= CLEAR
                assert 200 == live
                assert [] == left
                assert {} == without_grade(served, cart.acknowledged, 300)
                assert {} == grown(served, usual, len(exam.large_uids & cart.acknowledged))
            served.stop()  # which gives the database's log back: only then is the disk filled
            said = (served.folder / "gate.log").read_text(errors="replace")
            disk.fill(spared_bytes=0)
            with pytest.raises(AssertionError, match="look at its disk"):
                served.start()
            disk.free()
            served.start()
            assert {} == without_grade(served, cart.acknowledged)
        finally:
            served.stop()

    assert "Traceback" not in said
