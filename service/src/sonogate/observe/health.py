"""Whether the gate can take images now, and if not, why in plain words.

Live means the process answers at all; ready means every required check is fine. A scoring fault is
reported but not required: the gate still keeps what carts send, and says `unscorable` or
`pending`, never `high`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    ok: bool
    detail: str  #: one plain sentence; no secret, no patient text, no path of a sender
    required: bool = True  #: whether the gate is not ready without it


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What `/health/ready` answers."""

    ready: bool  #: every required check is ok
    checks: dict[str, Check]

    @classmethod
    def of(cls, **checks: Check) -> "Readiness":
        """Sum checks up: ready if no required one failed."""
        ready = all(check.ok or not check.required for check in checks.values())
        return cls(ready=ready, checks=checks)


Probe = Callable[[], Awaitable[Check]]


async def assess(probes: Mapping[str, Probe], *, seconds_each: float = 2.0) -> Readiness:
    """Run all probes at once; one that raises or hangs is a failed check, never an error.

    Args:
        probes: What to look at, by name.
        seconds_each: Time limit of one probe.
    """
    checks = await asyncio.gather(*(_answer(probe, seconds_each) for probe in probes.values()))
    return Readiness.of(**dict(zip(probes, checks, strict=True)))


async def _answer(probe: Probe, seconds: float) -> Check:
    try:
        async with asyncio.timeout(seconds):
            return await probe()
    except TimeoutError:
        return Check(ok=False, detail=f"no answer within {seconds:g} s")
    except Exception as error:  # noqa: BLE001 - boundary: a broken probe is an answer, not a crash
        return Check(ok=False, detail=f"the check itself failed: {type(error).__name__}")


def check_disk(free_bytes: int, min_free_bytes: int) -> Check:
    """Is there room to keep objects? Below the limit the listener answers 0xA700."""
    free = f"{free_bytes // MIB} MiB free on the spool's disk"
    if free_bytes >= min_free_bytes:
        return Check(ok=True, detail=free)
    wanted = f"{min_free_bytes // MIB} MiB"
    return Check(
        ok=False, detail=f"{free}, {wanted} needed: objects are refused until disk is freed"
    )


def check_workers(n_alive: int, n_wanted: int) -> Check:
    """Are scoring workers up? Not required: without them objects are kept and wait."""
    return Check(
        ok=n_alive > 0,
        detail=f"{n_alive} of {n_wanted} scoring workers up",
        required=False,
    )


def check_queue(oldest_seconds: float, limit_seconds: float) -> Check:
    """Do verdicts keep up? Not required: a backlog is no reason to refuse images."""
    return Check(
        ok=oldest_seconds <= limit_seconds,
        detail=f"oldest object without a verdict: {oldest_seconds:.1f} s",
        required=False,
    )


async def check_store(ping: Callable[[], Awaitable[object]]) -> Check:
    """Does the database answer? `ping` makes one small read."""
    await ping()
    return Check(ok=True, detail="the database answers")
