"""Ask entrants about a data set; what was answered before is not asked again."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from sonoquality.arrays import Floats, Luma
from sonoquality.mllm.port import Multimodal
from sonoquality.qbench import kept, prompts
from sonoquality.qbench.answers import Answer, key_of
from sonoquality.qbench.entrants import Entrant, Metric, Speaker
from sonoquality.qbench.items import Bench, Item

CLASSIFY, SAY, RATE, COMPARE, FREE, MEASURE = (
    "classify",
    "say",
    "rate",
    "compare",
    "free",
    "measure",
)
CONTENTS = ("blank", "mean")  #: pictures without content
SIDE = 224  #: px of a picture without content
N_MEAN = 32  #: pictures that the mean one is made of
SAY_TOKENS = 12

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One thing to ask a language model."""

    key: str
    ids: tuple[str, ...]  #: items shown, in this order; empty: pictures without content
    ask: Callable[[Multimodal, Sequence[Luma]], Answer]


def run(
    bench: Bench,
    entrants: Sequence[Entrant],
    out: Path,
    progress: Progress,
    levels: Sequence[int] = prompts.LEVELS,
) -> Path:
    """Ask every entrant everything.

    Args:
        bench: the data set.
        entrants: who is asked.
        out: folder of all runs; see `kept`.
        progress: called with the work, how much of it is done, and how much there is.
        levels: of the prompts, for language models.

    Returns:
        The folder of the data set's answers.

    Raises:
        QualityError: a picture can't be read, or a model does not answer; what was answered is
            kept, and the next run goes on behind it.
    """
    folder = kept.keep(out, bench)
    metrics = [each for each in entrants if isinstance(each, Metric)]
    for metric in metrics:
        kept.note(folder, metric, {})
    _measure(bench, metrics, folder, progress)
    for each in entrants:
        if isinstance(each, Speaker):
            own = list(levels) if each.reads else list(levels)[:1]
            said = {"levels": own, "prompts": fingerprint()}
            kept.note(folder, each, said)
            _interview(bench, each, folder, own, progress)
            kept.note(folder, each, {**said, "way": getattr(each.model, "way", "")})
    return folder


def fingerprint() -> str:
    """Return a short hash of every prompt's wording: answers to other words don't mix."""
    item = Item(id="", path="", organ="heart")
    texts = [
        asked.prompt + "".join(asked.candidates)
        for level in prompts.LEVELS
        for asked in (
            prompts.classify(item, level),
            prompts.compare(item, level),
            *(prompts.rate(item, name, level) for name in prompts.INDICATORS),
        )
    ]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]


def graded(bench: Bench) -> list[Item]:
    """Return the items that tasks one and two ask about."""
    return [item for item in bench.items if item.label or item.score is not None]


def _measure(bench: Bench, metrics: Sequence[Metric], folder: Path, progress: Progress) -> None:
    """Read every picture once and let all measures see it."""
    told = [(metric, kept.answers_of(folder, metric.name)) for metric in metrics]
    for number, item in enumerate(bench.items if metrics else (), start=1):
        key = key_of(MEASURE, item.id)
        missing = [(metric, answers) for metric, answers in told if key not in answers]
        if missing:
            luma, mask = item.read()
            for metric, answers in missing:
                found = metric.measure(luma, mask)
                answers.add(key, {"value": float(found.value), "band": found.band})
        progress(f"{bench.name}: measures", number, len(bench.items))


def _interview(
    bench: Bench, speaker: Speaker, folder: Path, levels: Sequence[int], progress: Progress
) -> None:
    answers = kept.answers_of(folder, speaker.name)
    questions = list(questions_of(bench, levels))
    by_id = bench.by_id()
    seen: dict[str, Luma] = {}
    mean: Luma | None = None
    for number, question in enumerate(questions, start=1):
        if question.key not in answers:
            if question.ids:
                seen = {x: seen[x] if x in seen else by_id[x].read()[0] for x in question.ids}
                shown = [seen[x] for x in question.ids]
            elif question.key.endswith(CONTENTS[0]):
                shown = [np.zeros((SIDE, SIDE), np.uint8)]
            else:
                mean = mean_picture(bench.items) if mean is None else mean
                shown = [mean]
            answers.add(question.key, question.ask(speaker.model, shown))
        progress(f"{bench.name}: {speaker.name}", number, len(questions))


def questions_of(bench: Bench, levels: Sequence[int]) -> Iterator[Question]:
    """Return all that a language model is asked, picture by picture, then pair by pair."""
    yield from _without_content(bench, levels)
    for item in graded(bench):
        for level in levels:
            asked = prompts.classify(item, level)
            yield _choice(key_of(CLASSIFY, level, item.id), (item.id,), asked)
            yield _speech(key_of(SAY, level, item.id), (item.id,), asked)
            for name in prompts.INDICATORS:
                asked = prompts.rate(item, name, level)
                yield _choice(key_of(RATE, name, level, item.id), (item.id,), asked)
    by_id = bench.by_id()
    for pair in bench.pairs:
        for level in levels:
            asked = prompts.compare(by_id[pair.better], level)
            for ids in ((pair.better, pair.worse), (pair.worse, pair.better)):
                yield _choice(key_of(COMPARE, level, *ids), ids, asked)


def _without_content(bench: Bench, levels: Sequence[int]) -> Iterator[Question]:
    asked = {
        prompts.classify(item, level).prompt: prompts.classify(item, level)
        for level in levels
        for item in graded(bench)
    }
    for each in asked.values():
        for content in CONTENTS:
            yield _choice(free_key(each, content), (), each)


def free_key(asked: prompts.Asked, content: str) -> str:
    """Return the key of a prompt asked about a picture without content."""
    return key_of(FREE, hashlib.sha256(asked.prompt.encode()).hexdigest()[:12], content)


def _choice(key: str, ids: tuple[str, ...], asked: prompts.Asked) -> Question:
    def ask(model: Multimodal, images: Sequence[Luma]) -> Answer:
        return {"logprobs": model.logprobs(images, asked.prompt, asked.candidates)}

    return Question(key=key, ids=ids, ask=ask)


def _speech(key: str, ids: tuple[str, ...], asked: prompts.Asked) -> Question:
    def ask(model: Multimodal, images: Sequence[Luma]) -> Answer:
        return {"text": model.generate(images, asked.prompt, SAY_TOKENS)}

    return Question(key=key, ids=ids, ask=ask)


def mean_picture(items: Sequence[Item]) -> Luma:
    """Return the mean of some pictures of a set, spread over it, at 224 px."""
    step = max(1, len(items) // N_MEAN)
    chosen = items[::step][:N_MEAN]
    total: Floats = np.zeros((SIDE, SIDE))
    for item in chosen:
        total += np.asarray(Image.fromarray(item.read()[0]).resize((SIDE, SIDE)), np.float64)
    return np.rint(total / len(chosen)).astype(np.uint8)
