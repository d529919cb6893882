"""Readiness: what is asked, what counts, and what a broken check does."""

import asyncio

from sonogate.observe.health import (
    Check,
    Readiness,
    assess,
    check_disk,
    check_queue,
    check_store,
    check_workers,
)

FINE = Check(ok=True, detail="fine")


def test_a_required_check_that_fails_makes_the_gate_not_ready() -> None:
    """One full disk is enough."""
    assert Readiness.of(store=FINE, disk=check_disk(1, 2)).ready is False
    assert Readiness.of(store=FINE).ready is True


def test_scoring_faults_are_told_but_do_not_close_the_door() -> None:
    """A cart never waits for a model: with no worker up the gate still takes images."""
    readiness = Readiness.of(workers=check_workers(0, 2), queue=check_queue(90.0, 30.0))

    assert readiness.ready is True
    assert [False, False] == [check.ok for check in readiness.checks.values()]


async def test_a_probe_that_raises_is_a_failed_check_without_its_message() -> None:
    """The text of an unexpected error may hold anything, so only its type is shown."""

    async def broken() -> object:
        raise OSError("/home/anna/secret")

    readiness = await assess({"store": lambda: check_store(broken)})

    assert readiness.ready is False
    assert "OSError" in readiness.checks["store"].detail
    assert "anna" not in readiness.checks["store"].detail


async def test_a_probe_that_hangs_is_a_failed_check() -> None:
    """A stuck database must not hang the health page, nor its other checks."""

    async def stuck() -> Check:
        await asyncio.sleep(60)
        return FINE

    async def fine() -> Check:
        return FINE

    readiness = await assess({"store": stuck, "disk": fine}, seconds_each=0.05)

    assert {"store": False, "disk": True} == {
        name: check.ok for name, check in readiness.checks.items()
    }


def test_details_say_the_number_and_the_remedy() -> None:
    """A person reads them."""
    detail = check_disk(1024**3, 2 * 1024**3).detail

    assert "1024 MiB free" in detail
    assert "2048 MiB" in detail
