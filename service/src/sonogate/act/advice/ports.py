"""The way to a model, whichever it is."""

from typing import Protocol

from sonogate.act.advice.prompts import Question


class Oracle(Protocol):
    """A model that is asked one question at a time, or several."""

    @property
    def model(self) -> str | None:
        """Its name; None until it is known."""
        ...

    async def say(self, question: Question) -> str:
        """Return what it says, as it says it; raises AdviceError."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...
