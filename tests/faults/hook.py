"""A webhook receiver that can be sick."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Hook:
    """What it was told."""

    port: int = 0
    is_sick: bool = False
    n_refused: int = 0
    told: set[str] = field(default_factory=set)  #: SOP Instance UIDs of verdicts


@contextmanager
def hooked() -> Iterator[Hook]:
    """Run a receiver for the time of the block."""
    hook = Hook()

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Take a verdict, or be sick."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if hook.is_sick:
                hook.n_refused += 1
                self.send_response(500)
            else:
                hook.told.add(json.loads(body)["body"]["verdict"]["sop_instance_uid"])
                self.send_response(204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    hook.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
