"""A bulk push goes first; a person's images, and a push without end, still get their verdicts."""

import time

import pytest

from sonogate.score import pacing
from sonogate.score.pacing import RUSH_OBJECTS, Pace


async def rest_of(pace: Pace) -> float:
    """Return how long scoring was held."""
    started = time.monotonic()
    await pace.rest()
    return time.monotonic() - started


async def test_a_persons_images_are_never_held() -> None:
    """Fewer objects than a rush is made of are scored at once."""
    pace = Pace()
    for _ in range(RUSH_OBJECTS - 1):
        pace.note_arrival()

    assert await rest_of(pace) < 0.02


async def test_a_push_in_bulk_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scoring goes on as soon as the push is over."""
    monkeypatch.setattr(pacing, "RUSH_SECONDS", 0.2)
    pace = Pace()
    for _ in range(3 * RUSH_OBJECTS):
        pace.note_arrival()

    assert 0.15 < await rest_of(pace) < 0.6
    assert not pace.is_rush


async def test_a_push_without_end_does_not_end_scoring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each worker rests for a bounded time."""
    monkeypatch.setattr(pacing, "RUSH_SECONDS", 3600)
    monkeypatch.setattr(pacing, "REST_SECONDS", 0.2)
    pace = Pace()
    for _ in range(RUSH_OBJECTS):
        pace.note_arrival()

    assert 0.15 < await rest_of(pace) < 0.6
    assert pace.is_rush
