"""Tell a dcm4chee archive of rejections that people confirmed, and of their revocation.

`POST {url}/studies/{study}/series/{series}/instances/{instance}/reject/{code}^{scheme}`: the
archive hides the instance, or shows it again. A call is owed in the transaction that enters the
rejection note, noted as attempted before it is made, and tried again until the archive takes it:
the instance may not have arrived there yet.
"""

import asyncio
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx

from sonogate import __version__
from sonogate.act.backoff import Backoff
from sonogate.act.results.codes import REJECTED
from sonogate.act.rhythm import woken
from sonogate.observe.logs import get_logger
from sonogate.observe.metrics import Metrics
from sonogate.settings import ResultsSettings
from sonogate.store.database import Database
from sonogate.store.rejections import RejectionCall

POLL_SECONDS = 5.0
"""How often calls are looked for unasked."""
AT_ONCE = 10
"""Calls taken in one look; they are made one after another."""

log = get_logger()


@dataclass(kw_only=True)
class Archive:
    """Makes the calls that an archive is owed."""

    database: Database
    settings: ResultsSettings
    metrics: Metrics
    backoff: Backoff = field(default_factory=Backoff)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def notify(self) -> None:
        """There may be a call to make."""
        self._wake.set()

    async def run(self) -> None:
        """Make calls until cancelled; what is under way then is made again after the next start."""
        async with self._client() as client:
            while True:
                self._wake.clear()
                try:
                    n_called = await self.call_due(client, datetime.now(UTC))
                except Exception as error:  # noqa: BLE001 - boundary: a busy database must not end this
                    log.error("rejection calls unreadable", exception_type=type(error).__name__)
                    n_called = 0
                if not n_called:
                    await woken(self._wake, POLL_SECONDS)

    def _client(self) -> httpx.AsyncClient:
        headers = {"User-Agent": f"sonogate/{__version__}", "Accept": "application/json"}
        if self.settings.dcm4chee_token:
            token = self.settings.dcm4chee_token.get_secret_value()
            headers["Authorization"] = f"Bearer {token}"
        return httpx.AsyncClient(
            follow_redirects=False,
            trust_env=False,
            verify=ssl.create_default_context(),
            timeout=self.settings.timeout_seconds,
            headers=headers,
        )

    async def call_due(self, client: httpx.AsyncClient, now: datetime) -> int:
        """Make the calls that are due at a time; return how many there were."""
        due = await self.database.read(lambda tx: tx.rejections.due_calls(now, AT_ONCE))
        for call in due:
            await self._call(client, call)
        return len(due)

    async def _call(self, client: httpx.AsyncClient, call: RejectionCall) -> None:
        await self.database.write(lambda tx: tx.rejections.attempting(call.id))
        reason = await self._post(client, call)
        now = datetime.now(UTC)
        result = "failed" if reason else "delivered"
        self.metrics.results.rejection_calls.labels(call.action, result).inc()
        if not reason:
            await self.database.write(lambda tx: tx.rejections.called(call.id, now))
            return
        wait = self.backoff.seconds(call.attempts + 1)
        next_at = now + timedelta(seconds=wait)
        await self.database.write(lambda tx: tx.rejections.call_failed(call.id, next_at))
        log.warning(
            "rejection call failed",
            object_id=call.object_id,
            reason=reason,
            attempt=call.attempts + 1,
            seconds=round(wait, 1),
        )

    async def _post(self, client: httpx.AsyncClient, call: RejectionCall) -> str:
        """Return why a call failed; empty if the archive took it."""
        try:
            async with asyncio.timeout(self.settings.timeout_seconds):
                response = await client.post(self._address(call))
        except (TimeoutError, httpx.TimeoutException):
            return "timed_out"
        except (httpx.HTTPError, ssl.SSLError):
            return "unreachable"
        return "" if response.is_success else f"status_{response.status_code}"

    def _address(self, call: RejectionCall) -> str:
        code = f"{REJECTED.value}^{REJECTED.scheme}"
        if call.action == "revoke":
            code = self.settings.dcm4chee_revoke_code
        base = (self.settings.dcm4chee_url or "").rstrip("/")
        return (
            f"{base}/studies/{quote(call.study_instance_uid, safe='')}"
            f"/series/{quote(call.series_instance_uid, safe='')}"
            f"/instances/{quote(call.sop_instance_uid, safe='')}/reject/{quote(code, safe='')}"
        )
