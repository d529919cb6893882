"""What every test may ask for: the tools of this machine and the data beside the project."""

import gc
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.postgres_server import Postgres

ROOT = Path(__file__).resolve().parents[1]
TOOL_FOLDERS = "/usr/bin:/usr/sbin:/usr/local/bin"


_selected = {"marks": ""}
"""What `-m` selects in this run."""


def pytest_configure(config: pytest.Config) -> None:
    """Remember which tests are asked for."""
    _selected["marks"] = str(config.option.markexpr)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Collect what a test forgets while its own filters hold, not in the setup of a later one."""
    if any(
        "<socket" in str(arg) for mark in item.iter_markers("filterwarnings") for arg in mark.args
    ):
        gc.collect()


def skip_or_fail(reason: str) -> None:
    """Skip with the reason; where nothing may be skipped (SONOGATE_NO_SKIP=1), fail instead."""
    if os.environ.get("SONOGATE_NO_SKIP") == "1":
        pytest.fail(f"{reason} (and SONOGATE_NO_SKIP=1 allows no skip)")
    pytest.skip(reason, allow_module_level=True)


def need_extra(module: str, extra: str) -> Any:
    """Import a module that only an extra brings, in a test marked `train`.

    Where those tests are not asked for (`make test`), a file of theirs is only passed over.
    """
    try:
        return import_module(module)
    except ImportError as error:
        reason = f"the [{extra}] extra is not installed ({error}); make test-train brings it"
        if "not train" in _selected["marks"]:
            pytest.skip(reason, allow_module_level=True)
        skip_or_fail(reason)


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
def postgres() -> "Iterator[Postgres]":
    """A PostgreSQL cluster for this run of the tests."""
    if find_spec("psycopg") is None:
        skip_or_fail("psycopg is not installed; pip install 'sonogate[postgres]'")
    from tests import postgres_server

    if reason := postgres_server.missing():
        skip_or_fail(reason)
    with postgres_server.running_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: "Postgres") -> Iterator[str]:
    """The URL of an empty PostgreSQL database of this test's own."""
    name = f"test_{uuid.uuid4().hex}"
    postgres.execute(f"CREATE DATABASE {name}")
    yield postgres.url(name)
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database that is not there yet; a test that asks for it runs on each kind."""
    if request.param == "postgresql":
        postgres_url: str = request.getfixturevalue("postgres_url")
        return postgres_url
    return f"sqlite:///{tmp_path / 'state' / 'sonogate.db'}"


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of real images and objects beside the project."""
    folder = ROOT.parent / "shared"
    if not (folder / "dicom" / "INDEX.csv").is_file():
        skip_or_fail("../shared (real ultrasound images and DICOM objects) is not here")
    return folder
