"""A folder of weights: transformers' own Qwen2-VL classes, tiny, taught answers by heart.

It needs the [train] extra; nothing is downloaded.
"""

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from sonogate.act.advice.runner import StillProcessor

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.content is string %}{{ m.content }}{% else %}{% for c in m.content %}"
    "{% if c.type == 'image' or c.type == 'image_url' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ c.text }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SIDE = 56


def make_folder(folder: Path, system: str, answers: Mapping[str, str], n_steps: int) -> float:
    """Make, teach and save a model; return its last loss.

    Args:
        folder: where to.
        system: what it is told first.
        answers: by what it is asked beside two pictures, what it learns to say; whatever the
            pictures show.
        n_steps: of teaching; 0 leaves it random.
    """
    torch.manual_seed(1)
    processor = _processor([system, *answers, *answers.values()])
    model = transformers.Qwen2VLForConditionalGeneration(_config(processor.tokenizer))
    loss = _teach(model, processor, system, answers, n_steps)
    model.save_pretrained(folder)
    processor.image_processor.save_pretrained(folder)
    processor.tokenizer.save_pretrained(folder)
    return loss


def _processor(texts: list[str]) -> Any:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    kinds: Any = transformers  # some of its classes have no types
    fast = kinds.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=SPECIAL[2], pad_token=SPECIAL[0]
    )
    fast.chat_template = TEMPLATE
    pixels = {"shortest_edge": SIDE * SIDE, "longest_edge": SIDE * SIDE}
    return StillProcessor(kinds.Qwen2VLImageProcessorPil(size=pixels), fast)


def _config(tokenizer: Any) -> Any:
    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in SPECIAL}
    return transformers.Qwen2VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 2048,
            "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3]},
            "bos_token_id": ids["<|endoftext|>"],
            "eos_token_id": ids["<|im_end|>"],
            "pad_token_id": ids["<|endoftext|>"],
        },
        vision_config={
            "depth": 1,
            "embed_dim": 32,
            "hidden_size": 64,
            "num_heads": 2,
            "mlp_ratio": 2,
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )


def _teach(
    model: Any, processor: Any, system: str, answers: Mapping[str, str], n_steps: int
) -> float:
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    rng, losses = np.random.default_rng(0), dict.fromkeys(answers, 9.0)
    for _, (asked, answer) in zip(range(n_steps), cycle(answers.items()), strict=False):
        prompt = _prompt(processor, system, asked)
        shown = [Image.fromarray(rng.integers(0, 255, (90, 120, 3), np.uint8)) for _ in range(2)]
        whole = processor(text=[f"{prompt}{answer}<|im_end|>"], images=shown, return_tensors="pt")
        alone = processor(text=[prompt], images=shown, return_tensors="pt")
        labels = whole["input_ids"].clone()
        labels[:, : alone["input_ids"].shape[1]] = -100
        loss = model(**whole, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses[asked] = float(loss.detach())
        if max(losses.values()) < 0.02:
            break
    return max(losses.values())


def _prompt(processor: Any, system: str, asked: str) -> str:
    shown = [{"type": "image"}, {"type": "image"}, {"type": "text", "text": asked}]
    messages = [
        {"role": "system", "content": [{"type": "text", "text": system}]},
        {"role": "user", "content": shown},
    ]
    text: str = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return text
