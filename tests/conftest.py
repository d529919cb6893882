"""What every test may ask for: the tools of this machine and the data beside the project."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOL_FOLDERS = "/usr/bin:/usr/sbin:/usr/local/bin"


def skip_or_fail(reason: str) -> None:
    """Skip with the reason; where nothing may be skipped (SONOGATE_NO_SKIP=1), fail instead."""
    if os.environ.get("SONOGATE_NO_SKIP") == "1":
        pytest.fail(f"{reason} (and SONOGATE_NO_SKIP=1 allows no skip)")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def need_tool() -> Callable[[str], str]:
    """Return a finder of system tools by name, never the virtual environment's namesakes."""

    def find(name: str) -> str:
        path = shutil.which(name, path=TOOL_FOLDERS)
        if path is None:
            skip_or_fail(f"{name} is not installed")
        assert path is not None
        return path

    return find


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of real images and objects beside the project."""
    folder = ROOT.parent / "shared"
    if not (folder / "dicom" / "INDEX.csv").is_file():
        skip_or_fail("../shared (real ultrasound images and DICOM objects) is not here")
    return folder
