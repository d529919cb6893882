"""Language models as diagnosticians: one pass or many, the numbers are those of the plain one."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from sonoquality.arrays import Luma, UnitImage
from sonoquality.mllm.port import MultimodalError

pytest.importorskip("transformers")
pytestmark = pytest.mark.train

SIDE = 56
PICTURES: list[UnitImage] = [
    np.random.default_rng(n).integers(0, 256, (SIDE, SIDE)).astype(np.float32) / np.float32(255)
    for n in range(3)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with drawn weights, three times as large so that pictures make a difference."""
    import torch

    from sonoquality.training.mllm.config import Shape
    from sonoquality.training.mllm.loop import Pupil, save
    from sonoquality.training.mllm.words import learn_tokenizer

    torch.manual_seed(5)
    shape = Shape(side=SIDE, vision_width=32, vision_depth=2, text_width=32, text_depth=2, heads=2)
    tokenizer = learn_tokenizer()
    pupil = Pupil(shape, tokenizer)
    for weight in pupil.network.parameters():
        weight.data *= 3
    return save(pupil, tokenizer, shape, tmp_path_factory.mktemp("model") / "model")


def asked() -> list["Question"]:  # type: ignore[name-defined]  # noqa: F821  # needs the extra
    """Return all questions about a lesion."""
    from sonoquality.training.mllm.questions import LESION, Known, questions_of

    outline = np.zeros((SIDE, SIDE), np.bool_)
    outline[10:20, 30:50] = True
    known = Known(
        organ="fetal head", lesion=True, finding="cyst", findings=("cyst", "normal"), thing=LESION
    )
    return questions_of(known, outline)


def test_many_at_once_are_what_transformers_says_one_by_one(folder: Path) -> None:
    """The fast pass, the local adapter through transformers' own, and the class over the port."""
    from sonoquality.labelling.asking import PortExaminee, TrainedExaminee
    from sonoquality.mllm.local import LocalMultimodal

    model = LocalMultimodal(folder)
    fast, plain = TrainedExaminee(folder), PortExaminee(model, SIDE)
    a, b = (each.question_losses(asked(), PICTURES) for each in (fast, plain))

    assert (3, 6) == a.shape
    assert a.std(axis=0).min() > 1e-3  # what is seen makes a difference
    assert b == pytest.approx(a, abs=1e-3)
    assert fast.losses(asked(), PICTURES) == pytest.approx(a.mean(axis=1))
    assert fast.own_answers(asked(), PICTURES[0]) == plain.own_answers(asked(), PICTURES[0])


def test_the_models_own_answer_costs_it_least(folder: Path) -> None:
    """Consistency: no candidate is likelier on the same picture."""
    from sonoquality.labelling.asking import TrainedExaminee

    model = TrainedExaminee(folder)
    own = model.own_answers(asked(), PICTURES[0])
    least = model.question_losses(asked(), PICTURES[:1], own)[0]

    for question, cost in zip(asked(), least, strict=True):
        for candidate in question.candidates:
            found = model.question_losses([question], PICTURES[:1], [candidate])[0, 0]
            assert cost <= found + 1e-5


class Sure:
    """Says one word whatever is shown, and any other where there is something to see."""

    name = "sure"

    def logprobs(
        self, images: Sequence[Luma], prompt: str, candidates: Sequence[str]
    ) -> list[float]:
        """Know organs without looking."""
        blind = "organ" in prompt
        return [math.log(0.6 if blind or images[0].any() else 0.4) for _ in candidates]

    def generate(self, images: Sequence[Luma], prompt: str, max_tokens: int) -> str:
        """Say the one word."""
        return "liver"


def test_what_is_known_without_looking_is_not_asked() -> None:
    """The text-only control: a black picture."""
    from sonoquality.labelling.asking import PortExaminee

    left = PortExaminee(Sure(), SIDE).needing_the_picture(asked())

    assert ["lesion", "finding", "place", "size", "shape"] == [each.kind for each in left]


def test_a_folder_that_is_no_model_is_refused_with_the_remedy(tmp_path: Path) -> None:
    """Both ways to load."""
    from sonoquality.labelling.asking import TrainedExaminee
    from sonoquality.mllm.local import LocalMultimodal

    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        TrainedExaminee(tmp_path)
    with pytest.raises(MultimodalError, match=r"config\.json"):
        LocalMultimodal(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "no_such"}')
    with pytest.raises(MultimodalError, match="can't be loaded"):
        LocalMultimodal(tmp_path)


def test_the_local_model_speaks_and_weighs_words(folder: Path) -> None:
    """Probabilities of all next tokens sum to one; an opening is gone on from; text is bounded."""
    from sonoquality.mllm.local import LocalMultimodal

    model = LocalMultimodal(folder)
    shown = np.random.default_rng(1).integers(0, 255, (80, 60), np.uint8)
    one, two = [" left"], [" upper left"]
    first = model.logprobs([shown], "Where is the head?", [" upper"])[0]
    then = model.logprobs([shown], "Where is the head?\n upper", one)[0]

    assert model.logprobs([shown], "Where is the head?", two)[0] == pytest.approx(
        (first + then) / 2, abs=1e-4
    )
    assert model.logprobs([], "Where is the head?", one)[0] < 0
    assert len(model.generate([shown], "Where is the head?", 3).split()) <= 3
    with pytest.raises(MultimodalError, match="empty"):
        model.logprobs([shown], "Where?", [""])
