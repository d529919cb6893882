"""Keep a few of a campaign's inputs for the suite: small ones, spread over what was found.

python -m tests.fuzz.keep OUT

Every target may fill a folder of `corpus` up to a budget. Where it found more, inputs are taken at
even steps from its list by size, so that long ones are there too. What ended a door as it may not
is kept whole.
"""

import hashlib
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.fuzz.harness import STORED

BUDGET_BYTES: Final = 11_000
"""Of one target; all together stay under 300 kB."""
MOST_INPUTS: Final = 40
_HASHED: Final = 40  # a name of libFuzzer's own: the input was found, not made


def chosen(sizes: Sequence[int]) -> list[int]:
    """Return which inputs to keep, given their sizes in ascending order."""
    n_kept = min(len(sizes), MOST_INPUTS)
    while n_kept:
        kept = [(2 * i + 1) * len(sizes) // (2 * n_kept) for i in range(n_kept)]
        if sum(sizes[each] for each in kept) <= BUDGET_BYTES:
            return kept
        n_kept -= 1
    return []


def keep(found: Path, target: str) -> None:
    """Replace what is stored for a target."""
    paths = [each for each in (found / "corpus" / target).iterdir() if len(each.name) == _HASHED]
    paths.sort(key=lambda each: (each.stat().st_size, each.name))
    place = STORED / target
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    contents = [paths[each].read_bytes() for each in chosen([p.stat().st_size for p in paths])]
    contents += [each.read_bytes() for each in (found / "found" / target).glob("[ct][ri][am]*-*")]
    for content in filter(None, contents):
        (place / hashlib.sha256(content).hexdigest()[:12]).write_bytes(content)


if __name__ == "__main__":
    campaign = Path(sys.argv[1])
    for folder in sorted((campaign / "corpus").iterdir()):
        keep(campaign, folder.name)
