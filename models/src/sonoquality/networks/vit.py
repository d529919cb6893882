"""One vision transformer for every profile; its parameters are named as timm names them."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from sonoquality.networks.identity import SHOWN, Parent, sha256_of
from sonoquality.networks.profiles import WINDOW, EncoderProfile

EPSILON = 1e-6  #: of the layer norms, as in TinyUSFM


class Attention(nn.Module):
    """Multi-head self-attention with biased query, key and value.

    Written out, since torch's fused form is 2.5 times slower than this in bfloat16 on a CPU.
    """

    def __init__(self, profile: EncoderProfile) -> None:
        super().__init__()
        self.heads = profile.heads
        self.qkv = nn.Linear(profile.width, 3 * profile.width)
        self.proj = nn.Linear(profile.width, profile.width)

    def forward(self, x: Tensor) -> Tensor:
        """Mix tokens (n, token, width)."""
        n, tokens, width = x.shape
        qkv = self.qkv(x).reshape(n, tokens, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        scale = (width // self.heads) ** -0.5
        mixed = ((query * scale) @ key.transpose(-2, -1)).softmax(dim=-1) @ value
        out: Tensor = self.proj(mixed.transpose(1, 2).reshape(n, tokens, width))
        return out


class Mlp(nn.Module):
    """Two layers with GELU between."""

    def __init__(self, profile: EncoderProfile) -> None:
        super().__init__()
        self.fc1 = nn.Linear(profile.width, profile.mlp_ratio * profile.width)
        self.fc2 = nn.Linear(profile.mlp_ratio * profile.width, profile.width)

    def forward(self, x: Tensor) -> Tensor:
        """Map each token (n, token, width) by itself."""
        out: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return out


class Block(nn.Module):
    """Attention and MLP on a residual stream, normalised before each."""

    def __init__(self, profile: EncoderProfile) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(profile.width, eps=EPSILON)
        self.attn = Attention(profile)
        self.norm2 = nn.LayerNorm(profile.width, eps=EPSILON)
        self.mlp = Mlp(profile)

    def forward(self, x: Tensor) -> Tensor:
        """Return the residual stream (n, token, width) after this block."""
        x = x + self.attn(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class PatchEmbed(nn.Module):
    """One linear map of each patch."""

    def __init__(self, profile: EncoderProfile) -> None:
        super().__init__()
        self.proj = nn.Conv2d(profile.channels, profile.width, profile.patch, profile.patch)

    def filter(self, x: Tensor) -> Tensor:
        """Return what must be computed in fp32: here all of it."""
        out: Tensor = self.proj(x)
        return out

    def merge(self, found: Tensor) -> Tensor:
        """Return tokens (n, token, width)."""
        return found.flatten(2).transpose(1, 2)


class ConvStem(nn.Module):
    """Overlapping convolutions, each of which halves the picture: fine texture costs little here.

    A linear patch embedding sees a patch's phase; filters, a bend and an average see how strong its
    texture is, which is what blur, noise and compression change (early convolutions: Xiao et al.,
    arXiv 2106.14881).
    """

    def __init__(self, profile: EncoderProfile) -> None:
        super().__init__()
        widths = (profile.channels, *profile.stem, profile.width)
        sides = (5, *[3] * (len(widths) - 2))
        self.convs = nn.ModuleList(
            nn.Conv2d(before, after, side, stride=2, padding=side // 2)
            for before, after, side in zip(widths[:-1], widths[1:], sides, strict=True)
        )

    def filter(self, x: Tensor) -> Tensor:
        """Apply the first filters, in fp32: bfloat16 does not hold the steps of 8-bit grey."""
        out: Tensor = functional.gelu(self.convs[0](x))
        return out

    def merge(self, found: Tensor) -> Tensor:
        """Return tokens (n, token, width) of the first filters' output."""
        *between, last = list(self.convs)[1:]
        for conv in between:
            found = functional.gelu(conv(found))
        out: Tensor = last(found).flatten(2).transpose(1, 2)
        return out


class VisionTransformer(nn.Module):
    """An encoder of windows (n, channel, 224, 224) that are normalised by (x - 0.5) / 0.5."""

    def __init__(self, profile: EncoderProfile) -> None:
        super().__init__()
        self.profile = profile
        self.parent: Parent | None = None  #: none: these are the weights as they were trained
        n_tokens = profile.grid**2 + int(profile.class_token)
        if profile.class_token:
            self.cls_token = nn.Parameter(torch.zeros(1, 1, profile.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, n_tokens, profile.width))
        self.patch_embed: ConvStem | PatchEmbed = (
            ConvStem(profile) if profile.stem else PatchEmbed(profile)
        )
        self.blocks = nn.ModuleList(Block(profile) for _ in range(profile.depth))
        self.norm = nn.LayerNorm(profile.width, eps=EPSILON)
        self.apply(_begin)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)

    @property
    def parent_sha256(self) -> str:
        """Identity that all precisions of this encoder share: that of its fp32 weights."""
        return self.parent.sha256 if self.parent else sha256_of(self)

    @property
    def title(self) -> str:
        """Profile and identity, and whose weights these are where they were read back."""
        title = f"{self.profile.name}, SHA-256 {sha256_of(self)[:SHOWN]}"
        if self.parent is None:
            return title
        rounded = "the half-precision graph" if self.parent.half_precision else "a graph"
        return f"{title}, read back from {rounded} of {self.parent.sha256[:SHOWN]}"

    def channels_last(self) -> None:
        """Lay the stem's filters out as convolutions on a CPU like them."""
        for parameter in self.patch_embed.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)

    def filter(self, x: Tensor) -> Tensor:
        """Return the first filters' output; the part that must run in fp32.

        Raises:
            ValueError: the windows are not (n, channels of the profile, 224, 224).
        """
        if x.shape[1:] != (self.profile.channels, WINDOW, WINDOW):
            raise ValueError(
                f"Expected (n, {self.profile.channels}, {WINDOW}, {WINDOW}), got {tuple(x.shape)}."
            )
        return self.patch_embed.filter(x)

    def run(self, filtered: Tensor) -> list[Tensor]:
        """Return the residual stream (n, 196, width) after each tap, class token dropped.

        Args:
            filtered: what `filter` returned.
        """
        stream = self.patch_embed.merge(filtered)
        if self.profile.class_token:
            stream = torch.cat([self.cls_token.expand(len(stream), -1, -1), stream], dim=1)
        stream = stream + self.pos_embed
        found: list[Tensor] = []
        for number, block in enumerate(self.blocks, start=1):
            stream = block(stream)
            if number in self.profile.taps:
                found.append(stream[:, int(self.profile.class_token) :])
            if number == max(self.profile.taps):
                break
        return found

    def tokens(self, x: Tensor) -> list[Tensor]:
        """Return the residual stream (n, 196, width) after each tap, without the class token."""
        return self.run(self.filter(x))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Do as `tokens` does."""
        return self.tokens(x)


def _begin(module: nn.Module) -> None:
    """Draw the first weights as vision transformers do: narrow for linear, He for convolutions."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d) and module.bias is not None:
        nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        nn.init.zeros_(module.bias)
