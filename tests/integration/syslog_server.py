"""Audit record repositories: rsyslog, and a small one of our own that can be told to misbehave."""

import asyncio
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.service.receive.keys import Authority

CONFIG = """
global(workDirectory="{folder}" maxMessageSize="64k" parser.escapeControlCharactersOnReceive="off"
  defaultNetstreamDriver="ossl" defaultNetstreamDriverCAFile="{ca}"
  defaultNetstreamDriverCertFile="{certificate}" defaultNetstreamDriverKeyFile="{key}")
module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1"
  streamDriver.authMode="x509/certvalid")
module(load="imudp")
template(name="whole" type="string" string="%rawmsg%\\n")
ruleset(name="keep") {{ action(type="omfile" file="{log}" template="whole") }}
input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="keep")
input(type="imudp" address="127.0.0.1" port="{port}" ruleset="keep")
"""


@dataclass
class Rsyslog:
    """A real syslog server, TLS and UDP on one number; it asks for certificates of an authority."""

    tool: str
    folder: Path
    authority: Authority
    port: int

    @property
    def lines(self) -> list[str]:
        """What it took, in order."""
        log = self.folder / "audit.log"
        return log.read_text("utf-8").splitlines() if log.exists() else []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run it for the time of the block."""
        self.folder.mkdir(exist_ok=True)
        door = self.authority.door()
        config = self.folder / "rsyslog.conf"
        config.write_text(
            CONFIG.format(
                folder=self.folder,
                ca=self.authority.file,
                certificate=door.certificate,
                key=door.key,
                log=self.folder / "audit.log",
                port=self.port,
            )
        )
        pid_file = self.folder / "pid"
        pid_file.unlink(missing_ok=True)
        command = [self.tool, "-n", "-f", str(config), "-i", str(pid_file)]
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            try:
                while not pid_file.exists():
                    assert process.poll() is None, process.stderr.read() if process.stderr else b""
                    time.sleep(0.02)
                yield
            finally:
                process.terminate()


@dataclass
class SmallServer:
    """Takes octet-counted messages over TLS; closes unread after some, if told to."""

    context: ssl.SSLContext
    port: int = 0
    lines: list[str] = field(default_factory=list)
    n_connections: int = 0
    hangs_up_after: int | None = None  #: messages of a connection
    reads: bool = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take what comes over one connection."""
        self.n_connections += 1
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
                await self._take(reader)
        finally:
            writer.transport.abort()

    async def _take(self, reader: asyncio.StreamReader) -> None:
        n_taken = 0
        while self.hangs_up_after is None or n_taken < self.hangs_up_after:
            while not self.reads:  # noqa: ASYNC110 - a server that is stuck
                await asyncio.sleep(0.05)
            length = int(await reader.readuntil(b" "))
            self.lines.append((await reader.readexactly(length)).decode())
            n_taken += 1


@asynccontextmanager
async def small_server(authority: Authority, port: int = 0) -> AsyncIterator[SmallServer]:
    """Run a small server for the time of the block."""
    door = authority.door()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(door.certificate, door.key)
    small = SmallServer(context)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await small.serve(reader, writer)

    door_socket = socket.create_server(("127.0.0.1", port))
    door_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    server = await asyncio.start_server(serve, sock=door_socket, ssl=context)
    small.port = door_socket.getsockname()[1]
    try:
        yield small
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(20):  # what was in the middle of a handshake ends first
            while getattr(server, "_active_count", 0):  # noqa: ASYNC110 - Python 3.11 can't wait
                await asyncio.sleep(0.01)
