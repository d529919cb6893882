"""A multimodal model in a folder of Hugging Face form, run in this process by transformers.

Nothing is fetched, and no code that lies in the folder is run. Where torchvision is not installed,
transformers makes no processor of the Qwen-VL families, since these read videos too; pictures and
text are then put together here.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import (
    AutoImageProcessor,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
)

from sonoquality.arrays import Luma
from sonoquality.mllm.port import MultimodalError, turns

CONFIG = "config.json"
SAYS = "trained_here"  #: key of a configuration that this project wrote: on what, in a sentence
WEIGHTS = "*.safetensors"
#: What transformers raises of folders that are not whole, not its own, or lack a package.
LOADING = (OSError, ValueError, ImportError, KeyError, AttributeError, RuntimeError)
IMAGE = "<|image_pad|>"  #: a picture in the text of the Qwen-VL families
Inputs = dict[str, Tensor]


class LocalMultimodal:
    """Implements `Multimodal` over a local folder."""

    def __init__(self, folder: Path) -> None:
        """Load weights, tokenizer and the way pictures are read.

        Raises:
            MultimodalError: the folder is not a whole model that transformers knows.
        """
        if not (folder / CONFIG).is_file():
            raise MultimodalError(
                f"{folder} holds no {CONFIG}; name the folder of a model in Hugging Face form."
            )
        try:
            self._model: Any = AutoModelForImageTextToText.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
            self._reader = _reader(folder)
        except LOADING as error:
            raise MultimodalError(f"{folder} can't be loaded by transformers: {error}") from error
        self._model.train(mode=False)
        self.name = folder.resolve().name

    def logprobs(
        self, images: Sequence[Luma], prompt: str, candidates: Sequence[str]
    ) -> list[float]:
        """Return the mean log-probability of each candidate's tokens after the prompt.

        Raises:
            MultimodalError: the prompt can't be put together, or a candidate has no token.
        """
        before = self._reader(images, prompt)
        words = [self._reader.tokens_of(candidate) for candidate in candidates]
        if not all(words):
            raise MultimodalError("A candidate is empty; name words with their leading space.")
        first = self._after(before, [])[0]
        return [
            float(first[each[0]]) if len(each) == 1 else self._mean(before, each) for each in words
        ]

    @torch.no_grad()
    def generate(self, images: Sequence[Luma], prompt: str, max_tokens: int) -> str:
        """Return the likeliest words, at most so many tokens.

        Raises:
            MultimodalError: the prompt can't be put together.
        """
        before = self._reader(images, prompt)
        said = self._model.generate(**before, max_new_tokens=max_tokens, do_sample=False)
        return self._reader.text_of(said[0, before["input_ids"].shape[1] :])

    def _mean(self, before: Inputs, words: Sequence[int]) -> float:
        found = self._after(before, words[:-1])
        each = [found[place, word] for place, word in enumerate(words)]
        return float(torch.stack(each).mean())

    @torch.no_grad()
    def _after(self, before: Inputs, words: Sequence[int]) -> Tensor:
        """Return (word + 1, vocabulary): the log-probabilities of what follows."""
        self._model.model.rope_deltas = None  # kept of the call before, of another length
        given = before | {
            name: torch.cat([tensor, fill.to(tensor.dtype)], dim=1)
            for name, fill in _fills(words).items()
            if (tensor := before.get(name)) is not None
        }
        logits = self._model(**given, use_cache=False).logits[0, -len(words) - 1 :]
        return torch.log_softmax(logits.float(), dim=-1)


def about(folder: Path) -> dict[str, str]:
    """Say what a folder holds; a model that was trained here with the hash of its weights, too."""
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    kind = str(config.get("model_type", "of no known kind"))
    if SAYS not in config:
        return {"says": kind}
    digest = hashlib.sha256()
    for path in sorted(folder.glob(WEIGHTS)):
        digest.update(path.read_bytes())
    return {
        "says": f"{kind}, {config[SAYS]}",
        "model": folder.resolve().name,
        "version": "0",
        "sha256": digest.hexdigest(),
    }


def _fills(words: Sequence[int]) -> Mapping[str, Tensor]:
    """Return what words add to the inputs that have a column for each token."""
    more = torch.tensor([list(words)], dtype=torch.long)
    return {
        "input_ids": more,
        "attention_mask": torch.ones_like(more),
        "mm_token_type_ids": torch.zeros_like(more),
        "token_type_ids": torch.zeros_like(more),
    }


class _Reader:
    """Puts pictures and a prompt together by the folder's own processor."""

    def __init__(self, processor: Any, tokenizer: Any) -> None:
        self._processor, self._tokenizer = processor, tokenizer

    def __call__(self, images: Sequence[Luma], prompt: str) -> Inputs:
        """Return what the model is handed."""
        text = self._text(len(images), prompt)
        pictures = [Image.fromarray(np.asarray(image)).convert("RGB") for image in images]
        try:
            return self._joined(pictures, text)
        except (ValueError, IndexError, TypeError) as error:
            raise MultimodalError(
                f"Pictures and prompt don't go together in this model: {error}"
            ) from error

    def tokens_of(self, words: str) -> list[int]:
        """Return the numbers of the tokens of what is said, nothing put before it."""
        return list(self._tokenizer(words, add_special_tokens=False)["input_ids"])

    def text_of(self, tokens: Tensor) -> str:
        """Return what tokens say."""
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True))

    def _joined(self, pictures: list[Image.Image], text: str) -> Inputs:
        return dict(self._processor(images=pictures or None, text=[text], return_tensors="pt"))

    def _text(self, n_images: int, prompt: str) -> str:
        question, opening = turns(prompt)
        parts = [{"type": "image"}] * n_images + [{"type": "text", "text": question}]
        templated = self._processor if hasattr(self._processor, "chat_template") else None
        speaker = templated if templated is not None else self._tokenizer
        if not speaker.chat_template:
            raise MultimodalError(
                "The folder has no chat template, so where pictures stand in a prompt is unknown; "
                "add chat_template.jinja."
            )
        text = speaker.apply_chat_template(
            [{"role": "user", "content": parts}], add_generation_prompt=True, tokenize=False
        )
        return f"{text}{opening}"


class _PairReader(_Reader):
    """Puts pictures and text together as the processors of the Qwen-VL families do."""

    def _joined(self, pictures: list[Image.Image], text: str) -> Inputs:
        read = dict(self._processor(images=pictures, return_tensors="pt")) if pictures else {}
        counts = read["image_grid_thw"].prod(dim=1) // self._processor.merge_size**2 if read else []
        before, *after = text.split(IMAGE)
        if len(after) != len(counts):
            raise ValueError(f"{len(pictures)} pictures for {len(after)} places in the template")
        whole = before + "".join(
            IMAGE * int(n) + rest for n, rest in zip(counts, after, strict=True)
        )
        found = dict(self._tokenizer([whole], add_special_tokens=False, return_tensors="pt"))
        inputs = {name: found[name] for name in ("input_ids", "attention_mask")}
        of_pictures = inputs["input_ids"] == self._tokenizer.convert_tokens_to_ids(IMAGE)
        return inputs | read | {"mm_token_type_ids": of_pictures.int()}


def _reader(folder: Path) -> _Reader:
    processors: Any = AutoProcessor
    image_processors: Any = AutoImageProcessor
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if find_spec("torchvision") is not None:
        processor = processors.from_pretrained(folder, local_files_only=True)
        return _Reader(processor, tokenizer)
    if tokenizer.convert_tokens_to_ids(IMAGE) != tokenizer.unk_token_id:
        images = image_processors.from_pretrained(folder, local_files_only=True)
        return _PairReader(images, tokenizer)
    return _Reader(processors.from_pretrained(folder, local_files_only=True), tokenizer)
