"""Keep pynetdicom's client from losing an answer that comes fast to a machine that is busy.

`Association` has a thread of its own that takes messages while nobody sends. A sender clears
`_reactor_checkpoint` and looks whether `_is_paused` is set; the thread sets `_is_paused` before it
waits at the checkpoint, so for a moment it is "paused" with the checkpoint behind it, and may take
the answer that the sender waits for. Seen with pynetdicom 3.0 on a machine with four busy loops on
two cores: "Received unexpected C-STORE service message", and no answer for a minute.
"""

import threading
from typing import Final

from pynetdicom.association import Association

LOOK_SECONDS: Final = 0.05


class Checkpoint(threading.Event):
    """An event whose `clear` returns only once the thread it holds really waits.

    Args:
        held: The thread that calls `wait` in a loop.
    """

    def __init__(self, held: threading.Thread) -> None:
        super().__init__()
        self._held = held
        self._changed = threading.Condition()
        self._is_waiting = False
        self.set()

    def set(self) -> None:
        """Let the thread pass."""
        with self._changed:
            super().set()
            self._changed.notify_all()

    def clear(self) -> None:
        """Hold the thread, and return once it is held or gone."""
        with self._changed:
            super().clear()
            while not self._is_waiting and self._is_elsewhere():
                self._changed.wait(LOOK_SECONDS)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the thread may pass."""
        with self._changed:
            self._is_waiting = True
            self._changed.notify_all()
            passed = self._changed.wait_for(self.is_set, timeout)
            self._is_waiting = False
            return passed

    def _is_elsewhere(self) -> bool:
        return self._held.is_alive() and self._held is not threading.current_thread()


def hold_answers(association: Association) -> None:
    """Give an established association a checkpoint that holds."""
    association._reactor_checkpoint = Checkpoint(association)
