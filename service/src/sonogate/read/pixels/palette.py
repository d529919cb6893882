"""Palette colour tables, 8 and 16 bit, plain and segmented (PS3.3 C.7.9).

pydicom's tables are not used: its `apply_color_lut` swaps the bytes of 16-bit tables of big-endian
objects (pydicom 3.0).
"""

from typing import cast

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from sonogate.errors import UndecodableError

CHANNELS = ("Red", "Green", "Blue")
MAX_ENTRIES = 65_536
DISCRETE, LINEAR, INDIRECT = 0, 1, 2

Words = NDArray[np.uint16]


def apply_palette(
    indices: NDArray[np.generic], dataset: Dataset, *, signed: bool
) -> NDArray[np.uint8]:
    """Look the stored values up.

    Args:
        indices: (height, width) stored values.
        dataset: holds the tables.
        signed: Pixel Representation is 1: the first mapped value may be negative.

    Returns:
        (height, width, 3) RGB; of 16-bit tables the high byte.

    Raises:
        UndecodableError: a table is missing or shorter than it says.
    """
    tables = [_table(dataset, channel) for channel in CHANNELS]
    first = _first_mapped(dataset, signed=signed)
    position = indices.astype(np.int32) - first
    return np.stack([table[np.clip(position, 0, len(table) - 1)] for table in tables], axis=-1)


def _raw(dataset: Dataset, keyword: str) -> RawDataElement:
    element = dataset.get_item(keyword) if keyword in dataset else None
    value = getattr(element, "value", None)
    if not isinstance(element, RawDataElement) or not isinstance(value, bytes):
        raise UndecodableError(f"{keyword} is missing or too long.")
    return element


def _words(element: RawDataElement) -> Words:
    value = cast(bytes, element.value)
    order = "<" if element.is_little_endian else ">"
    return np.frombuffer(value[: len(value) // 2 * 2], f"{order}u2").astype(np.uint16)


def _descriptor(dataset: Dataset, channel: str) -> Words:
    words = _words(_raw(dataset, f"{channel}PaletteColorLookupTableDescriptor"))
    if len(words) < 3:
        raise UndecodableError("A palette descriptor has fewer than three values.")
    return words


def _first_mapped(dataset: Dataset, *, signed: bool) -> int:
    first = int(_descriptor(dataset, "Red")[1])
    return first - 65_536 if signed and first > 32_767 else first


def _table(dataset: Dataset, channel: str) -> NDArray[np.uint8]:
    descriptor = _descriptor(dataset, channel)
    n_entries = int(descriptor[0]) or MAX_ENTRIES
    segmented = f"Segmented{channel}PaletteColorLookupTableData"
    if segmented in dataset:
        entries = _expand(_segment_words(_raw(dataset, segmented), int(descriptor[2])), n_entries)
    else:
        plain = _raw(dataset, f"{channel}PaletteColorLookupTableData")
        entries = _plain_entries(plain, n_entries, int(descriptor[2]))
    if len(entries) < n_entries:
        raise UndecodableError("A palette holds fewer entries than its descriptor says.")
    entries = entries[:n_entries]
    # Some 16-bit tables only fill their low byte.
    return (entries >> 8 if entries.max() > 255 else entries).astype(np.uint8)


def _plain_entries(element: RawDataElement, n_entries: int, bits: int) -> Words:
    words = _words(element)
    if bits > 8 or len(words) >= n_entries:
        return words
    return _bytes_of(words)


def _segment_words(element: RawDataElement, bits: int) -> Words:
    words = _words(element)
    return words if bits > 8 else _bytes_of(words)


def _bytes_of(words: Words) -> Words:
    """Split words into the bytes packed in them, the low byte first."""
    return words.astype("<u2").view(np.uint8).astype(np.uint16)


def _expand(words: Words, n_entries: int) -> Words:
    """Expand the segments of a segmented table (PS3.3 C.7.9.2)."""
    table = _Table(words, n_entries)
    at = 0
    while at + 2 <= len(words) and not table.is_full:
        at = table.expand(at)
    return table.entries[: table.n_filled]


class _Table:
    """A table being filled from segments; what goes beyond its end is dropped."""

    def __init__(self, words: Words, n_entries: int) -> None:
        self._words = words
        self.entries = np.zeros(n_entries, dtype=np.uint16)
        self.n_filled = 0

    @property
    def is_full(self) -> bool:
        return self.n_filled >= len(self.entries)

    def _append(self, values: NDArray[np.generic]) -> None:
        taken = values[: len(self.entries) - self.n_filled]
        self.entries[self.n_filled : self.n_filled + len(taken)] = taken
        self.n_filled += len(taken)

    def expand(self, at: int) -> int:
        """Append one segment's values; return where the next begins."""
        words = self._words
        opcode, length = int(words[at]), int(words[at + 1])
        if length == 0:  # repeated often enough, segments that fill nothing never end
            raise UndecodableError("A segmented palette has a segment of no length.")
        if opcode == DISCRETE:
            self._append(words[at + 2 : at + 2 + length])
            return at + 2 + length
        if opcode == LINEAR and at + 2 < len(words):
            start = int(self.entries[self.n_filled - 1]) if self.n_filled else 0
            self._append(np.rint(np.linspace(start, int(words[at + 2]), length + 1)[1:]))
            return at + 3
        if opcode == INDIRECT and at + 3 < len(words):
            self._repeat(length, int(words[at + 2]) | int(words[at + 3]) << 16)
            return at + 4
        raise UndecodableError("A segmented palette has a segment that the standard does not know.")

    def _repeat(self, n_segments: int, source: int) -> None:
        for _ in range(n_segments):
            if self.is_full:
                return
            if source + 2 > len(self._words) or int(self._words[source]) == INDIRECT:
                raise UndecodableError("A segmented palette refers to a segment that is not there.")
            source = self.expand(source)
