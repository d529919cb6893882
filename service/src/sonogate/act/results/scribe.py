"""The scribe: a short-lived process that reads headers and writes results.

Stored objects are anybody's bytes and highdicom takes a second of processor time to load, so
neither is let into the gate's own process. Orders come as JSON on standard input, answers go as
JSON to standard output; nothing else is written, and nobody sees a patient's name.
"""

import asyncio
import os
import resource
import sys
import warnings
from typing import Final

from sonogate.act.apart import ApartError, ask_apart
from sonogate.act.results.facts import Answer, Answers, Order, Orders
from sonogate.observe.dumps import forbid_dumps

MEMORY_BYTES: Final = 2 * 1024**3
"""Address space of a scribe; a hostile header may ask for more."""
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""Of all results of a study; a report of a thousand images has about five."""
NICENESS: Final = 19


class ScribeError(Exception):
    """The scribe died, or took too long; its orders may be tried again."""


async def write_all(orders: tuple[Order, ...], deadline_seconds: float) -> tuple[Answer, ...]:
    """Write results in a process of their own.

    Raises:
        ScribeError: it gave no answer.
    """
    question = await asyncio.to_thread(_pack, orders)
    try:
        out = await ask_apart(
            "sonogate.act.results.scribe",
            question,
            deadline_seconds=deadline_seconds,
            max_answer_bytes=MAX_ANSWER_BYTES,
        )
    except ApartError as error:
        raise ScribeError(str(error)) from error
    return (await asyncio.to_thread(Answers.model_validate_json, out)).answers


def _pack(orders: tuple[Order, ...]) -> bytes:
    return Orders(orders=orders).model_dump_json().encode()


def write(order: Order) -> Answer:
    """Write one result; what a header can make impossible is an answer."""
    from sonogate.act.results import report, selection
    from sonogate.act.results.origin import NoSourceError, read_origin

    writers = {
        "report": report.write_report,
        "advice": selection.write_advice,
        "rejection": selection.write_rejection,
    }
    try:
        origin = read_origin(order.sources, order.facts.study_instance_uid)
        return Answer(written=writers[order.kind](order, origin))
    except NoSourceError:
        return Answer(refused="no_source")
    except Exception as error:  # noqa: BLE001 - boundary: anybody's header; the type says enough
        return Answer(refused=type(error).__name__)


def confine() -> None:
    """Bound memory and give way to others; no files, no dumps."""
    forbid_dumps()
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    os.setpriority(os.PRIO_PROCESS, 0, NICENESS)


def main() -> None:
    """Answer the orders on standard input."""
    confine()
    sys.dont_write_bytecode = True
    warnings.simplefilter("ignore")
    asked = Orders.model_validate_json(sys.stdin.buffer.read())
    answers = Answers(answers=tuple(write(order) for order in asked.orders))
    sys.stdout.buffer.write(answers.model_dump_json().encode())


if __name__ == "__main__":
    main()
