"""Fuzz every door for a time, one after another, and write down what came of it.

python -m tests.fuzz.campaign OUT --seconds 7200 [TARGET ...]

A door that ends as it may not is noted, the input is kept under OUT/found, and fuzzing goes on with
the time that is left. The listener's doors and a worker's are told apart: a finding there is
`listener`, here `worker`.
"""

import argparse
import csv
import hashlib
import logging
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final, NoReturn

from tests.fuzz.guided import fuzz, instrumented
from tests.fuzz.harness import MAX_INPUT_BYTES, Side, Target, inputs_of

TIMEOUT_SECONDS: Final = 40
"""Twice a worker's deadline: the machine may be busy."""
LEAST_SECONDS: Final = 5.0
"""A rest shorter than this is not worth starting again for."""
LAST_WORDS_SECONDS: Final = 2.0
"""How long a start that is done may take to end."""
_STATUS: Final = re.compile(r"#(\d+)\s+(\w+)\s+cov: (\d+) ft: (\d+) corp: (\d+)/")
_DONE: Final = re.compile(r"^Done \d+ runs", re.MULTILINE)
_NOTHING: Final = f"crash-{hashlib.sha1(b'').hexdigest()}"  # noqa: S324 - libFuzzer's own naming
"""Left by a forked libFuzzer that has finished and can't join a thread of its parent's."""
_UNITS: Final = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_PEAK: Final = re.compile(r"stat::peak_rss_mb:\s*(\d+)")
_SLOWEST: Final = re.compile(r"stat::slowest_unit_time_sec:\s*(\d+)")


@dataclass(kw_only=True)
class Tally:
    """What came of fuzzing one door."""

    target: str
    side: str
    executions: int = 0
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    cov_first: int = 0  #: edges that the first corpus reached
    cov_last: int = 0
    features_first: int = 0
    features_last: int = 0
    corpus_first: int = 0  #: inputs
    corpus_last: int = 0
    peak_mib: int = 0
    slowest_seconds: int = 0
    starts: int = 0
    exceptions: int = 0
    signals: int = 0
    timeouts: int = 0

    def read(self, log: str) -> None:
        """Add what libFuzzer said of one start."""
        for _runs, word, cov, features, corpus in _STATUS.findall(log):
            if word == "INITED" and self.starts == 0:
                self.cov_first, self.features_first = int(cov), int(features)
                self.corpus_first = int(corpus)
            self.cov_last = max(self.cov_last, int(cov))
            self.features_last = max(self.features_last, int(features))
            self.corpus_last = max(self.corpus_last, int(corpus))
        runs = [int(n) for n, *_ in _STATUS.findall(log)]
        units = [int(n) for n in _UNITS.findall(log)]
        self.executions += max([*runs, *units, 0])
        self.peak_mib = max([self.peak_mib, *map(int, _PEAK.findall(log))])
        self.slowest_seconds = max([self.slowest_seconds, *map(int, _SLOWEST.findall(log))])
        self.starts += 1

    def blame(self, log: str, status: int) -> None:
        """Count a start that ended as it may not."""
        if "Uncaught Python exception" in log:
            self.exceptions += 1
        elif "libFuzzer: timeout" in log:
            self.timeouts += 1
        elif status and not _DONE.search(log):
            self.signals += 1


@dataclass
class Campaign:
    """A folder of corpora, findings and logs."""

    out: Path
    table: list[Tally] = field(default_factory=list)

    def fuzz(self, target: Target, seconds: float) -> Tally:
        """Fuzz one door for a time."""
        tally = Tally(target=target.name, side=target.side)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > LEAST_SECONDS:
            status, log = self._start(target, left, tally)
            tally.read(log)
            tally.blame(log, status)
        self.table.append(tally)
        self._write()
        return tally

    def _start(self, target: Target, seconds: float, tally: Tally) -> tuple[int, str]:
        corpus, found = self._folders(target)
        log = self.out / "logs" / f"{target.name}-{tally.starts}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        options = [
            str(corpus), f"-max_total_time={max(1, int(seconds))}", f"-timeout={TIMEOUT_SECONDS}",
            f"-max_len={MAX_INPUT_BYTES}", f"-artifact_prefix={found}/", "-rss_limit_mb=5000",
            "-print_final_stats=1", "-report_slow_units=5", f"-seed={1 + tally.starts}",
        ]  # fmt: skip
        started = time.monotonic()
        child = os.fork()  # what is instrumented is so once, and each start begins afresh
        if child == 0:
            fuzz_into(log, target, options)
        status, usage = ended(child, log)
        exit_code = os.waitstatus_to_exitcode(status)
        if _DONE.search(log.read_text(errors="replace")):
            (found / _NOTHING).unlink(missing_ok=True)
        tally.wall_seconds += time.monotonic() - started
        tally.cpu_seconds += usage.ru_utime + usage.ru_stime
        return exit_code, log.read_text(errors="replace")

    def _folders(self, target: Target) -> tuple[Path, Path]:
        """Return the working corpus, with seeds and stored inputs in it, and where findings go."""
        corpus, found = self.out / "corpus" / target.name, self.out / "found" / target.name
        found.mkdir(parents=True, exist_ok=True)
        if not corpus.exists():
            corpus.mkdir(parents=True)
            for name, content in inputs_of(target).items():
                (corpus / name).write_bytes(content)
        return corpus, found

    def _write(self) -> None:
        with (self.out / "tally.csv").open("w", newline="", encoding="utf-8") as file:
            names = [each.name for each in fields(Tally)]
            writer = csv.DictWriter(file, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(
                {name: _rounded(getattr(t, name)) for name in names} for t in self.table
            )


def ended(child: int, log: Path) -> tuple[int, resource.struct_rusage]:
    """Wait for a start; return its status and what it used.

    One that has said that it is done, and then waits for a thread of its parent's, is ended.
    """
    while True:
        is_done = log.exists() and _DONE.search(log.read_text(errors="replace"))
        time.sleep(LAST_WORDS_SECONDS)
        pid, status, usage = os.wait4(child, os.WNOHANG)
        if pid:
            return status, usage
        if is_done:
            os.kill(child, signal.SIGKILL)
            _pid, status, usage = os.wait4(child, 0)
            return status, usage


def fuzz_into(log: Path, target: Target, options: Sequence[str]) -> NoReturn:
    """Fuzz in this process, its words in a file; never returns."""
    try:
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        logging.disable()  # a log of a few hundred bytes an input is hundreds of megabytes
        fuzz(target, options)
    except SystemExit as end:
        os._exit(int(end.code or 0))
    except BaseException as error:  # noqa: BLE001 - a copy of the campaign must not go on as one
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(3)
    os._exit(0)


def _rounded(value: object) -> object:
    return round(value, 1) if isinstance(value, float) else value


def said(tally: Tally) -> str:
    """Return a line on one door."""
    finds = f"{tally.exceptions} exceptions, {tally.signals} signals, {tally.timeouts} timeouts"
    return (
        f"{tally.target:14} {tally.side:7} {tally.executions:9} runs, {tally.wall_seconds:5.0f} s "
        f"({tally.cpu_seconds:.0f} s CPU), edges {tally.cov_first} -> {tally.cov_last}, "
        f"inputs {tally.corpus_first} -> {tally.corpus_last}; {finds}"
    )


def main(arguments: Sequence[str]) -> int:
    """Fuzz; return 1 if any door ended as it may not."""
    targets = instrumented()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=7200.0, help="of all doors together")
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(targets)}; all if none")
    wanted = parser.parse_intermixed_args(arguments)
    names = wanted.targets or list(targets)
    if unknown := set(names) - set(targets):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    campaign = Campaign(wanted.out)
    for name in names:
        print(said(campaign.fuzz(targets[name], wanted.seconds / len(names))), flush=True)
    bad = [t for t in campaign.table if t.exceptions or t.signals or t.timeouts]
    for side in Side:
        names = [t.target for t in bad if t.side == side]
        print(f"findings in the {side}: {', '.join(names) or 'none'}")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
