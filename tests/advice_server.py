"""A server that speaks the OpenAI chat protocol over real sockets, and says what a test scripts."""

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

GOOD: dict[str, Any] = {
    "remark": "The left third is dark from the skin down, likely a lost contact.",
    "organ": "liver",
    "view": "subcostal",
    "seen": ["poor_contact"],
}


def completion(content: str | None, **more: Any) -> dict[str, Any]:
    """Wrap what a model says as such servers do."""
    message = {"role": "assistant", "content": content} | more.pop("message", {})
    choice = {"index": 0, "message": message, "finish_reason": "stop"} | more
    return {"id": "c1", "object": "chat.completion", "model": "tiny", "choices": [choice]}


Act = Callable[["Handler"], None]


def says(content: Any, **more: Any) -> Act:
    """Answer in the protocol's form; an object is written as JSON."""
    text = content if isinstance(content, str) or content is None else json.dumps(content)
    return lambda handler: handler.answer(200, json.dumps(completion(text, **more)).encode())


def status(code: int, **headers: str) -> Act:
    """Answer with a status alone."""
    return lambda handler: handler.answer(code, b"{}", **headers)


def raw(body: bytes, **headers: str) -> Act:
    """Answer 200 with any bytes."""
    return lambda handler: handler.answer(200, body, **headers)


def hangs(handler: "Handler") -> None:
    """Answer nothing, for as long as the server is there."""
    handler.server.over.wait(60)


def trickles(handler: "Handler") -> None:
    """Send a byte now and then, for ever."""
    handler.begin(200)
    while not handler.server.over.wait(0.05):
        handler.wfile.write(b" ")
        handler.wfile.flush()


def streams(handler: "Handler") -> None:
    """Send as much as is taken, for ever."""
    handler.begin(200)
    while not handler.server.over.is_set():
        handler.wfile.write(b'{"choices": [' + b" " * 65536)


def breaks_off(handler: "Handler") -> None:
    """Close in the middle of the body."""
    handler.begin(200, Content_Length="1000")
    handler.wfile.write(b'{"choices"')
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)


@dataclass
class Asked:
    """One request as it came."""

    body: dict[str, Any]
    headers: dict[str, str]
    at: float

    @property
    def pictures(self) -> list[str]:
        """The data URLs in it."""
        parts = self.body["messages"][-1]["content"]
        return [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]


@dataclass
class AdviceServer:
    """Answers with `act`; a test may change it between requests."""

    act: Act = field(default_factory=lambda: says(GOOD))
    asked: list[Asked] = field(default_factory=list)
    port: int = 0

    def __enter__(self) -> Self:
        """Listen for the time of the block."""
        self.server = _Server(("127.0.0.1", self.port), Handler)
        self.server.advice = self
        self.port = int(self.server.server_address[1])
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop, and end what hangs."""
        self.server.over.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    @property
    def url(self) -> str:
        """Base of its API."""
        return f"http://127.0.0.1:{self.port}/v1"


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    advice: AdviceServer

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.over = threading.Event()


class Handler(BaseHTTPRequestHandler):
    """Takes one request."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        """List the models."""
        self.answer(200, json.dumps({"data": [{"id": "tiny"}]}).encode())

    def do_POST(self) -> None:
        """Note the request and do what the test scripts."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.advice.asked.append(Asked(body, dict(self.headers), time.monotonic()))
        self.close_connection = True
        with suppress(OSError):
            self.server.advice.act(self)

    def begin(self, code: int, **headers: str) -> None:
        """Send the head."""
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Connection", "close")
        self.end_headers()

    def answer(self, code: int, body: bytes, **headers: str) -> None:
        """Send a whole answer."""
        self.begin(code, **({"Content_Length": str(len(body))} | headers))
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Keep the test's output clean."""
