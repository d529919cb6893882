"""Seeded damage to inputs: what a fuzzer without coverage does, the same on every machine."""

import random
from collections.abc import Callable, Sequence
from typing import Final

from tests.fuzz.harness import MAX_INPUT_BYTES

EDGES: Final = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""Numbers at which lengths and counts go wrong."""
MOST_CHANGES: Final = 6

Damage = Callable[[random.Random, bytearray, Sequence[bytes]], None]


def mutated(rng: random.Random, inputs: Sequence[bytes]) -> bytes:
    """Return one of the inputs with a few pieces changed, cut out, repeated or spliced in."""
    octets = bytearray(rng.choice(inputs))
    for _ in range(rng.randint(1, MOST_CHANGES)):
        rng.choice(DAMAGES)(rng, octets, inputs)
    return bytes(octets[:MAX_INPUT_BYTES])


def _at(rng: random.Random, octets: bytearray) -> int:
    """Return a place, more often near the start, where headers are."""
    whole = len(octets)
    if rng.randrange(2):
        return rng.randint(0, whole)
    return min(int(rng.expovariate(4 / (whole + 1))), whole)


def _change(rng: random.Random, octets: bytearray, _inputs: Sequence[bytes]) -> None:
    at = _at(rng, octets)
    octets[at : at + 1] = rng.randbytes(1)


def _flip(rng: random.Random, octets: bytearray, _inputs: Sequence[bytes]) -> None:
    at = _at(rng, octets)
    octets[at : at + 1] = bytes(each ^ 1 << rng.randrange(8) for each in octets[at : at + 1])


def _to_an_edge(rng: random.Random, octets: bytearray, _inputs: Sequence[bytes]) -> None:
    size, at = rng.choice((1, 2, 4)), _at(rng, octets)
    number = rng.choice(EDGES) & (1 << 8 * size) - 1
    octets[at : at + size] = number.to_bytes(size, rng.choice(("little", "big")))


def _cut_out(rng: random.Random, octets: bytearray, _inputs: Sequence[bytes]) -> None:
    at = _at(rng, octets)
    del octets[at : at + rng.randint(1, 32)]


def _repeat(rng: random.Random, octets: bytearray, _inputs: Sequence[bytes]) -> None:
    at = _at(rng, octets)
    octets[at:at] = octets[at : at + rng.randint(1, 200)]


def _splice(rng: random.Random, octets: bytearray, inputs: Sequence[bytes]) -> None:
    other, at = rng.choice(inputs), _at(rng, octets)
    start = rng.randint(0, len(other))
    piece = other[start : start + rng.randint(1, 400)]
    octets[at : at + len(piece) * rng.randrange(2)] = piece


def _end_early(rng: random.Random, octets: bytearray, _inputs: Sequence[bytes]) -> None:
    del octets[_at(rng, octets) :]


DAMAGES: Final[Sequence[Damage]] = (
    _change, _change, _flip, _to_an_edge, _to_an_edge, _cut_out, _repeat, _splice, _end_early,
)  # fmt: skip
