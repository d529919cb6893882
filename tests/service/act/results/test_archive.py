"""An archive with a reject endpoint is told of rejections: once, in order, till it hears."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr

from sonogate.act.results import maker as maker_module
from sonogate.act.results.archive import Archive
from sonogate.domain.verdict import Band
from tests.service.act.results.ward import STUDY, Ward, ward, write_here

pytestmark = pytest.mark.integration
TOKEN = "a-token-of-the-archive"  # noqa: S105 - of a test's own server


class Endpoint:
    """A server with dcm4chee's path; answers what it is told to."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str | None]] = []
        self.answers: list[int] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                endpoint.heard.append((self.path, self.headers.get("Authorization")))
                self.send_response(endpoint.answers.pop(0) if endpoint.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/dcm4chee-arc/aets/DCM4CHEE/rs"

    @property
    def codes(self) -> list[str]:
        """The last part of each path that was called."""
        return [path.rpartition("/")[2] for path, _token in self.heard]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """A running endpoint."""
    one = Endpoint()
    thread = threading.Thread(target=one.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield one
    one.server.shutdown()
    thread.join()
    one.server.server_close()


@pytest.fixture
async def one(
    tmp_path: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Ward]:
    """A study whose rejections an archive is told of."""
    monkeypatch.setattr(maker_module, "write_all", write_here)
    token = SecretStr(TOKEN)
    async with ward(tmp_path, dcm4chee_url=endpoint.url, dcm4chee_token=token) as opened:
        yield opened


async def call(one: Ward) -> int:
    """Make every call that is due within an hour."""
    archive = Archive(database=one.database, settings=one.settings, metrics=one.metrics)
    later = datetime.now(UTC) + timedelta(hours=1)
    async with archive._client() as client:
        return await archive.call_due(client, later)


async def test_a_confirmed_rejection_is_told_until_it_is_heard(
    one: Ward, endpoint: Endpoint
) -> None:
    """The image is not there yet: 404, then 200; a repetition is not told; it bears the token."""
    uid = await one.add(Band.HIGH)
    await one.close()
    await one.studies.reject(uid, "111210", "dr")
    await one.make()
    endpoint.answers = [404]
    assert [1, 1, 0] == [await call(one) for _ in range(3)]

    path = f"/studies/{STUDY}/series/1.2.3/instances/{uid}/reject/113001%5EDCM"
    assert ["113001%5EDCM"] * 2 == endpoint.codes
    assert endpoint.heard[0][0].endswith(path)
    assert {f"Bearer {TOKEN}"} == {token for _path, token in endpoint.heard}
    assert 1 == one.count("sonogate_rejection_calls_total", action="reject", result="failed")
    assert 1 == one.count("sonogate_rejection_calls_total", action="reject", result="delivered")


async def test_a_revocation_is_told_after_its_rejection(one: Ward, endpoint: Endpoint) -> None:
    """The archive's own code takes it back; the code is a setting."""
    uid = await one.add(Band.HIGH)
    await one.close()
    await one.studies.reject(uid, "111210", "dr")
    await one.make()
    await call(one)
    await one.studies.revoke_rejection(uid, "dr")
    await one.make()
    await call(one)

    assert ["113001%5EDCM", "REVOKE_REJECTION%5E99DCM4CHEE"] == endpoint.codes


async def test_what_nobody_heard_is_not_taken_back(one: Ward, endpoint: Endpoint) -> None:
    """Rejected and revoked before the first call: the archive hears neither."""
    uid = await one.add(Band.HIGH)
    await one.close()
    await one.studies.reject(uid, "111210", "dr")
    await one.make()
    await one.studies.revoke_rejection(uid, "dr")
    await one.make()

    assert 0 == await call(one)
    assert [] == endpoint.heard


async def test_a_policy_s_rejection_is_not_told(
    tmp_path: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No person confirmed it: the note may go, the endpoint is not called."""
    monkeypatch.setattr(maker_module, "write_all", write_here)
    async with ward(tmp_path, dcm4chee_url=endpoint.url, reject_by="policy") as one:
        await one.add(Band.LOW, "A")
        await one.add(Band.HIGH, "A")
        await one.close()
        await one.make()

        assert 1 == len(await one.rows("rejection"))
        assert 0 == await call(one)


async def test_the_archive_runs_until_it_is_cancelled(one: Ward, endpoint: Endpoint) -> None:
    """Woken by what was made, it calls; an archive that is down is waited for."""
    archive = Archive(database=one.database, settings=one.settings, metrics=one.metrics)
    task = asyncio.create_task(archive.run())
    uid = await one.add(Band.HIGH)
    await one.close()
    await one.studies.reject(uid, "111210", "dr")
    await one.make()
    archive.notify()
    async with asyncio.timeout(10):
        while not endpoint.heard:  # noqa: ASYNC110 - a server in a thread knows of no test
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert ["113001%5EDCM"] == endpoint.codes
