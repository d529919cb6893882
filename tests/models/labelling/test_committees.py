"""Several networks a task: what a copy costs is the mean over them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

pytest.importorskip("torch", reason="the [train] extra is not installed")

import torch

from sonoquality.labelling import frame, spoiled, study
from sonoquality.labelling.cases import Case, Scan
from sonoquality.labelling.config import DiagnosticianConfig, read_config
from sonoquality.labelling.diagnosing import Committee, Trained, diagnose, diagnosed
from sonoquality.labelling.folds import HELD_BACK, N_FOLDS
from sonoquality.labelling.learning import folder_of, size_of, train
from sonoquality.labelling.spoiled import Copy
from sonoquality.labelling.study import Study
from sonoquality.labelling.tasks import TASKS, Task
from tests.conftest import ROOT
from tests.models.labelling.test_folds import ROW
from tests.models.phantoms import SCANS, tissue

pytestmark = pytest.mark.train
FAN = SCANS["fan"]
CONFIG = DiagnosticianConfig(n_steps=2, n_outlined=2, n_named=2)
PICTURES = np.stack([np.rint(255 * tissue(FAN)).astype(np.uint8)] * 3)
PICTURES[2] //= 3


class Told(Case):
    """A case that lies in no file."""

    def read(self) -> Scan:
        """Return a phantom whose lower half is the target."""
        target = FAN & (np.arange(len(FAN))[:, None] > len(FAN) // 2)
        return Scan(image=tissue(FAN), mask=FAN, target=target)


CASES = tuple(
    Told(
        row=replace(ROW, group=f"patient {number}", sha256=f"{number:064x}"),
        disease="",
        target_path=Path("there"),
    )
    for number in range(8)
)
VALIDATION = Told(row=replace(ROW, split="val"), disease="", target_path=Path("there"))


def quiet(work: str, done: int, total: int) -> None:
    """Show nothing."""


def committee(task: Task, run: Path, n_members: int) -> Committee[Trained]:
    """Teach one for validation images."""
    for member in range(n_members):
        train(CONFIG, task, CASES, HELD_BACK, run=run, progress=quiet, member=member)
    return Committee([Trained(task, run, member) for member in range(n_members)])


@pytest.fixture(params=["outline-liver", "measure-liver", "organ"])
def task(request: pytest.FixtureRequest) -> Task:
    """One of each kind that a phantom can be set."""
    return next(task for task in TASKS if task.name == request.param)


def test_a_copy_costs_each_member_what_it_costs_it_alone(task: Task, tmp_path: Path) -> None:
    """Each member's own answer is held against its own, not against another's."""
    both = committee(task, tmp_path, 2)
    assert size_of(tmp_path, task) == 2
    scan = VALIDATION.read()
    alone = [each.losses(VALIDATION, scan, PICTURES) for each in both.members]
    assert not np.allclose(alone[0], alone[1])
    np.testing.assert_array_equal(both.losses(VALIDATION, scan, PICTURES), np.stack(alone))


COPIES = [Copy(kind="clean"), Copy(kind="ladder", faults={"SPK": 1}), Copy(kind="blank")]


def test_what_a_copy_costs_a_committee_is_the_mean(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written down by member; some of them can be heard without the others."""
    monkeypatch.setattr(spoiled, "read", lambda *_: (COPIES, PICTURES))
    both, out = committee(task, tmp_path / "run", 2), tmp_path / "losses"
    diagnose([VALIDATION], tmp_path, [both], out, quiet)
    (found,) = diagnosed([VALIDATION], tmp_path, out, [task.name])
    scan = VALIDATION.read()
    alone = [each.losses(VALIDATION, scan, PICTURES) for each in both.members]
    np.testing.assert_allclose(found.losses[task.name], np.mean(alone, axis=0))
    np.testing.assert_array_equal(found.heard([1]).losses[task.name], alone[1])
    np.testing.assert_array_equal(found.heard([1, 2, 5]).losses[task.name], alone[1])
    assert found.heard([2]).losses == {}


def test_one_who_is_alone_is_its_own_mean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A single diagnostician writes no member."""
    monkeypatch.setattr(spoiled, "read", lambda *_: (COPIES, PICTURES))
    (one,), out = committee(TASKS[1], tmp_path / "run", 1).members, tmp_path / "losses"
    diagnose([VALIDATION], tmp_path, [one], out, quiet)
    (found,) = diagnosed([VALIDATION], tmp_path, out, [one.name])
    losses = one.losses(VALIDATION, VALIDATION.read(), PICTURES)
    np.testing.assert_array_equal(found.losses[one.name], losses)
    np.testing.assert_array_equal(found.heard([0]).losses[one.name], losses)


class Mute(Trained):
    """A member that has no question to ask of any case."""

    def has(self, case: Case) -> bool:
        """Has none."""
        return False


def test_a_member_without_a_case_has_no_voice(task: Task, tmp_path: Path) -> None:
    """The others answer; with none left, nobody has the case."""
    (one,) = committee(task, tmp_path, 1).members
    mute, scan = Mute(task, tmp_path), VALIDATION.read()
    found = Committee([mute, one]).losses(VALIDATION, scan, PICTURES)
    np.testing.assert_array_equal(found, one.losses(VALIDATION, scan, PICTURES)[None])
    assert not Committee([mute]).has(VALIDATION)


def test_members_differ_by_their_seeds_alone(task: Task, tmp_path: Path) -> None:
    """The second of a committee is the first of one that begins with the next seed."""
    committee(task, tmp_path / "a", 2)
    later = CONFIG.model_copy(update={"seed": CONFIG.seed + 1})
    train(later, task, CASES, HELD_BACK, run=tmp_path / "b", progress=quiet)
    states = [
        torch.load(folder / "state.pt", weights_only=True)["diagnostician"]
        for folder in (
            folder_of(tmp_path / "a", task, HELD_BACK, 1),
            folder_of(tmp_path / "b", task, HELD_BACK),
        )
    ]
    assert all(torch.equal(states[0][key], value) for key, value in states[1].items())


def test_a_committee_can_grow(task: Task, tmp_path: Path) -> None:
    """What is trained stays; a member that is not there for validation images does not count."""
    committee(task, tmp_path, 1)
    kept = folder_of(tmp_path, task, HELD_BACK) / "state.pt"
    before = kept.stat().st_mtime_ns
    train(CONFIG, task, CASES, 0, run=tmp_path, progress=quiet, member=1)
    assert size_of(tmp_path, task) == 1
    committee(task, tmp_path, 2)
    assert size_of(tmp_path, task) == 2
    assert kept.stat().st_mtime_ns == before


def test_speckle_is_shown_to_the_whole_committee(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss on clean images is the mean over members and images."""
    task = TASKS[1]
    who = committee(task, tmp_path, 2)
    monkeypatch.setattr(spoiled, "read", lambda *_: (COPIES, PICTURES))
    found = frame.check(who.members, [VALIDATION] * 3, tmp_path, quiet)
    losses = who.losses(VALIDATION, VALIDATION.read(), PICTURES).mean(axis=0)
    assert found.clean == pytest.approx(losses[0, 0], rel=1e-5)
    assert found.speckle == pytest.approx(losses[2, 0], rel=1e-5)


def test_the_recipe_names_kinds_that_there_are() -> None:
    """Another word is refused; a kind that is not named has one network."""
    recipe = read_config(ROOT / "models" / "recipes" / "diagnosticians.toml")
    assert set(recipe.n_members) == {task.kind for task in TASKS}
    with pytest.raises(ValidationError, match="n_members"):
        DiagnosticianConfig.model_validate({"n_members": {"guess": 2}})


def test_a_study_teaches_as_many_as_the_recipe_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For every fold; those who judge validation images begin last."""
    taught: list[tuple[str, int, int]] = []

    def note(config: object, task: Task, cases: object, fold: int, **told: Any) -> None:
        taught.append((task.name, told["member"], fold))

    monkeypatch.setattr(study, "train", note)
    monkeypatch.setattr(study, "all_cases", lambda data: CASES)
    config = CONFIG.model_copy(update={"n_members": {"organ": 2}})
    Study(data=tmp_path, run=tmp_path).teach(config, quiet)
    folds = (*range(N_FOLDS), HELD_BACK)
    assert [each[1:] for each in taught if each[0] == "organ"] == [
        (m, f) for m in (0, 1) for f in folds
    ]
    assert {each[1] for each in taught if each[0] != "organ"} == {0}
