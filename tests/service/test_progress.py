"""What a person sees while a command works, and what a pipe never sees."""

import json
import os
import pty
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sonogate.demo.exam import Shot, make_exam
from sonogate.progress import Progress
from sonoquality.zoo import JOINED

SONOGATE = (sys.executable, "-m", "sonogate")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One image and one report."""
    place = tmp_path_factory.mktemp("exam")
    for number, ds in enumerate(make_exam(datetime.now(UTC), shots=[Shot(view="liver")])):
        ds.save_as(place / f"{number}.dcm", enforce_file_format=True)
    return place


def on_a_terminal(*arguments: object, piped: bool) -> tuple[bytes, bytes]:
    """Run sonogate with a terminal on stderr, and on stdout unless that is piped."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    command = [*SONOGATE, *map(str, arguments)]
    stdout = subprocess.PIPE if piped else theirs
    with subprocess.Popen(command, stdout=stdout, stderr=theirs, env=environment) as running:
        os.close(theirs)
        seen = b"".join(iter(lambda: read(ours), b""))
        out = running.stdout.read() if running.stdout else b""
    os.close(ours)
    return out, seen


def read(terminal: int) -> bytes:
    """Read what is there; Linux reports the other side's end as an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


@pytest.mark.integration
def test_a_bar_is_drawn_on_the_terminal_and_never_into_the_pipe(folder: Path) -> None:
    """Standard output holds JSON Lines and nothing else; the bar counts up on the other."""
    out, seen = on_a_terminal("score", folder, "--json", piped=True)

    assert ["0.dcm", "1.dcm"] == [Path(json.loads(line)["path"]).name for line in out.splitlines()]
    assert b"Judging" in seen
    assert b"2/2" in seen
    assert b"dcm" not in seen


@pytest.mark.integration
def test_a_bar_gives_way_to_each_line_on_its_own_terminal(folder: Path) -> None:
    """Before a line is written the bar's is cleared, so that none is cut."""
    _, seen = on_a_terminal("score", folder, piped=False)

    for name in ("0.dcm: high", "1.dcm: not applicable"):
        assert re.search(rb"\x1b\[2K" + re.escape(f"{folder}/{name}".encode()), seen)


def test_without_a_terminal_a_plain_line_comes_now_and_then(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """One every few seconds, without colours or carriage returns."""
    clock = iter([0.0, 2.0, 6.0, 8.0, 12.0])
    with Progress("Judging", 4, now=lambda: next(clock)) as work:
        for _ in range(4):
            work.advance()

    assert ("", "Judging: 2 of 4\nJudging: 4 of 4\n") == tuple(capfd.readouterr())


@pytest.mark.integration
def test_serve_says_first_what_it_starts(tmp_path: Path) -> None:
    """Ports and data folder stand on the first line, before anything can take long or fail."""
    config = tmp_path / "gate.toml"
    config.write_text(
        f'data_dir = "{tmp_path / "data"}"\n[listener]\nport = 11999\n[http]\nport = 0\n'
        f'[scoring]\nzoo = "{tmp_path}"\n'
    )

    ended = subprocess.run(
        [*SONOGATE, "serve", "--config", str(config)], capture_output=True, text=True, check=False
    )

    first, second, *_rest = ended.stderr.splitlines()
    assert re.fullmatch(
        r"sonogate \S+ starts: DICOM SONOGATE@127\.0\.0\.1:11999, HTTP 127\.0\.0\.1:0, "
        rf"data in {tmp_path / 'data'}",
        first,
    )
    assert second.startswith(f"loading {JOINED.as_posix()} into 2 worker processes")
    assert (1, "") == (ended.returncode, ended.stdout)
