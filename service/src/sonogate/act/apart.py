"""Ask a short-lived process of our own: what it is given is anybody's, and may cost it its life.

The question goes to its standard input, the answer comes from its standard output; it writes
nothing else, and sees no secret of the gate.
"""

import asyncio
import os
import sys
from typing import Final

PASSED_ON: Final = ("PATH", "PYTHONPATH", "TZ", "LANG", "LC_ALL", "HOME")
"""The only variables it sees: no secret of the settings, but the machine's time zone."""


class ApartError(Exception):
    """It died, or took too long; the question may be asked again."""


def passed_on() -> dict[str, str]:
    """Return the environment of such a process."""
    own = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return own | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


async def ask_apart(
    module: str, question: bytes, *, deadline_seconds: float, max_answer_bytes: int
) -> bytes:
    """Run a module of ours as a process and return its answer.

    Raises:
        ApartError: it gave none.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=passed_on(),
    )
    try:
        async with asyncio.timeout(deadline_seconds):
            out, _ = await process.communicate(question)
    except TimeoutError as error:
        raise ApartError("deadline") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode or len(out) > max_answer_bytes:
        raise ApartError(f"exit {process.returncode}")
    return out
