"""The receivers whose durability is compared: start on a folder, kill, ask what they kept."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import ClassVar

from pydicom import dcmread

from loadtests.servers import NODELAY, tool, wait_for
from tests.ports import free_port

PATIENCE_SECONDS = 180.0


@dataclass
class Killable(ABC):
    """A Storage SCP over `folder`/data, on the same ports at every start."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    dicom_port: int = field(default_factory=free_port)
    http_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    name: ClassVar[str] = ""
    writes_are_seen: ClassVar[bool] = True  #: by the recorder; C's stdio hides them

    @property
    def data_dir(self) -> Path:
        """Where it keeps everything."""
        return self.folder / "data"

    @abstractmethod
    def command(self) -> list[str]:
        """Write its settings; return what starts it."""

    @abstractmethod
    def kept(self, uids: Iterable[str]) -> set[str]:
        """Return those of these UIDs whose whole object it can give back."""

    def ports(self) -> tuple[int, ...]:
        """Return the ports that are open once it is ready."""
        return self.dicom_port, self.http_port

    def start(self) -> None:
        """Start, and wait for its ports."""
        self.data_dir.mkdir(exist_ok=True)
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                stdout=log,
                stderr=log,
                env=os.environ | NODELAY | dict(self.environment),
                start_new_session=True,
            )
        for port in self.ports():
            wait_for(port, self.process, self.folder)

    def kill(self) -> None:
        """SIGKILL it and all its children at once."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Ask it to end, as a service manager does."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()

    def fetch(self, path: str) -> bytes:
        """Return what its HTTP door says."""
        url = f"http://127.0.0.1:{self.http_port}{path}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            content: bytes = answer.read()
            return content


class SonoGate(Killable):
    """Our gate; an object counts if it gets a graded verdict, for which it is read and decoded."""

    name = "SonoGate"

    def command(self) -> list[str]:
        """Write its settings; return what starts it."""
        config = self.folder / "sonogate.toml"
        config.write_text(
            f'data_dir = "{self.data_dir}"\n[listener]\nport = {self.dicom_port}\n[http]\n'
            f"port = {self.http_port}\n[spool]\nmin_free_bytes = 1000000\n"
            '[scoring]\nmodel = "dct-manifold/1.0.0"\n',
            encoding="utf-8",
        )
        return [sys.executable, "-m", "sonogate", "serve", "--config", str(config)]

    def kept(self, uids: Iterable[str]) -> set[str]:
        """Return those that get a graded verdict."""
        states = dict.fromkeys(uids, "pending")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while "pending" in states.values() and time.monotonic() < deadline:
            for uid in [uid for uid, state in states.items() if state == "pending"]:
                states[uid] = self._state(uid)
            time.sleep(0.1)
        return {uid for uid, state in states.items() if state == "graded"}

    def _state(self, uid: str) -> str:
        try:
            return str(json.loads(self.fetch(f"/v1/instances/{uid}"))["status"])
        except urllib.error.HTTPError:
            return "unknown"


class Orthanc(Killable):
    """Orthanc with its defaults; an object counts if its index lists it and its file is whole."""

    name = "Orthanc"

    def command(self) -> list[str]:
        """Write its settings; return what starts it."""
        config = self.folder / "orthanc.json"
        config.write_text(
            json.dumps(
                {
                    "StorageDirectory": str(self.data_dir),
                    "IndexDirectory": str(self.data_dir),
                    "DicomPort": self.dicom_port,
                    "HttpPort": self.http_port,
                    "DicomAlwaysAllowStore": True,
                    "RemoteAccessAllowed": False,
                    "AuthenticationEnabled": False,
                    "Plugins": [],
                }
            ),
            encoding="utf-8",
        )
        return [tool("Orthanc") or "Orthanc", str(config)]

    def kept(self, uids: Iterable[str]) -> set[str]:
        """Return those that its index lists and whose files are whole."""
        listed = json.loads(self.fetch("/instances?expand"))
        ids = {each["MainDicomTags"]["SOPInstanceUID"]: each["ID"] for each in listed}
        return {uid for uid in uids if uid in ids and self._is_whole(ids[uid])}

    def _is_whole(self, identifier: str) -> bool:
        try:
            return bool(uid_of(self.fetch(f"/instances/{identifier}/file")))
        except urllib.error.HTTPError:
            return False


class Storescp(Killable):
    """DCMTK's storescp; an object counts if its file is whole."""

    name = "DCMTK storescp"
    writes_are_seen = False

    def command(self) -> list[str]:
        """Return what starts it."""
        program = tool("storescp") or "storescp"
        options = ["--fork", "+xa", "+uf", "-od", str(self.data_dir)]
        return [program, *options, str(self.dicom_port)]

    def ports(self) -> tuple[int, ...]:
        """Return its only port."""
        return (self.dicom_port,)

    def kept(self, uids: Iterable[str]) -> set[str]:
        """Return those of which there is a whole file."""
        files = [path for path in self.data_dir.rglob("*") if path.is_file()]
        return set(uids) & {uid_of(path.read_bytes()) for path in files}


def uid_of(content: bytes) -> str:
    """Return the UID of a Part 10 file, "" if it is torn."""
    try:
        ds = dcmread(BytesIO(content))
        is_whole = len(ds.PixelData) == ds.Rows * ds.Columns
    except Exception:  # noqa: BLE001 - boundary: a torn file may make it raise anything
        return ""
    return str(ds.SOPInstanceUID) if is_whole else ""


RECEIVERS: dict[str, type[Killable]] = {
    "gate": SonoGate,
    "orthanc": Orthanc,
    "storescp": Storescp,
}
