"""Run the stored inputs and seeded damage to them through doors, in a process that may die of it.

python -m tests.fuzz.replay SIDE RUNS FOLDER TARGET ...

FOLDER/input holds the input being read, so that whoever started this knows what killed it;
FOLDER/report.json is there at the end.
"""

import json
import random
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.fuzz.harness import Side, Target, inputs_of, limit_memory, peak_bytes
from tests.fuzz.mutation import mutated
from tests.fuzz.targets import TARGETS


@dataclass(kw_only=True)
class Replayed:
    """What came of one door."""

    target: str
    n_runs: int = 0
    slowest_seconds: float = 0.0  #: CPU
    failures: list[str] = field(default_factory=list)


def replay(target: Target, n_damaged: int, current: Path) -> Replayed:
    """Read every input of a target, then seeded damage to them.

    Args:
        target: Which door.
        n_damaged: How many damaged inputs.
        current: Where the input being read is kept.
    """
    replayed = Replayed(target=target.name)
    for name, data in _inputs(target, n_damaged):
        current.write_bytes(data)
        started = time.process_time()
        try:
            target.run(data)
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            replayed.failures.append(f"{name}: {type(error).__name__}: {error}")
        replayed.slowest_seconds = max(replayed.slowest_seconds, time.process_time() - started)
        replayed.n_runs += 1
    return replayed


def _inputs(target: Target, n_damaged: int) -> Iterator[tuple[str, bytes]]:
    whole = inputs_of(target)
    yield from whole.items()
    rng, sources = random.Random(target.name), list(whole.values())
    for number in range(n_damaged if sources else 0):
        yield f"damaged {number}", mutated(rng, sources)


def main(arguments: Sequence[str]) -> None:
    """Replay the targets that are named."""
    side, runs, folder, *names = arguments
    targets = [TARGETS[name] for name in names]
    for target in targets:  # making inputs takes memory that is nobody's fault
        target.run(next(iter(inputs_of(target).values()), b""))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if side == Side.WORKER:
        limit_memory()
    before = peak_bytes()
    done = [asdict(replay(target, int(runs), Path(folder, "input"))) for target in targets]
    report = {"grown_bytes": peak_bytes() - before, "replayed": done}
    Path(folder, "report.json").write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
