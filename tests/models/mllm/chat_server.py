"""A server on a real socket that speaks OpenAI's chat protocol, with vLLM's extensions or not.

It sees: the grey of the picture shown. It prefers `high` and ` A` the more, the brighter the first
picture is. Words over five letters are two tokens.
"""

import base64
import io
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from PIL import Image

KEY = "a-key-of-the-test"
CHARACTERS = 5


@dataclass
class Behaviour:
    """What the server does; what it was asked."""

    scores_prompts: bool = True  #: vLLM's prompt_logprobs
    continues: bool = True  #: vLLM's continue_final_message
    gives_logprobs: bool = True
    asks_for_key: bool = False
    failures: int = 0  #: answers of `failing_status` before the first good one
    failing_status: int = 503
    slow_seconds: float = 0.0
    answer: str = "The quality is high."
    nonsense: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


def tokens(text: str) -> list[str]:
    """Part a text into words with their leading space; long ones into two."""
    found = []
    for word in re.findall(r" ?[^\s]+|\s", text):
        found += [word[: CHARACTERS + 1], word[CHARACTERS + 1 :]] if len(word) > 6 else [word]
    return [token for token in found if token]


def logprob(token: str, brightness: float) -> float:
    """How likely a token is; only the first pieces of three bands and letters differ."""
    liked = {"high": brightness, "low": 1 - brightness, "A": brightness, "B": 1 - brightness}
    return float(np.log(0.05 + 0.9 * liked.get(token.strip(), 0.5)))


def brightness(message: dict[str, Any]) -> float:
    """Return the mean grey in [0, 1] of the first picture of a turn."""
    url = next(x["image_url"]["url"] for x in message["content"] if x["type"] == "image_url")
    head, _, content = url.partition(",")
    assert "data:image/png;base64" == head
    return float(np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))).mean() / 255)


def answer(asked: dict[str, Any], behaviour: Behaviour) -> tuple[int, dict[str, Any]]:
    """Return status and body."""
    extensions = {
        "prompt_logprobs": behaviour.scores_prompts,
        "continue_final_message": behaviour.continues,
    }
    for name, known in extensions.items():
        if name in asked and not known:
            return 400, {"error": {"message": f"Unrecognized request argument: {name}"}}
    turn, *rest = asked["messages"]
    bright = brightness(turn)
    choice: dict[str, Any] = {"message": {"role": "assistant", "content": behaviour.answer}}
    if asked.get("logprobs") and behaviour.gives_logprobs:
        likely = [(word, logprob(word, bright)) for word in ("high", "low", "A", "B", "The")]
        top = [{"token": word, "logprob": value} for word, value in likely]
        choice["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
    body: dict[str, Any] = {"choices": [choice]}
    if "prompt_logprobs" in asked:
        text = turn["content"][-1]["text"] + "".join(each["content"] for each in rest)
        scored = [
            {str(i): {"logprob": logprob(token, bright), "rank": 1, "decoded_token": token}}
            for i, token in enumerate(tokens(text))
        ]
        body["prompt_logprobs"] = [None, *scored[1:]]
    return 200, body


def handler(behaviour: Behaviour) -> type[BaseHTTPRequestHandler]:
    """Return the class that answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            behaviour.asked.append(asked)
            behaviour.keys.append(self.headers.get("Authorization", ""))
            time.sleep(behaviour.slow_seconds)
            status, body = answer(asked, behaviour)
            if behaviour.failures > 0:
                behaviour.failures -= 1
                status, body = behaviour.failing_status, {"error": "busy"}
            elif behaviour.asks_for_key and self.headers.get("Authorization") != f"Bearer {KEY}":
                status, body = 401, {"error": "no key"}
            elif self.path != "/v1/chat/completions":
                status, body = 404, {}
            content = b"<html>hello</html>" if behaviour.nonsense else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def serve(behaviour: Behaviour) -> Iterator[str]:
    """Serve on a free port; gives the URL with the version."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(behaviour))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
