"""Empty files made ahead of need, so that an object costs one sync less when it arrives.

A new file is durable only once its folder is synced too. Made in batches, one sync of the folder
serves them all, and an object waits only for its own bytes. After a crash unused slots are orphans,
swept at boot.
"""

import os
from collections import deque
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final

from sonogate.domain.identity import new_object_id
from sonogate.receive.spool_file import CREATE_FLAGS, FILE_MODE, sync_folder

BATCH: Final = 64
"""Slots made at once; a burst of carts uses about one batch in a fifth of a second."""
LOW_WATER: Final = 32


class SlotStock:
    """Files under `folder` whose names are durable and whose content is yet to come."""

    def __init__(self, folder: Path, threads: Executor, n_folders: int) -> None:
        self._folder = folder
        self._threads = threads
        self._n_folders = n_folders
        self._names: deque[str] = deque()
        self._is_filling = False
        self._lock = Lock()
        self._n_batches = int.from_bytes(os.urandom(2), "big")  # restarts do not favour one folder

    def take(self) -> str | None:
        """Return the name of an empty file that is ours now; None if none is ready."""
        name = self._names.popleft() if self._names else None
        if len(self._names) < LOW_WATER and not self._is_filling:
            self._is_filling = True
            self._threads.submit(self._fill_quietly)
        return name

    def new_name(self) -> str:
        """Return a name below the folder that no file has; a batch shares a sub-folder."""
        return f"{self._n_batches % self._n_folders:02x}/{new_object_id()}"

    def fill(self) -> None:
        """Make one batch; blocking.

        Raises:
            OSError: The disk refuses.
        """
        with self._lock:
            self._n_batches += 1
            made = [self.new_name() for _ in range(BATCH)]
            for name in made:
                os.close(os.open(self._folder / name, CREATE_FLAGS, FILE_MODE))
            sync_folder((self._folder / made[0]).parent)
            self._names.extend(made)

    def clear(self) -> None:
        """Remove what is unused; blocking."""
        with self._lock:
            while self._names:
                (self._folder / self._names.popleft()).unlink(missing_ok=True)

    def _fill_quietly(self) -> None:
        # A full disk shows when an object is written, to the sender it concerns.
        with suppress(OSError):
            self.fill()
        self._is_filling = False
