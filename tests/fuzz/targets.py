"""Every way in that is fuzzed, by name."""

from collections.abc import Mapping
from typing import Final

from tests.fuzz import objects, seeds
from tests.fuzz.harness import Side, Target


def _worker(name: str, run: object, made: object) -> Target:
    return Target(name=name, side=Side.WORKER, run=run, seeds=made)  # type: ignore[arg-type]


_READERS: Final = (
    _worker("object", objects.read_object, seeds.objects),
    _worker("deflated", objects.read_deflated, seeds.deflated),
    _worker("native", objects.read_native, seeds.natives),
    _worker("palette", objects.read_palette, seeds.palettes),
    _worker("picture", objects.read_picture, seeds.pictures),
)
_DECODERS: Final = tuple(
    _worker(name, objects.decoder(syntaxes), getattr(seeds, name))
    for name, syntaxes in objects.FAMILIES.items()
)

TARGETS: Final[Mapping[str, Target]] = {each.name: each for each in (*_READERS, *_DECODERS)}
