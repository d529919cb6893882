"""Decode an object in a process of its own: a hostile one costs that process, not the gate."""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from sonogate.act.forward.parcel import Parcel
from sonogate.errors import UndecodableError

DEADLINE_SECONDS: Final = 120.0
"""A cine of a gigabyte takes well under a minute."""
MODULE: Final = "sonogate.decompressor"


class Decoding:
    """Decodes one object at a time; files it left behind when the gate died go at the start.

    Args:
        folder: Where decoded objects are for as long as they are being sent.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._one_at_a_time = asyncio.Semaphore(1)

    def prepare(self) -> None:
        """Make the folder, or empty it; blocking."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in self._folder.glob("*.dcm"):
            path.unlink(missing_ok=True)

    async def __call__(self, parcel: Parcel, syntax: str) -> Path:
        """Write an object in another transfer syntax to a new file, which the caller removes.

        Raises:
            UndecodableError: no codec reads it, or it took too long or too much.
        """
        path = self._folder / f"{parcel.forward_id}.dcm"
        async with self._one_at_a_time:
            try:
                await self._run(parcel, syntax, path)
            except BaseException:
                await asyncio.to_thread(path.unlink, missing_ok=True)
                raise
        return path

    async def _run(self, parcel: Parcel, syntax: str, path: Path) -> None:
        span = parcel.span
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", MODULE,
            str(parcel.path), str(span.offset), str(span.size_bytes), syntax, str(path),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                code = await process.wait()
        except TimeoutError:
            raise UndecodableError("It takes too long to decode.") from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if code != 0:
            raise UndecodableError("It can't be decoded to be passed on.")
