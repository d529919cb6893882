"""When a failed destination is tried again."""

from datetime import UTC, datetime, timedelta

from sonogate.act.backoff import Backoff
from sonogate.act.forward.breaker import Breaker, BreakerState

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    """Return a moment."""
    return START + timedelta(seconds=seconds)


def test_a_failure_rests_then_probes_then_rests_longer() -> None:
    """Nothing while it rests; one association to see; a success lets all flow again."""
    breaker = Breaker("pacs", Backoff(first_seconds=2, max_seconds=300))
    breaker.fail(START, "lost")
    states = [breaker.state(after(seconds)) for seconds in (0, 0.9, 2.1)]
    rooms = [breaker.room(after(seconds), 4) for seconds in (0, 2.1)]
    second = breaker.fail(after(2.1), "lost")
    had_failed = breaker.mend()

    assert [BreakerState.OPEN, BreakerState.OPEN, BreakerState.PROBING] == states
    assert [0, 1] == rooms
    assert 2 <= (second.rest_until - after(2.1)).total_seconds() <= 4
    assert (2, START) == (second.n_failed, second.since)
    assert (True, 4) == (had_failed, breaker.room(after(3), 4))


def test_associations_that_fail_together_count_once() -> None:
    """Two broken at one moment are one failure of the destination."""
    breaker = Breaker("pacs")
    breaker.fail(START, "lost")

    assert 1 == breaker.fail(START, "lost").n_failed


def test_a_rest_has_an_end() -> None:
    """However often it failed, it is tried again within the longest wait."""
    breaker, now = Breaker("pacs", Backoff(max_seconds=300)), START
    for _ in range(40):
        row = breaker.fail(now, "unreachable")
        assert row.rest_until - now <= timedelta(seconds=300)
        now = row.rest_until
