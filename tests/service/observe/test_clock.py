"""A clock that is set is told from time that passes."""

from dataclasses import dataclass

from sonogate.observe.clock import ClockWatch


@dataclass
class Clocks:
    """A wall clock and a steady one, moved by hand."""

    wall_seconds: float = 1_000_000.0
    steady_seconds: float = 50.0

    def wall(self) -> float:
        """The time of day."""
        return self.wall_seconds

    def steady(self) -> float:
        """Seconds that only pass."""
        return self.steady_seconds


def test_time_that_passes_is_no_step() -> None:
    """Nor is the small difference between two looks."""
    clocks = Clocks()
    watch = ClockWatch(clocks.wall, clocks.steady)
    clocks.wall_seconds += 3601.5
    clocks.steady_seconds += 3600

    assert 0 == watch.step_seconds()


def test_a_step_is_told_until_it_was_followed() -> None:
    """Whoever could not follow it is told again; then it is over, and the next one counts anew."""
    clocks = Clocks()
    watch = ClockWatch(clocks.wall, clocks.steady)
    clocks.wall_seconds -= 7200
    assert [-7200, -7200] == [watch.step_seconds(), watch.step_seconds()]
    watch.follow(-7200)
    assert 0 == watch.step_seconds()
    clocks.wall_seconds += 60

    assert 60 == watch.step_seconds()
