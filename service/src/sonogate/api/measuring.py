"""Count and time every request by its route template, and keep what goes wrong inside the gate.

Pure ASGI, so that event streams are not buffered.
"""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sonogate.api.problems import Problem, to_response
from sonogate.observe.logs import get_logger
from sonogate.observe.metrics import Metrics

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
STREAMS = frozenset({"/v1/events"})  # open for hours; their duration says nothing


def route_of(scope: Scope) -> str:
    """Return the template of the route that served a request; "unmatched" for none."""
    path = getattr(scope.get("route"), "path", None)
    if path:
        return str(path)
    return "/web" if scope["path"].startswith("/web/") else "unmatched"


class Measuring:
    """The RED metrics: rate, errors and duration of requests."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request and count it, whatever happens."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        except Exception as error:  # noqa: BLE001 - boundary: one request must not end the server
            get_logger().error(
                "http_request_failed", route=route_of(scope), exception_type=type(error).__name__
            )
            if not status:
                await to_response(_fault())(scope, receive, note_status)
        finally:
            self._count(scope, status, time.perf_counter() - started)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        route = route_of(scope)
        outcome = f"{status // 100}xx" if status else "aborted"
        self._metrics.http_requests.labels(route=route, method=method, status=outcome).inc()
        if route not in STREAMS:
            self._metrics.http_seconds.labels(route=route).observe(seconds)


def _fault() -> Problem:
    return Problem(
        500,
        "internal_error",
        "The gate could not answer; nothing that it acknowledged is lost.",
        "Look at the gate's log, then try again.",
    )
