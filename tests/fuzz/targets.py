"""Every way in that is fuzzed, by name."""

from collections.abc import Mapping
from typing import Final

from tests.fuzz import conversations, objects, seeds, services
from tests.fuzz.harness import Run, Seeds, Side, Target


def _gate(name: str, run: Run, made: Seeds) -> Target:
    return Target(name=name, side=Side.GATE, run=run, seeds=made)


def _worker(name: str, run: Run, made: Seeds) -> Target:
    return Target(name=name, side=Side.WORKER, run=run, seeds=made)


def _exchanges() -> Mapping[str, bytes]:
    bare = [
        {name: each[1:] for name, each in made.items() if each[0] % 4 == 0}
        for made in (services.steps(), services.requests())
    ]
    return conversations.exchanges(*bare)


_DOORS: Final = (
    _gate("pdu", conversations.converse, conversations.conversations),
    _gate("dimse", conversations.exchange, _exchanges),
    _gate("command", services.read_commands, services.commands),
    _gate("step", services.take_step, services.steps),
    _gate("commitment", services.take_request, services.requests),
    _gate("archive", services.read_answers, services.answers),
    _gate("stow", services.upload, services.uploads),
)

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

TARGETS: Final[Mapping[str, Target]] = {
    each.name: each for each in (*_DOORS, *_READERS, *_DECODERS)
}
