"""Say on standard error how far a long work is: a bar on a terminal, else a line now and then.

Standard output belongs to the results: nothing of this goes there, and a bar never cuts one.
"""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich import progress
from rich.console import Console

EVERY_SECONDS = 5.0
"""Between two plain lines, where there is no terminal to draw on."""


class Progress:
    """How far a work of so many steps is, told while the block lasts."""

    def __init__(self, title: str, total: int, now: Callable[[], float] = time.monotonic) -> None:
        self._title, self._total, self._n_done = title, total, 0
        self._now, self._told_at = now, now()
        self._console = Console(stderr=True)
        self._bar = progress.Progress(
            *progress.Progress.get_default_columns(),
            progress.MofNCompleteColumn(),
            console=self._console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bar.add_task(title, total=total)

    def __enter__(self) -> Self:
        if self._console.is_interactive:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._console.is_interactive:
            self._bar.stop()

    def advance(self) -> None:
        """Note that one more step is done."""
        self._n_done += 1
        self._bar.advance(self._task)
        now = self._now()
        if self._console.is_interactive or now - self._told_at < EVERY_SECONDS:
            return
        self._told_at = now
        sys.stderr.write(f"{self._title}: {self._n_done} of {self._total}\n")

    def beside(self, say: Callable[[], None]) -> None:
        """Let something else be written; on the bar's own terminal the bar gives way to it."""
        if not self._console.is_interactive:
            say()
            return
        self._bar.stop()
        say()
        self._bar.start()
