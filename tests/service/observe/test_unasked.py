"""What a process says without being asked holds no value, at any level; it still helps to mend."""

import json
import resource
import subprocess
import sys
from typing import Any

import pytest

from sonogate.observe.unasked import outline

CANARY = "CANARY^NAME"
PREPARE = f"""
import asyncio, gc, logging, sys, threading, warnings
from sonogate.observe import logs
from sonogate.settings import LogSettings
logs.configure(LogSettings.model_validate(dict(level="debug", form=sys.argv[1])))
name = "{CANARY}"
def read(): raise ValueError(name)
async def fail(): read()
class Bad:
    def __del__(self): read()
class Odd(Exception): pass
"""
FATAL = {
    "uncaught": "read()",
    "caused": "try: read()\nexcept ValueError as error: raise Odd(name) from error",
    "group": "raise ExceptionGroup(name, [ValueError(name), KeyError(name)])",
}
GOES_ON = {
    "task": (
        "async def main():\n  t = asyncio.create_task(fail())\n  await asyncio.sleep(0)\n"
        "  del t\n  gc.collect()\nasyncio.run(main())",
        "library message withheld",
    ),
    "callback": (
        "async def main():\n  asyncio.get_running_loop().call_soon(read)\n"
        "  await asyncio.sleep(0)\nasyncio.run(main())",
        "library message withheld",
    ),
    "thread": (
        "t = threading.Thread(target=read, name=name); t.start(); t.join()",
        "thread crashed",
    ),
    "unraisable": ("Bad()", "error while tidying up"),
    "warning": ("warnings.warn(f'odd value {name}')", "warning withheld"),
    "library": (
        "logging.getLogger('urllib3').error('no %s', name)",
        "library message withheld",
    ),
    "library's traceback": (
        "try: read()\nexcept ValueError: logging.getLogger('a.b').exception(name)",
        "library message withheld",
    ),
    "odd level": ("logging.getLogger('a').log(45, name)", "library message withheld"),
}


LINE = PREPARE.count("\n") + 1
FRAMES = {
    "uncaught": [f"ValueError <string>:{LINE} <string>:7"],
    "caused": [f"Odd <string>:{LINE + 1}", f"ValueError <string>:{LINE} <string>:7"],
    "group": [f"ExceptionGroup <string>:{LINE}", "ValueError", "KeyError"],
}


def said_by(code: str, form: str) -> str:
    """Run code in a process whose logs are set up; return all that it wrote."""
    done = subprocess.run(
        [sys.executable, "-c", PREPARE + code, form],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("form", ["json", "console"])
def test_what_goes_wrong_aside_repeats_no_value(form: str) -> None:
    """Neither text nor arguments nor names of threads; in the form for people likewise."""
    code = "\n".join(code for code, _event in GOES_ON.values())

    said = said_by(code, form)
    lines = said.splitlines()

    assert CANARY not in said
    assert len(GOES_ON) == len(lines)
    for line, (_code, event) in zip(lines, GOES_ON.values(), strict=True):
        assert event in line


@pytest.mark.parametrize("kind", FATAL)
def test_the_last_words_repeat_no_value(kind: str) -> None:
    """What ends the process is told by types and places, its cause too."""
    said = said_by(FATAL[kind], "json")

    line: dict[str, Any] = json.loads(said)
    assert ("crashed", "critical") == (line["event"], line["level"])
    assert FRAMES[kind] == line["frames"]
    assert CANARY not in said


def test_errors_that_name_each_other_are_told_once() -> None:
    """A ring of causes has an end, and so has a long chain."""
    one, other = ValueError(CANARY), KeyError(CANARY)
    one.__cause__, other.__cause__ = other, one
    last = ValueError()
    for _ in range(50):
        link = ValueError()
        link.__cause__ = last
        last = link

    assert ["ValueError", "KeyError"] == outline(one)
    assert 8 == len(outline(last))


def test_an_error_of_the_system_is_told_by_its_number() -> None:
    """Its number helps; its file name may be anybody's."""
    assert ["FileNotFoundError(ENOENT)"] == outline(FileNotFoundError(2, "no", CANARY))


@pytest.mark.skipif(sys.platform != "linux", reason="Linux's marks")
def test_a_process_that_forbids_dumps_can_not_be_dumped() -> None:
    """No core file, and none through a collector either; children inherit the limit."""
    code = (
        "import ctypes, resource, subprocess, sys\n"
        "from sonogate.observe.dumps import forbid_dumps\nforbid_dumps()\n"
        "ask = 'import resource; print(resource.getrlimit(resource.RLIMIT_CORE))'\n"
        "print(ctypes.CDLL(None).prctl(3), flush=True)\n"  # PR_GET_DUMPABLE
        "subprocess.run([sys.executable, '-c', ask])\n"
    )
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)),
    )

    assert ["0", "(0, 0)"] == done.stdout.split("\n")[:2]
