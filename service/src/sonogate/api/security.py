"""Who may speak to the HTTP door, and how its answers may be used.

A gate on loopback is reachable by every web page that a browser on this machine opens. So the Host
has to be one of ours (no DNS rebinding), the Origin of a change or of the event stream has to be
this very page, and bodies that a form can send without asking are refused. Beyond loopback a bearer
token comes on top.
"""

import hmac
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sonogate.api.auditing import refused
from sonogate.api.dependencies import NoteTaker
from sonogate.api.problems import Problem, to_response
from sonogate.settings import LOOPBACK_HOSTS, HttpSettings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FORM_TYPES = frozenset(
    {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data"}
)  # what a browser sends cross-origin without a preflight (Fetch standard, CORS-safelisted)
LIVE = "/health/live"
PAGE_PREFIX = "/web/"
EVENTS = "/v1/events"
NETLOC = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::[0-9]{1,5})?", re.ASCII)
WILDCARDS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared with, not bound to

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def host_name(netloc: str) -> str:
    """Return the lower-case name in `name:port` or `[v6]:port`; empty if it is neither."""
    match = NETLOC.fullmatch(netloc.lower())
    return (match["v6"] or match["name"]) if match else ""


def _is_public(path: str) -> bool:
    """Whether a path holds neither data nor a way to change it."""
    return path in {"/", LIVE, "/favicon.ico"} or path.startswith(PAGE_PREFIX)


class Guard:
    """Refuse requests that no honest client of ours makes (pure ASGI: streams pass untouched)."""

    def __init__(self, app: ASGIApp, settings: HttpSettings, note: NoteTaker | None = None) -> None:
        self._app = app
        self._note = note
        token = settings.token
        self._token = token.get_secret_value().encode() if token else None
        self._trusted = frozenset(name.lower().strip("[]") for name in settings.allowed_hosts)
        own = {settings.host} - WILDCARDS
        self._hosts = LOOPBACK_HOSTS | self._trusted | own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through or answer why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope["method"], scope["path"], Headers(scope=scope))
        except Problem as problem:
            self._tell(scope, problem)
            await to_response(problem)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _tell(self, scope: Scope, problem: Problem) -> None:
        """Note it; a request without any token is how the page finds out that it needs one."""
        is_asking = problem.body.error == "token_required" and not Headers(scope=scope).get(
            "authorization"
        )
        if self._note is not None and not is_asking:
            refused(self._note, scope, problem.body.error)

    def _check(self, method: str, path: str, headers: Headers) -> None:
        if path == LIVE and method in SAFE_METHODS:
            return
        self._check_host(headers)
        self._check_origin(method, path, headers)
        if method not in SAFE_METHODS:
            _check_form(headers)
        if self._token is not None and not _is_public(path):
            self._check_token(headers)

    def _check_host(self, headers: Headers) -> None:
        hosts = headers.getlist("host")
        if len(hosts) == 1 and host_name(hosts[0]) in self._hosts:
            return
        raise Problem(
            421,
            "unknown_host",
            "The Host header names a machine that is not this gate.",
            "Use 127.0.0.1 or localhost, or add the name to http.allowed_hosts.",
        )

    def _check_origin(self, method: str, path: str, headers: Headers) -> None:
        is_api = path.startswith(("/v1/", "/dicomweb/")) or method not in SAFE_METHODS
        if is_api and headers.get("sec-fetch-site", "none") in {"cross-site", "same-site"}:
            raise _foreign()
        guarded = method not in SAFE_METHODS or path == EVENTS
        for origin in headers.getlist("origin") if guarded else []:
            if not self._is_ours(origin, headers.get("host", "")):
                raise _foreign()

    def _is_ours(self, origin: str, host: str) -> bool:
        scheme, _, netloc = origin.partition("://")
        if scheme not in {"http", "https"} or not host_name(netloc):
            return False
        # Another server on this machine is another origin: the port has to agree as well.
        return netloc.lower() == host.lower() or host_name(netloc) in self._trusted

    def _check_token(self, headers: Headers) -> None:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        expected = self._token or b""
        if scheme.lower() == "bearer" and hmac.compare_digest(
            given.strip().encode("utf-8", "replace"), expected
        ):
            return
        raise Problem(
            401,
            "token_required",
            "This gate asks for a token, and the request has none or a wrong one.",
            "Send the header: Authorization: Bearer <http.token of the gate's settings>.",
        )


def _foreign() -> Problem:
    return Problem(
        403,
        "foreign_origin",
        "Another web page tried to use this gate.",
        "Open the gate's own page; behind a proxy add its name to http.allowed_hosts.",
    )


def _check_form(headers: Headers) -> None:
    essence = headers.get("content-type", "").partition(";")[0].strip().lower()
    if essence in FORM_TYPES:
        raise Problem(
            415,
            "unsupported_media_type",
            "Forms and plain text are not taken, since any web page can send them.",
            "Send the raw object with its type, for instance -H 'Content-Type: application/dicom', "
            "or JSON with -H 'Content-Type: application/json'.",
        )


class SecureHeaders:
    """Put the security headers on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, headers added."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                is_page = scope["path"] == "/" or scope["path"].startswith(PAGE_PREFIX)
                headers.setdefault("Cache-Control", "no-cache" if is_page else "no-store")
            await send(message)

        await self._app(scope, receive, with_headers)
