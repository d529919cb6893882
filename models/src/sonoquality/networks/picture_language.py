"""Transformers' Qwen2-VL in any size, and many questions about many pictures in one pass.

A picture comes first and attention looks back only, so its tokens pass the language model once,
whatever is asked of it; every question goes on from what was kept of them. The numbers are those
of the plain forward pass.
"""

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional
from transformers import DynamicCache, Qwen2VLConfig, Qwen2VLForConditionalGeneration
from transformers.vision_utils import get_vision_position_ids

PAD, END, IMAGE, VIDEO = "<|endoftext|>", "<|im_end|>", "<|image_pad|>", "<|video_pad|>"
VISION_START, VISION_END = "<|vision_start|>", "<|vision_end|>"
MERGE, CHANNELS, FRAMES = 2, 3, 2
MEAN = SCALE = 0.5  #: pictures are normalised by (x - mean) / scale
IGNORED = -100
#: Base of the rotary places. Rows and columns have the slower turns, which must differ within the
#: few tokens of a small picture: with the usual bases all columns look alike.
TURNING = 4.0
INITIAL = 0.06  #: spread of drawn weights; transformers' 0.02 suits ten times our widths


@dataclass(frozen=True, slots=True, kw_only=True)
class TowerSizes:
    """Size and shape of both towers."""

    side: int  #: px of a square picture
    patch: int  #: px
    vision_width: int
    vision_depth: int
    text_width: int
    text_depth: int
    heads: int
    vocabulary: int
    tokens: dict[str, int]  #: number of each of the special tokens above

    @property
    def grid(self) -> int:
        """Patches along a side."""
        return self.side // self.patch

    @property
    def n_tokens(self) -> int:
        """Tokens of a picture in the language model."""
        return (self.grid // MERGE) ** 2


def build(sizes: TowerSizes) -> Qwen2VLForConditionalGeneration:
    """Return a network with drawn weights (torch's seed decides)."""
    half = sizes.text_width // sizes.heads // 2
    section = [half - 2 * (half // 3), half // 3, half // 3]
    config = Qwen2VLConfig(
        text_config={
            "vocab_size": sizes.vocabulary,
            "hidden_size": sizes.text_width,
            "intermediate_size": 3 * sizes.text_width,
            "num_hidden_layers": sizes.text_depth,
            "num_attention_heads": sizes.heads,
            "num_key_value_heads": sizes.heads,
            "max_position_embeddings": 512,
            "initializer_range": INITIAL,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": TURNING,
                "mrope_section": section,
            },
            "bos_token_id": None,
            "eos_token_id": sizes.tokens[END],
            "pad_token_id": sizes.tokens[PAD],
        },
        vision_config={
            "depth": sizes.vision_depth,
            "embed_dim": sizes.vision_width,
            "hidden_size": sizes.text_width,
            "num_heads": sizes.heads,
            "patch_size": sizes.patch,
            "hidden_act": "gelu",
            "initializer_range": INITIAL,
        },
        image_token_id=sizes.tokens[IMAGE],
        video_token_id=sizes.tokens[VIDEO],
        vision_start_token_id=sizes.tokens[VISION_START],
        vision_end_token_id=sizes.tokens[VISION_END],
        tie_word_embeddings=True,
    )
    return Qwen2VLForConditionalGeneration(config)


def patches_of(pictures: Tensor, patch: int) -> Tensor:
    """Return pictures (n, side, side) in [0, 1] as Qwen2-VL's processor hands them over.

    Returns:
        (n * patches, channels * frames * patch * patch), patches in groups of two by two.
    """
    flat = _cut(pictures, patch)[:, None]
    return flat.expand(-1, CHANNELS * FRAMES, -1).reshape(len(flat), -1)


def _cut(pictures: Tensor, patch: int) -> Tensor:
    """Return the normalised patches (n * patches, px), in groups of two by two."""
    n, side, _ = pictures.shape
    groups = side // patch // MERGE
    cut = ((pictures - MEAN) / SCALE).view(n, groups, MERGE, patch, groups, MERGE, patch)
    return cut.permute(0, 1, 4, 2, 5, 3, 6).reshape(-1, patch * patch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What the language model keeps of pictures."""

    kept: list[tuple[Tensor, Tensor]]  #: by layer keys and values (picture, head, token, width)
    patches: Tensor  #: (picture, patch, width) of the vision tower, in groups of two by two


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Questions with answers as tokens, padded to the right."""

    tokens: Tensor  #: (question, token)
    targets: Tensor  #: (question, token): the answer's where it stands, `IGNORED` elsewhere

    def repeated(self, n: int) -> "Asked":
        """Return all questions n times over, in their order."""
        return Asked(tokens=self.tokens.repeat(n, 1), targets=self.targets.repeat(n, 1))


class Asker:
    """Looks at pictures once and asks many questions of each."""

    def __init__(self, network: Qwen2VLForConditionalGeneration) -> None:
        self.network = network
        network.set_attn_implementation("eager")  # the fused form is slower in bfloat16 on a CPU
        self._config = cast("Any", network.config)
        self.patch = int(self._config.vision_config.patch_size)

    def look(self, pictures: Tensor) -> Looked:
        """Pass pictures (n, side, side) in [0, 1] through the vision tower and as a prefix."""
        model, config = self.network.model, self._config
        grid = pictures.shape[1] // self.patch
        seen = _seen(model.visual, pictures, self.patch)
        tokens = model.visual.merger(seen)
        tokens = tokens.view(len(pictures), -1, config.text_config.hidden_size)
        ends = torch.tensor([config.vision_start_token_id, config.vision_end_token_id])
        start, end = (
            each.expand(len(pictures), 1, -1) for each in model.get_input_embeddings()(ends)
        )
        cache = DynamicCache()
        model.language_model(
            inputs_embeds=torch.cat([start, tokens.to(start.dtype), end], dim=1),
            position_ids=_places(grid // MERGE).expand(3, len(pictures), -1),
            past_key_values=cache,
            use_cache=True,
        )
        layers: list[Any] = cache.layers
        kept = [(layer.keys, layer.values) for layer in layers]
        return Looked(kept=kept, patches=seen)

    def log_likelihoods(self, looked: Looked, asked: Asked, of: Tensor) -> Tensor:
        """Return the log-likelihood (question, token) of every target, 0 where there is none.

        Args:
            looked: pictures.
            asked: questions.
            of: (question,) number of the picture that each is asked about.
        """
        at = asked.targets != IGNORED
        expected = torch.log_softmax(self.logits(looked, asked, of), dim=-1)
        found = torch.zeros(at.shape)
        found[at] = expected.gather(-1, asked.targets[at][:, None])[:, 0]
        return found

    def logits(self, looked: Looked, asked: Asked, of: Tensor) -> Tensor:
        """Return (target, word): what is expected where each target stands, line by line."""
        cache = DynamicCache()
        for number, (keys, values) in enumerate(looked.kept):
            cache.update(keys[of], values[of], number)
        side = round((looked.kept[0][0].shape[2] - 2) ** 0.5)
        steps = torch.arange(asked.tokens.shape[1] - 1) + side + 2
        hidden = self.network.model.language_model(
            input_ids=asked.tokens[:, :-1],
            position_ids=steps.expand(3, len(of), -1),
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        logits: Tensor = self.network.lm_head(hidden[asked.targets[:, 1:] != IGNORED]).float()
        return logits


def _seen(visual: Any, pictures: Tensor, patch: int) -> Tensor:
    """Return (picture, patch, width) of the vision tower, all pictures at once.

    Transformers' own pass takes one picture after another in its attention, and convolves three
    equal channels of two equal frames.
    """
    n, grid = len(pictures), pictures.shape[1] // patch
    embed = visual.patch_embed.proj.weight.sum(dim=(1, 2)).flatten(1)
    x = functional.linear(_cut(pictures, patch).view(n, grid * grid, -1), embed)
    place = get_vision_position_ids(torch.tensor([[1, grid, grid]]), MERGE, kwargs={})
    turn = visual.rotary_pos_emb(x, place)
    for block in visual.blocks:
        x = x + _mixed(block.attn, block.norm1(x), turn)
        x = x + block.mlp(block.norm2(x))
    return x


def _mixed(attention: Any, x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Mix the patches (picture, patch, width) of each picture."""
    n, patches, width = x.shape
    qkv = attention.qkv(x).view(n, patches, 3, attention.num_heads, -1)
    query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
    query, key = (_turned(each, *turn).to(value.dtype) for each in (query, key))
    weights = (query * attention.scaling @ key.transpose(-2, -1)).softmax(dim=-1)
    mixed = weights.to(value.dtype) @ value
    out: Tensor = attention.proj(mixed.transpose(1, 2).reshape(n, patches, width))
    return out


def _turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.float().chunk(2, dim=-1)
    return x.float() * cos + torch.cat([-second, first], dim=-1) * sin


def _places(side: int) -> Tensor:
    """Return (3, 1, side * side + 2): time, row and column of start, picture and end."""
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    picture = torch.stack([torch.zeros_like(row), row, column]).view(3, -1) + 1
    start, end = torch.zeros(3, 1, dtype=torch.long), torch.full((3, 1), side + 1)
    return torch.cat([start, picture, end], dim=1)[:, None]
