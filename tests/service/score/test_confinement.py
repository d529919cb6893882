"""A worker can't reach the network, write a file or read a secret."""

import socket
import subprocess
import sys
from pathlib import Path

from sonogate.score.pool import worker_environment

TRY = """
import socket, sys
from sonogate.score.confinement import confine, tighten
missing = confine()
{attempt}
"""


def attempt(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a confined process."""
    return subprocess.run(
        [sys.executable, "-I", "-c", TRY.format(attempt=code)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_confined_process_reaches_no_port() -> None:
    """Not even loopback: the worker lives in a network namespace of its own."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = attempt(
            f"if missing: sys.exit('not isolated')\nsocket.create_connection(('127.0.0.1', {port}))"
        )

    assert done.returncode != 0
    assert "Network is unreachable" in done.stderr or "not isolated" in done.stderr


def test_a_confined_process_writes_no_file(tmp_path: Path) -> None:
    """A hostile object can't fill the disk from inside a codec."""
    done = attempt(
        f"tighten(1 << 30)\nopen({str(tmp_path / 'x')!r}, 'wb', buffering=0).write(b'x')"
    )

    assert "File too large" in done.stderr


def test_only_a_loaded_worker_steps_back() -> None:
    """Loading at the lowest priority took minutes on a busy machine; scoring there is right."""
    done = attempt(
        "import os, threading\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "def nice(): return {os.getpriority(os.PRIO_PROCESS, int(t)) for t in "
        "os.listdir('/proc/self/task')}\n"
        "before = nice()\ntighten(1 << 30)\nprint(before == {os.getpriority(0, os.getppid())}, "
        "nice())"
    )

    assert "True {19}" == done.stdout.strip(), done.stderr


def test_a_worker_is_told_no_secret() -> None:
    """Only a short list of variables reaches the child."""
    environment = worker_environment({"PATH": "/bin", "SONOGATE_HTTP__TOKEN": "secret"})

    assert "SONOGATE_HTTP__TOKEN" not in environment
    assert "secret" not in environment.values()
