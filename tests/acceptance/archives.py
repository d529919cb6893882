"""Archives for the proofs: a real Orthanc, and one that notes every C-STORE it is sent."""

import hashlib
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.forwarding import EXPLICIT, Archive, archive, orthanc_config
from tests.ports import free_port

IMPLICIT = "1.2.840.10008.1.2"


def fetch(url: str) -> bytes:
    """Return what is at an address."""
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310
        content: bytes = answer.read()
        return content


@contextmanager
def orthanc(tool: str, folder: Path, dicom_port: int) -> Iterator[str]:
    """Run Orthanc as an archive for the time of the block; yield its URL."""
    http_port = free_port()
    process = subprocess.Popen(
        [tool, str(orthanc_config(folder, dicom_port, http_port))],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{http_port}"
    try:
        deadline = time.monotonic() + 60
        while not is_up(f"{url}/system") and time.monotonic() < deadline:
            time.sleep(0.05)
        yield url
    finally:
        process.kill()
        process.wait()


def is_up(url: str) -> bool:
    """Ask whether a server answers."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def instances_in(url: str) -> dict[str, str]:
    """Return Orthanc's id of every instance with its SOP Instance UID."""
    found = json.loads(fetch(f"{url}/instances?expand"))
    return {each["ID"]: each["MainDicomTags"]["SOPInstanceUID"] for each in found}


@dataclass
class Book:
    """What an archive was sent: how often each UID, and every content it came with."""

    times: Counter[str] = field(default_factory=Counter)
    contents: dict[str, set[str]] = field(default_factory=dict)

    def note(self, _archive: Archive, event: Any) -> int:
        """Write down a C-STORE and say Success."""
        uid = str(event.request.AffectedSOPInstanceUID)
        content = event.request.DataSet.getvalue()
        self.times[uid] += 1
        self.contents.setdefault(uid, set()).add(hashlib.sha256(content).hexdigest())
        return 0x0000

    def of_many_contents(self) -> list[str]:
        """Return the UIDs that came with more than one content."""
        return [uid for uid, known in self.contents.items() if len(known) > 1]


@contextmanager
def noting() -> Iterator[tuple[int, Book]]:
    """Run an archive that notes what it is sent; yield its port and its book."""
    book = Book()
    with archive(answer=book.note, syntaxes=(IMPLICIT, EXPLICIT)) as running:
        yield running.port, book
