"""What is timed has the windows it says; memory is of the process that ran, not of who asks."""

import numpy as np
import pytest

from sonoquality.export.footprint import footprint
from sonoquality.export.sizes import SIDES, shown


@pytest.mark.parametrize("n_windows", SIDES)
def test_phantoms_have_as_many_windows_as_they_say(n_windows: int) -> None:
    """And every window lies whole in the scan."""
    windows = shown(n_windows).windows

    assert n_windows == len(windows.corners)
    assert np.all(windows.masks == 1)


def test_memory_is_of_the_process_that_ran() -> None:
    """What this process holds, half a gigabyte more than the other needs, does not count."""
    kept = np.ones(64_000_000)

    assert 30 < footprint(None, 1, 1) < 300 < kept.nbytes / 1e6
