"""The HTTP server inside the gate's own loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import cast

import uvicorn

from sonogate.api.app import make_app
from sonogate.api.dependencies import ApiPorts
from sonogate.api.doorway import protocols
from sonogate.errors import GateError
from sonogate.receive.certificates import Certificates
from sonogate.settings import HttpSettings

STOP_SECONDS = 5.0
"""Time for HTTP requests under way when the gate stops."""


class EmbeddedServer(uvicorn.Server):
    """uvicorn inside the gate's own loop: the gate, not uvicorn, answers signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the process's signal handlers alone."""
        yield


@asynccontextmanager
async def serving_http(
    ports: ApiPorts, http: HttpSettings, certificates: Certificates | None = None
) -> AsyncIterator[int]:
    """Serve the API for the time of the block; yields the port.

    Args:
        ports: What the routes may ask for.
        http: The door's settings.
        certificates: In force now, for each new connection; None: read once.

    Raises:
        GateError: the port is taken.
        SettingFileError: A certificate is not what it must be.
    """
    certificates = certificates or Certificates(http, "http", "clients")
    listening = listen(http)
    config = uvicorn.Config(
        make_app(ports, http),
        http=cast(type[asyncio.Protocol], protocols(certificates, ports)),
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=int(STOP_SECONDS),
    )
    server = EmbeddedServer(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        await started(server, task)
        yield int(listening.getsockname()[1])
    finally:
        ports.closing.set()
        server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)
        listening.close()


async def started(server: uvicorn.Server, task: asyncio.Task[None]) -> None:
    """Wait until uvicorn accepts requests; it offers no event to wait on."""
    while not server.started and not task.done():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def listen(http: HttpSettings) -> socket.socket:
    """Bind the HTTP port.

    Raises:
        GateError: the port is taken.
    """
    family = socket.AF_INET6 if ":" in http.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((http.host, http.port))
    except OSError as error:
        listening.close()
        raise GateError(
            f"HTTP port {http.port} on {http.host}: {error.strerror}; stop what holds it or set "
            "http.port (0 picks a free one)"
        ) from error
    return listening
