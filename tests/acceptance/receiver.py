"""A webhook receiver that acts once per idempotency key, as receivers are told to, and logs it."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Request:
    """One request that came whole."""

    key: str
    body: str
    at: int  #: what the receiver's clock said


@dataclass
class Receiver:
    """Writes a line for each request before it answers; whatever is counted is counted there.

    Args:
        log: The file of lines.
        drop_every: So often it acts and then hangs up instead of answering; 0 is never.
        clock: Stamps each request.
    """

    log: Path
    drop_every: int = 0
    clock: Callable[[], int] = lambda: 0
    port: int = 0
    _n: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, key: str, body: bytes) -> bool:
        """Act on a request; whether to answer it."""
        line = {"key": key, "body": body.decode(), "at": self.clock()}
        with self._lock, self.log.open("a", encoding="utf-8") as log:
            self._n += 1
            log.write(json.dumps(line) + "\n")
            return not self.drop_every or self._n % self.drop_every != 0

    def requests(self) -> list[Request]:
        """Read the log."""
        if not self.log.exists():
            return []
        with self._lock:
            lines = self.log.read_text(encoding="utf-8").splitlines()
        return [Request(**json.loads(line)) for line in lines]


def effects(requests: list[Request]) -> Counter[str]:
    """Count the verdict effects of each SOP Instance UID: a key acts once, whatever comes."""
    events = {each.key: json.loads(each.body) for each in requests}
    return Counter(
        event["body"]["verdict"]["sop_instance_uid"]
        for event in events.values()
        if event["kind"] == "verdict"
    )


def keys_of_many_bodies(requests: list[Request]) -> list[str]:
    """Return the keys that came with more than one body."""
    bodies: dict[str, set[str]] = {}
    for each in requests:
        bodies.setdefault(each.key, set()).add(each.body)
    return [key for key, known in bodies.items() if len(known) > 1]


@contextmanager
def receiving(
    log: Path, drop_every: int = 0, clock: Callable[[], int] = lambda: 0
) -> Iterator[Receiver]:
    """Run a webhook receiver for the time of the block."""
    receiver = Receiver(log, drop_every, clock)

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Act, then answer or hang up."""
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:  # the gate was killed while it sent: nothing was asked of us
                self.close_connection = True
                return
            if not receiver.take(self.headers["Idempotency-Key"], body):
                self.close_connection = True
                return
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A gate that was killed resets its connections."""

    server = Server(("127.0.0.1", 0), Hook)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
