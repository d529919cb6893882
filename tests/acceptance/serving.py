"""Start and kill a real `sonogate serve` process."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.ports import free_port

START_SECONDS = 60.0
ROLES = {
    b"sonogate.worker": "scoring worker",
    b"sonogate.door": "door",
    b"sonogate.decompressor": "decompressor",
    b"sonogate.act.results.scribe": "scribe",
}
"""How the command line of a child tells what it does."""


def role_of(command_line: bytes) -> str:
    """Return what a child of the gate does."""
    return next((role for mark, role in ROLES.items() if mark in command_line), "other child")


def command_line(pid: int) -> bytes:
    """Return how a process was started; nothing if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@dataclass
class Served:
    """A gate in its own process, restartable on the same ports and folder."""

    folder: Path
    extra_toml: str = ""
    processes: int = 1  #: that share the DICOM port
    environment: Mapping[str, str] = field(default_factory=dict)
    launcher: tuple[str, ...] = ("-m", "sonogate")  #: what Python runs
    prefix: Sequence[str] = ()  #: a command that ends by becoming the gate
    min_free_bytes: int = 1_000_000
    dicom_port: int = field(default_factory=free_port)
    http_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def data_dir(self) -> Path:
        """Where the gate keeps its spool and database."""
        return self.folder / "data"

    def write_config(self) -> Path:
        """Write the gate's settings file."""
        path = self.folder / "sonogate.toml"
        path.write_text(
            f'data_dir = "{self.data_dir}"\n[listener]\nport = {self.dicom_port}\n'
            f"processes = {self.processes}\n[http]\nport = {self.http_port}\n"
            f"[spool]\nmin_free_bytes = {self.min_free_bytes}\n"
            f"{self.extra_toml}\n",
            encoding="utf-8",
        )
        return path

    def start(self) -> None:
        """Start the gate and wait until it is ready."""
        log = (self.folder / "gate.log").open("ab")
        config = ("--config", str(self.write_config()))
        with log:
            self.process = subprocess.Popen(
                (*self.prefix, sys.executable, *self.launcher, "serve", *config),
                env=os.environ | dict(self.environment),
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError((self.folder / "gate.log").read_text(errors="replace")[-3000:])
            if self.is_ready():
                return
            time.sleep(0.05)
        raise AssertionError("the gate did not become ready")

    def is_ready(self) -> bool:
        """Ask /health/ready."""
        try:
            with urllib.request.urlopen(self.url("/health/ready"), timeout=2) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def url(self, path: str) -> str:
        """Return an address of the gate."""
        return f"http://127.0.0.1:{self.http_port}{path}"

    def get(self, path: str) -> Any:
        """Return the JSON at a path."""
        with urllib.request.urlopen(self.url(path), timeout=10) as answer:  # noqa: S310
            return json.load(answer)

    def worker_ids(self) -> list[int]:
        """Return the process ids of the gate's children: its scoring workers, mostly."""
        assert self.process is not None
        found = []
        for children in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(pid) for pid in children.read_text().split()]
        return sorted(found)

    def door_ids(self) -> list[int]:
        """Return the process ids of the gate's doors."""
        return [pid for pid in self.worker_ids() if role_of(command_line(pid)) == "door"]

    def kill(self) -> None:
        """SIGKILL the gate."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def kill_a_child(self, choose: Callable[[list[int]], int]) -> str:
        """SIGKILL one of the gate's children; return what it was, "" if there was none."""
        pids = self.worker_ids()
        if not pids:
            return ""
        pid = choose(pids)
        with contextlib.suppress(OSError):
            role = role_of(command_line(pid))
            os.kill(pid, signal.SIGKILL)
            return role
        return ""

    def stop(self) -> None:
        """Ask the gate to stop, as a service manager does."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
