"""Look at the machine and the settings, and say in plain words what is wrong and what to do."""

from collections.abc import Iterator

from sonogate.doctor import (
    adviser,
    calibrations,
    certificates,
    destinations,
    disk,
    doors,
    model,
    network,
)
from sonogate.doctor.check import Check, Level
from sonogate.settings import Settings

__all__ = ["Check", "Level", "examine"]


def examine(settings: Settings) -> Iterator[Check]:
    """Run every check; nothing that is found wrong ends the examination."""
    yield from doors.checks(settings)
    yield from disk.checks(settings)
    yield from model.checks(settings)
    yield from calibrations.checks(settings)
    yield from certificates.checks(settings)
    yield from destinations.checks(settings)
    yield from network.checks(settings)
    yield from adviser.checks(settings)
    yield from doors.senders(settings)
