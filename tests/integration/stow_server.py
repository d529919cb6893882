"""A DICOMweb server that takes STOW-RS, in the test's own process."""

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pydicom import dcmread


@dataclass
class StowServer:
    """A DICOMweb server that takes STOW-RS: parses multipart/related, keeps one of each UID."""

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    answers: list[tuple[int, dict[str, Any] | None]] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)

    def take(self, content_type: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Answer one request: as told to next, else by storing."""
        parameters = dict(part.strip().partition("=")[::2] for part in content_type.split(";")[1:])
        assert parameters["type"] == '"application/dicom"'
        boundary = parameters["boundary"].encode()
        assert body.startswith(b"--" + boundary + b"\r\n")
        assert body.endswith(b"\r\n--" + boundary + b"--\r\n")
        part = body[len(boundary) + 4 : -len(boundary) - 8]
        head, _, file = part.partition(b"\r\n\r\n")
        assert head == b"Content-Type: application/dicom"
        status, said = self.answers.pop(0) if self.answers else (200, None)
        uid = dcmread(io.BytesIO(file), stop_before_pixels=True).SOPInstanceUID
        if said is None and status == 200:
            self.files[str(uid)] = file
            said = {"00081199": {"vr": "SQ", "Value": [{"00081155": {"Value": [uid]}}]}}
        return status, said or {}


@contextmanager
def stow_server() -> Iterator[StowServer]:
    """Run a DICOMweb server for the time of the block."""
    server = StowServer()

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Take a request at /dicom-web/studies."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.tokens.append(self.headers.get("Authorization"))
            assert self.path == "/dicom-web/studies"
            status, said = server.take(self.headers["Content-Type"], body)
            answer = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/dicom+json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.port = http.server_address[1]
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
