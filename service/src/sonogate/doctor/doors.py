"""Are the two doors free, or is it our own gate that stands in them? Does it answer a cart?"""

import asyncio
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from sonogate.demo.ports import is_free
from sonogate.demo.sender import Peer, echo
from sonogate.demo.tls import self_trusting_context
from sonogate.doctor import lock
from sonogate.doctor.check import Check, fail, ok, warn
from sonogate.domain.instance import Kept, ReceivedInstance
from sonogate.errors import GateError, SpoolFullError
from sonogate.observe.metrics import Metrics
from sonogate.receive.listener import Listener
from sonogate.receive.porter import OwnPorter
from sonogate.receive.spool import Spool
from sonogate.settings import Settings

HTTP_SECONDS = 3.0
DICOM_SECONDS = 5.0
CALLING_AE = "SONOGATE_DOCTOR"


def checks(settings: Settings) -> Iterator[Check]:
    """Look at the AE title, both ports, and send a C-ECHO."""
    yield ae_title_check(settings)
    yield from lock.checks(settings)
    runs = _answers(settings)
    yield _dicom_port(settings, runs=runs)
    yield _http_port(settings, runs=runs)
    yield _c_echo(settings, runs=runs)


def ae_title_check(settings: Settings) -> Check:
    """Say how carts address the gate, and whether any is admitted."""
    listener = settings.listener
    said = f"carts send to {listener.ae_title}@{listener.host}:{listener.port}"
    if not listener.is_loopback and not listener.senders:
        return warn(
            "AE title",
            f"{said}, but beyond loopback no sender is admitted",
            "name the carts in [[listener.senders]], one table with ae_title for each",
        )
    if listener.is_loopback:
        said += " (this machine only; set listener.host to let carts in)"
    return ok("AE title", said)


def _peer(settings: Settings, port: int | None = None) -> Peer:
    listener = settings.listener
    return Peer(
        host=_here(listener.host),
        port=settings.listener.port if port is None else port,
        called_ae=settings.listener.ae_title,
        answer_seconds=DICOM_SECONDS,
        calling_ae=lock.own_ae_title(listener) or CALLING_AE,
        tls=self_trusting_context(listener.tls_certificate) if listener.tls_certificate else None,
    )


def _dicom_port(settings: Settings, *, runs: bool) -> Check:
    port, host = settings.listener.port, settings.listener.host
    if port == 0:
        return ok("DICOM port", "a free one is picked at each start")
    if is_free(port, host):
        return ok("DICOM port", f"{port} is free")
    if runs and not lock.admits_us(settings.listener):
        return ok("DICOM port", f"{port} is held, and the gate answers over HTTP")
    try:
        echo(_peer(settings))
    except (GateError, OSError):
        return fail(
            "DICOM port",
            f"{port} is held by something that does not answer a C-ECHO as "
            f"{settings.listener.ae_title}",
            "stop that program, or set listener.port",
        )
    return ok("DICOM port", f"a DICOM node answers on {port}")


def _http_port(settings: Settings, *, runs: bool) -> Check:
    port, host = settings.http.port, settings.http.host
    if port == 0:
        return ok("HTTP port", "a free one is picked at each start")
    if runs:
        return ok("HTTP port", f"the gate answers on {port}")
    if is_free(port, host):
        return ok("HTTP port", f"{port} is free")
    return fail(
        "HTTP port", f"{port} is held by another program", "stop that program, or set http.port"
    )


def _c_echo(settings: Settings, *, runs: bool) -> Check:
    try:
        if runs and settings.listener.port and lock.admits_us(settings.listener):
            seconds, whom = echo(_peer(settings)), "the running gate"
        else:
            seconds, whom = asyncio.run(_echo_to_own(settings)), "a listener started for this check"
    except (GateError, OSError) as error:
        return fail("C-ECHO", f"no answer: {error}", "see the DICOM port and AE title lines above")
    how = " over TLS" if settings.listener.tls_certificate else ""
    return ok("C-ECHO", f"{whom} answered{how} after {seconds * 1000:.0f} ms")


class _NoRegistrar:
    """Enters nothing: the check only says hello, a C-ECHO never comes here."""

    def require_room(self) -> None:
        """Refuse."""
        raise SpoolFullError

    async def announce(self, instance: ReceivedInstance) -> None:
        """Refuse."""
        raise GateError(f"{instance.object_id} was not expected")

    async def enter(self, instance: ReceivedInstance) -> Kept:
        """Refuse."""
        raise GateError(f"{instance.object_id} was not expected")


async def _echo_to_own(settings: Settings) -> float:
    own = settings.listener.model_copy(
        update={"port": 0, "host": "127.0.0.1", "senders": (), "tls_client_ca": None}
    )
    with tempfile.TemporaryDirectory(prefix="sonogate-doctor-") as folder:
        spool = Spool(Path(folder), settings.spool, own)
        listener = Listener(own, spool, _NoRegistrar(), OwnPorter(own, Metrics()))
        await listener.start()
        try:
            here = settings.model_copy(update={"listener": own})
            return await asyncio.to_thread(echo, _peer(here, listener.port))
        finally:
            await listener.stop()


def senders(settings: Settings) -> Iterator[Check]:
    """Ask a running gate which carts send late or have a wrong clock."""
    if not _answers(settings):
        return
    answer = _get(settings, "/v1/senders")
    if answer is None or not answer.is_success:
        remedy = "set http.token for this check"
        if settings.http.tls_client_ca:
            remedy = "ask /v1/senders with a client certificate"
        yield warn("senders", "the gate did not say how carts send", remedy)
        return
    advised = [one for one in answer.json() if one.get("advice")]
    for sender in advised:
        yield warn(f"sender {sender['calling_ae']}", _late(sender), sender["advice"])
    if not advised:
        yield ok("senders", "no cart sends late")


def _late(sender: dict[str, Any]) -> str:
    if sender.get("clock_skewed"):
        return "its clock is wrong"
    return f"images come {sender.get('sends_late_seconds') or 0:.0f} s after the time they bear"


def _answers(settings: Settings) -> bool:
    if settings.http.tls_client_ca:
        return _shows_our_certificate(settings)
    answer = _get(settings, "/health/live")
    return answer is not None and answer.is_success


def _shows_our_certificate(settings: Settings) -> bool:
    """Whether our own gate holds the HTTP port, as far as one without a client certificate sees."""
    http = settings.http
    if http.port == 0 or http.tls_certificate is None:
        return False
    try:
        context = self_trusting_context(http.tls_certificate)
        with (
            socket.create_connection((_here(http.host), http.port), HTTP_SECONDS) as wire,
            context.wrap_socket(wire),
        ):
            return True
    except OSError:
        return False


def _get(settings: Settings, path: str) -> httpx.Response | None:
    http = settings.http
    if http.port == 0:
        return None
    scheme = "https" if http.tls_certificate else "http"
    host = _here(http.host)
    headers = {"Authorization": f"Bearer {http.token.get_secret_value()}"} if http.token else {}
    try:
        # Our own certificate names the gate's public host, not the loopback asked here.
        return httpx.get(
            f"{scheme}://{host}:{http.port}{path}",
            headers=headers,
            timeout=HTTP_SECONDS,
            trust_env=False,
            verify=False,  # noqa: S501
        )
    except httpx.HTTPError:
        return None


def _here(host: str) -> str:
    """Return where this machine reaches itself."""
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - reads only
