"""What was acknowledged and is not in the database yet, by sender."""

from collections.abc import Iterable
from threading import Lock


class Unentered:
    """Filled and emptied by the registrar; read by every transaction, in whatever thread.

    An object stays here until its commit is done, so for a moment it is both here and in the
    database: whoever counts looks at both.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_sender: dict[str, set[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_sender)

    def add(self, calling_ae: str, object_id: str) -> None:
        """Note an object that was just acknowledged."""
        with self._lock:
            self._by_sender.setdefault(calling_ae, set()).add(object_id)

    def remove(self, calling_ae: str, object_id: str) -> None:
        """Forget an object that is in the database, or never will be."""
        with self._lock:
            waiting = self._by_sender.get(calling_ae, set())
            waiting.discard(object_id)
            if not waiting:
                self._by_sender.pop(calling_ae, None)

    def of(self, senders: Iterable[str]) -> set[str]:
        """Return the objects of some senders."""
        with self._lock:
            return set[str]().union(*(self._by_sender.get(each, ()) for each in senders))
