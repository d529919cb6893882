"""The edges between stages: one small protocol each; fakes ship in `sonogate.testing`."""

from typing import Protocol

from sonogate.domain.frames import FrameStack
from sonogate.domain.instance import Kept, ReceivedInstance
from sonogate.domain.job import Examination, Job
from sonogate.domain.scores import ScoredStack


class Scorer(Protocol):
    """Gives each frame a quality on the model card's scale."""

    def score(self, stack: FrameStack) -> ScoredStack:
        """Score every frame of the stack."""
        ...


class Examiner(Protocol):
    """Reads and scores one spooled object, out of the gate's process."""

    async def examine(self, job: Job) -> Examination:
        """Answer within the deadline; a crash or a time-out is an unscorable examination."""
        ...


class Announcing(Protocol):
    """Takes what the spool keeps on its way to the database."""

    def require_room(self) -> None:
        """Raise SpoolFullError if too many objects wait for a verdict."""
        ...

    async def announce(self, instance: ReceivedInstance) -> None:
        """Enter an object soon; return once it counts as on its way to the database."""
        ...


class Registrar(Announcing, Protocol):
    """Enters into the database what the spool keeps."""

    async def enter(self, instance: ReceivedInstance) -> Kept:
        """Enter an object and return what became of it."""
        ...
