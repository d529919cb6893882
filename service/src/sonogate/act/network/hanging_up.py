"""Work that waits for a peer runs in a thread of its own, and is cut off once nobody waits for it.

A gate that ends waits for its threads, and a peer may stay silent for all of its `answer_seconds`.
What waits inside pynetdicom can't be told to stop: its connection is cut. One cut may come too
early, before there is a connection or between two waits, so it is repeated until the work is over.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future
from contextlib import suppress
from typing import Final, TypeVar
from weakref import WeakSet

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_P_ABORT

PAUSE_SECONDS: Final = 0.05
"""Between two cuts; pynetdicom's threads look every millisecond."""

T = TypeVar("T")
_ours: WeakSet[Association] = WeakSet()
_lock = threading.Lock()


def remember(event: evt.Event) -> None:
    """Know an association of ours from before it connects; for EVT_ACSE_SENT."""
    with _lock:
        _ours.add(event.assoc)


async def aside(work: Callable[[], T]) -> T:
    """Run what blocks in a thread; cancelled, it hangs up, so that the thread ends.

    Raises:
        Exception: whatever the work raised.
    """
    answer: Future[T] = Future()
    threading.Thread(target=_do, args=(work, answer), name="aside", daemon=True).start()
    try:
        return await asyncio.wrap_future(answer)
    except asyncio.CancelledError:
        hang_up(_known, answer.done)
        raise


def hang_up(
    find: Callable[[], Collection[Association]], is_over: Callable[[], bool] = lambda: True
) -> None:
    """Cut associations off in the background, until they have ended and what used them is over."""
    threading.Thread(target=_cut_off, args=(find, is_over), name="hang_up", daemon=True).start()


def _do(work: Callable[[], T], answer: Future[T]) -> None:
    if not answer.set_running_or_notify_cancel():
        return
    try:
        done = work()
    except BaseException as error:  # noqa: BLE001 - boundary: it belongs to who awaits the answer
        answer.set_exception(error)
    else:
        answer.set_result(done)


def _known() -> tuple[Association, ...]:
    """Return all of ours: none outlives the gate, whose process would wait for their threads."""
    with _lock:
        return tuple(_ours)


def _cut_off(find: Callable[[], Collection[Association]], is_over: Callable[[], bool]) -> None:
    seen: dict[Association, socket.socket] = {}
    while True:
        was_over = is_over()
        alive = [each for each in find() if _cut(each, seen)]
        if was_over and not alive:
            return
        time.sleep(PAUSE_SECONDS)


def _cut(association: Association, seen: dict[Association, socket.socket]) -> bool:
    """Cut one off, as if its peer had; return whether its own thread is still to end by it.

    Args:
        association: one of ours.
        seen: its connection, once there was one; pynetdicom forgets it.
    """
    provider = association.dul
    connection = provider.socket.socket if provider.socket else None
    if connection is not None:
        seen[association] = connection
    connection = seen.get(association)
    if provider.is_alive():
        if connection is not None:
            with suppress(OSError):  # not connected yet, or no longer
                connection.shutdown(socket.SHUT_RDWR)
        return True
    if connection is not None:
        connection.close()  # pynetdicom leaves it open once it was shut down
    # Its thread may have ended without a word to whoever waits for a message or an answer.
    association.dimse.msg_queue.put((None, None))
    provider.to_user_queue.put(A_P_ABORT())
    return False
