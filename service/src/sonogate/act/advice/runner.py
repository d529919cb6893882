"""The process with the weights: answers questions on standard input, one JSON object a line.

    PYTHON -I runner.py --weights DIR --memory-bytes N

PYTHON is of an environment with torch and transformers, and without this package: so this file
imports nothing of ours, and transformers only by its name, when it is run. With an `EchoVLM.py` in
the folder that class is loaded, which needs transformers 4.47.0; without one, whatever
transformers' Auto classes make of the folder.

First line out: {"ready": true, "model": ...} or {"failed": reason}. Then for each
{"system", "text", "pictures": [base64 PNG], "max_tokens"} one {"text"} or {"failed": reason}.
"""

import argparse
import base64
import importlib
import importlib.util
import io
import json
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ECHOVLM_VERSION = "4.47.0"
"""4.57 breaks the class (`_compute_default_rope_parameters() got ... 'rope_type'`)."""
ECHOVLM_FILE = "EchoVLM.py"
PLACEHOLDER = "<|image_pad|>"


class FailedError(Exception):
    """It can't answer; its text is a reason of the gate's list."""


def confine(memory_bytes: int) -> None:
    """Bound private memory, give way to others, never ask the network for anything."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    os.nice(10)
    os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


def load(weights: Path) -> tuple[Any, Any, Any, str]:
    """Return torch, the processor, the model and its name.

    Raises:
        FailedError: something is missing, or doesn't fit.
    """
    if not (weights / "config.json").is_file() or not any(weights.glob("*.safetensors")):
        raise FailedError("no_weights")
    try:
        torch, transformers = (importlib.import_module(each) for each in ("torch", "transformers"))
    except ImportError:
        raise FailedError("no_environment") from None
    own = weights / ECHOVLM_FILE
    if own.is_file() and transformers.__version__ != ECHOVLM_VERSION:
        raise FailedError("wrong_version")
    try:
        kind = class_of(own) if own.is_file() else transformers.AutoModelForImageTextToText
        device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = torch.bfloat16 if device == "cuda" else torch.float32
        model = kind.from_pretrained(weights, torch_dtype=dtype, local_files_only=True)
        processor = processor_of(transformers, weights)
    except (MemoryError, torch.OutOfMemoryError):
        raise FailedError("out_of_memory") from None
    except AttributeError:
        raise FailedError("wrong_version") from None
    model.config.output_router_logits = False
    return torch, processor, model.to(device).eval(), type(model).__name__


def processor_of(transformers: Any, weights: Path) -> Any:
    """Return the folder's processor; without torchvision, which only films need, our own."""
    if importlib.util.find_spec("torchvision") is not None:
        return transformers.AutoProcessor.from_pretrained(weights, local_files_only=True)
    return StillProcessor(
        transformers.AutoImageProcessor.from_pretrained(weights, local_files_only=True),
        transformers.AutoTokenizer.from_pretrained(weights, local_files_only=True),
    )


class StillProcessor:
    """Qwen2-VL's processor without its part for films: a placeholder for each merged patch."""

    def __init__(self, pictures: Any, tokenizer: Any) -> None:
        self.image_processor, self.tokenizer = pictures, tokenizer
        self.apply_chat_template = tokenizer.apply_chat_template
        self.batch_decode = tokenizer.batch_decode

    def __call__(self, *, text: list[str], images: list[Any], return_tensors: str) -> Any:
        """Join one text and its pictures."""
        shown = self.image_processor(images=images, return_tensors=return_tensors)
        n_merged = self.image_processor.merge_size**2
        first, *rest = text[0].split(PLACEHOLDER)
        counts = [int(grid.prod()) // n_merged for grid in shown["image_grid_thw"]]
        pairs = zip(counts, rest, strict=True)
        joined = first + "".join(PLACEHOLDER * n + part for n, part in pairs)
        given = self.tokenizer([joined], return_tensors=return_tensors)
        is_picture = given["input_ids"] == self.tokenizer.convert_tokens_to_ids(PLACEHOLDER)
        given["mm_token_type_ids"] = is_picture.long()
        given.update(shown)
        return given


def class_of(path: Path) -> Any:
    """Run the folder's own file and return the model class in it.

    Raises:
        FailedError: there is none.
    """
    spec = importlib.util.spec_from_file_location("EchoVLM", path)
    if spec is None or spec.loader is None:
        raise FailedError("not_loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules["EchoVLM"] = module
    spec.loader.exec_module(module)
    kinds = (each for name, each in vars(module).items() if name.endswith("ConditionalGeneration"))
    found = [each for each in kinds if getattr(each, "__module__", "") == "EchoVLM"]
    if not found:
        raise FailedError("not_loaded")
    return found[0]


def answer(torch: Any, processor: Any, model: Any, asked: dict[str, Any]) -> str:
    """Generate one answer, always the likeliest next token."""
    pictures = list(opened(asked["pictures"]))
    shown = [{"type": "image"} for _ in pictures]
    messages = [
        {"role": "system", "content": [{"type": "text", "text": asked["system"]}]},
        {"role": "user", "content": [*shown, {"type": "text", "text": asked["text"]}]},
    ]
    prompt = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    given = processor(text=[prompt], images=pictures, return_tensors="pt").to(model.device)
    with torch.inference_mode():
        ids = model.generate(**given, max_new_tokens=int(asked["max_tokens"]), do_sample=False)
    said = ids[:, given["input_ids"].shape[1] :]
    return str(processor.batch_decode(said, skip_special_tokens=True)[0])


def opened(pictures: list[str]) -> Iterator[Any]:
    """Open what the gate drew."""
    image = importlib.import_module("PIL.Image")
    for each in pictures:
        with image.open(io.BytesIO(base64.b64decode(each)), formats=["PNG"]) as picture:
            yield picture.convert("RGB")


def serve(weights: Path, lines: Any, say: Any) -> None:
    """Answer line after line; an answer that fails is said, and the next is taken."""
    torch, processor, model, name = load(weights)
    say({"ready": True, "model": name})
    for line in lines:
        try:
            say({"text": answer(torch, processor, model, json.loads(line))})
        except (MemoryError, torch.OutOfMemoryError):
            say({"failed": "out_of_memory"})


def main() -> int:
    """Serve until standard input ends; return the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--memory-bytes", type=int, required=True)
    asked = parser.parse_args()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever libraries print must not be taken for an answer

    def say(said: dict[str, Any]) -> None:
        out.write(json.dumps(said) + "\n")
        out.flush()

    try:
        confine(asked.memory_bytes)
        serve(asked.weights, sys.stdin, say)
    except FailedError as error:
        say({"failed": str(error)})
        return 1
    except MemoryError:
        say({"failed": "out_of_memory"})
        return 1
    except Exception:  # noqa: BLE001 - boundary: anybody's weights and code; the reason says enough
        say({"failed": "not_loaded"})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
