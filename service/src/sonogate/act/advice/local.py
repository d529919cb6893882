"""Ask a model in a folder of weights, which a Python environment of its own runs (`runner`).

One process, one question at a time. It sees no secret of the gate, is killed with all it started
when it takes too long, and is started anew for the next question.
"""

import asyncio
import base64
import json
import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sonogate.act.advice.answers import MAX_TEXT, AdviceError
from sonogate.act.advice.prompts import SYSTEM, Question
from sonogate.domain.advice import AdviceReason
from sonogate.observe.logs import get_logger
from sonogate.settings import AdviceSettings

RUNNER: Final = Path(__file__).with_name("runner.py")
PASSED_ON: Final = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")
MAX_LINE_BYTES: Final = 8 * MAX_TEXT
"""Of an answer: each character of JSON may take six bytes."""
END_SECONDS: Final = 5.0
"""Longest wait for the end of a process that was killed."""
_SAYABLE: Final = frozenset(each.value for each in AdviceReason)

log = get_logger()


@dataclass(kw_only=True)
class LocalModel:
    """The process with the weights, while there is one."""

    settings: AdviceSettings
    model: str | None = None  #: the class that was loaded
    _process: asyncio.subprocess.Process | None = field(default=None, init=False)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def say(self, question: Question) -> str:
        """Return what the model says.

        Raises:
            AdviceError: nothing came of it.
        """
        async with self._one_at_a_time:
            try:
                process = self._process or await self._start()
                said = await self._exchange(process, _line(question, self.settings))
            except BaseException:
                await self.close()
                raise
        if isinstance(said.get("text"), str):
            return str(said["text"])
        raise AdviceError(_reason(said))

    async def close(self) -> None:
        """Kill it, and whatever it started."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                # asyncio's wait ends with the pipe, of which it reads no more than one line's limit
                while process.stdout is not None and await process.stdout.read(MAX_LINE_BYTES):
                    pass
                await process.wait()

    async def _start(self) -> asyncio.subprocess.Process:
        settings = self.settings
        command = (
            settings.python, "-I", RUNNER,
            "--weights", settings.weights, "--memory-bytes", settings.memory_bytes,
        )  # fmt: skip
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *map(str, command),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=MAX_LINE_BYTES,
                start_new_session=True,
                env={name: os.environ[name] for name in PASSED_ON if name in os.environ},
            )
        except OSError:
            raise AdviceError(AdviceReason.NO_ENVIRONMENT) from None
        said = await self._heard(process, settings.load_seconds)
        if not said.get("ready"):
            raise AdviceError(_reason(said))
        self.model = str(said.get("model") or "")[:80] or None
        log.info("adviser loaded", model=self.model)
        return process

    async def _exchange(self, process: asyncio.subprocess.Process, line: bytes) -> dict[str, Any]:
        if process.stdin is None:
            raise AdviceError(AdviceReason.CRASHED)
        with suppress(OSError):  # it ended: its answer says so
            process.stdin.write(line)
            await process.stdin.drain()
        return await self._heard(process, self.settings.timeout_seconds)

    async def _heard(self, process: asyncio.subprocess.Process, seconds: float) -> dict[str, Any]:
        if process.stdout is None:
            raise AdviceError(AdviceReason.CRASHED)
        try:
            async with asyncio.timeout(seconds):
                line = await process.stdout.readline()
        except TimeoutError:
            raise AdviceError(AdviceReason.TIMED_OUT) from None
        except ValueError:  # over the limit of a line
            raise AdviceError(AdviceReason.TOO_LONG) from None
        if not line:
            raise AdviceError(AdviceReason.CRASHED)
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            raise AdviceError(AdviceReason.MALFORMED) from None
        if not isinstance(said, dict):
            raise AdviceError(AdviceReason.MALFORMED)
        return said


def _line(question: Question, settings: AdviceSettings) -> bytes:
    asked = {
        "system": SYSTEM,
        "text": question.text,
        "pictures": [base64.b64encode(each).decode() for each in question.pictures],
        "max_tokens": settings.max_output_tokens,
    }
    return json.dumps(asked).encode() + b"\n"


def _reason(said: dict[str, Any]) -> AdviceReason:
    failed = said.get("failed")
    return AdviceReason(failed) if failed in _SAYABLE else AdviceReason.MALFORMED
