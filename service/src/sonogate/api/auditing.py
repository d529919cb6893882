"""Note who reads a study, and who is turned away; what people decide is noted with the decision.

Pure ASGI, so that event streams are not buffered: a reading is noted when its answer begins.
"""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sonogate.act.audit.trail import Note
from sonogate.api.dependencies import NoteTaker
from sonogate.api.measuring import route_of

TOKEN, ANYONE = "http.token", "anyone"
"""Who reads: the holder of that token; without one the door asks nobody who they are."""
READ_PREFIXES: Final = ("/v1/", "/dicomweb/")
NO_STUDY: Final = frozenset({"/v1/findings", "/v1/destinations", "/v1/senders"})
"""Routes that say nothing of any study."""


class Auditing:
    """Looks at each answer to a reading request."""

    def __init__(self, app: ASGIApp, note: NoteTaker, *, has_token: bool) -> None:
        self._app = app
        self._note = note
        self._reader = TOKEN if has_token else ANYONE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request; note it once it is answered with what was asked for."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 300:
                self._take(scope)
            await send(message)

        await self._app(scope, receive, noting)

    def _take(self, scope: Scope) -> None:
        route = route_of(scope)
        if not route.startswith(READ_PREFIXES) or route in NO_STUDY:
            return
        named = scope.get("path_params", {})
        study_uid = named.get("study_uid")
        instance_uid = None if study_uid else named.get("sop_instance_uid")
        object_id = named.get("object_id")
        is_list = not (study_uid or instance_uid or object_id)
        self._note(
            Note(
                "read_list" if is_list else "read",
                self._reader,
                address_of(scope),
                study_uid,
                instance_uid,
                object_id,
                (("route", route),) if is_list else (),
            )
        )


def refused(note: NoteTaker, scope: Scope, code: str) -> None:
    """Note a request that was turned away at the door."""
    action = "login_failed" if code == "token_required" else "request_refused"
    note(Note(action, "unknown", address_of(scope), detail=(("code", code),)))


def address_of(scope: Scope) -> str:
    """Return the IP address at the other end: a proxy's, if there is one."""
    client = scope.get("client")
    return str(client[0]) if client else ""
