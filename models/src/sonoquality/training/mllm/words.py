"""The small tokenizer: byte-level, so that any text can be asked, whole words where ours are."""

from collections.abc import Iterable
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from sonoquality.networks.picture_language import END, IMAGE, PAD, VIDEO, VISION_END, VISION_START
from sonoquality.training.mllm.cases import FINDINGS, ORGANS
from sonoquality.training.mllm.questions import (
    CYST,
    HEAD,
    LESION,
    LIVER,
    MASS,
    OVARY,
    PLACES,
    SHAPES,
    SIZES,
    WORDINGS,
    YES_NO,
)

VOCABULARY = 1200  #: at most; whole words are found long before
TEMPLATE = (
    "{% for message in messages %}{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}{% if part['type'] == 'image' %}"
    f"{VISION_START}{IMAGE}{VISION_END}"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}{% endfor %}"
)


def learn_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer of all questions and answers; the same every time."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [PAD, END, VISION_START, VISION_END, IMAGE, VIDEO]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sorted(set(sentences())), trainer)
    made: Any = PreTrainedTokenizerFast
    fast: PreTrainedTokenizerFast = made(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        extra_special_tokens=[VISION_START, VISION_END, IMAGE, VIDEO],
        chat_template=TEMPLATE,
    )
    return fast


def sentences() -> Iterable[str]:
    """Return every question, and every answer with its leading space."""
    things = [thing.name for thing in (LESION, MASS, LIVER, HEAD, CYST, OVARY)]
    organs = sorted(set(ORGANS.values()))
    for ways in WORDINGS.values():
        for way in ways:
            yield from (way.format(organ=o, thing=t) for o in organs for t in things)
    findings = [finding for found in FINDINGS.values() for finding in found.values()]
    for answer in (*organs, *findings, *PLACES, *SIZES, *SHAPES, *YES_NO):
        yield f" {answer}"
