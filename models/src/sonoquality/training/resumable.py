"""A small network's run in one folder: it learns step by step and goes on where it was kept.

`record.json` says what went in, `<name>.pt` holds the weights, `state.pt` what a resume needs,
curves.csv and curves.png the course.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import nn

from sonoquality.training.encoder.curves import Curves

RECORD_FILE, STATE_FILE = "record.json", "state.pt"
Progress = Callable[[str, int, int], None]


class Resumable:
    """One network at a step, as its folder says or at the beginning."""

    def __init__(
        self, name: str, network: nn.Module, optimiser: torch.optim.Optimizer, out: Path
    ) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._name, self._network, self._optimiser, self._out = name, network, optimiser, out
        self.step = self._resumed()
        self._curves = Curves(out, self.step)

    def go_on(
        self,
        learn: Callable[[int], Mapping[str, float]],
        *,
        n_steps: int,
        checkpoint_steps: int,
        tell: Callable[[int, int], None],
    ) -> None:
        """Take the steps that are left.

        Args:
            learn: takes the step of that number, counted from 0, and returns its losses; depends on
                nothing else, so that an interrupted run ends as another.
            n_steps: of the whole run.
            checkpoint_steps: after so many what a resume needs is kept.
            tell: is told how many steps are done, of how many.
        """
        while self.step < n_steps:
            losses = learn(self.step)
            self.step += 1
            self._curves.add(self.step, losses)
            tell(self.step, n_steps)
            if self.step % checkpoint_steps == 0 or self.step == n_steps:
                self._keep()

    def _keep(self) -> None:
        """Write weights and curves; the state last, since it is what a resume trusts."""
        self._curves.write()
        weights = self._network.state_dict()
        state = {
            "step": self.step,
            self._name: weights,
            "optimiser": self._optimiser.state_dict(),
        }
        for file, content in ((weights_file(self._name), weights), (STATE_FILE, state)):
            unfinished = self._out / f"{file}.part"
            torch.save(content, unfinished)
            unfinished.replace(self._out / file)

    def _resumed(self) -> int:
        if not (self._out / STATE_FILE).exists():
            return 0
        state = torch.load(self._out / STATE_FILE, map_location="cpu", weights_only=True)
        self._network.load_state_dict(state[self._name])
        self._optimiser.load_state_dict(state["optimiser"])
        return int(state["step"])


def weights_file(name: str) -> str:
    """Return the file of a network's weights."""
    return f"{name}.pt"


def begin(out: Path, entered: Mapping[str, object]) -> None:
    """Note what goes into a run.

    Raises:
        ValueError: the folder holds a run of something else.
    """
    out.mkdir(parents=True, exist_ok=True)
    if (out / RECORD_FILE).exists() and read_record(out) != entered:
        raise ValueError(f"{out} holds a run of another configuration or images; name another.")
    (out / RECORD_FILE).write_text(json.dumps(entered, indent=2) + "\n", encoding="utf-8")


def read_record(out: Path) -> dict[str, object]:
    """Return what went into a run.

    Raises:
        FileNotFoundError: there is no such run.
    """
    record: dict[str, object] = json.loads((out / RECORD_FILE).read_text(encoding="utf-8"))
    return record
