"""Where each frame's bytes lie: the native array, or the fragments of an encapsulated one."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pydicom.dataset import Dataset

from sonogate.errors import EmptyPixelDataError, UndecodableError
from sonogate.read.objects.boundary import tolerant
from sonogate.read.objects.dataset import PixelPlace
from sonogate.read.objects.stream import BoundedStream
from sonogate.read.pixels.layout import PixelLayout

ITEM, DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
#: Fragments of one object; an hour of cine at 50 frames a second has 180,000.
MAX_FRAGMENTS = 200_000
END_OF_IMAGE = b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class Fragment:
    """One item of encapsulated Pixel Data (PS3.5 A.4)."""

    offset: int  #: of its first byte in the stream
    length: int

    def read(self, stream: BoundedStream) -> bytes:
        """Return its bytes."""
        stream.seek(self.offset)
        return stream.read_exactly(self.length)


Frame = tuple[Fragment, ...]


def native_frames(place: PixelPlace, layout: PixelLayout, stream: BoundedStream) -> list[Frame]:
    """Cut uncompressed Pixel Data into frames.

    Raises:
        EmptyPixelDataError: it has no bytes.
        UndecodableError: it holds fewer bytes than Rows, Columns and Number of Frames claim.
    """
    if place.length is None:
        raise UndecodableError("Uncompressed Pixel Data has no defined length.")
    if place.length == 0:
        raise EmptyPixelDataError
    here = min(place.length, stream.size - place.offset)
    needed = layout.frame_bytes * layout.n_frames
    if here < needed:
        raise UndecodableError(f"Pixel Data has {here} bytes where the header claims {needed}.")
    size = layout.frame_bytes
    return [(Fragment(place.offset + i * size, size),) for i in range(layout.n_frames)]


def encapsulated_frames(
    place: PixelPlace, dataset: Dataset, n_frames: int, stream: BoundedStream
) -> list[Frame]:
    """Group the fragments of encapsulated Pixel Data into frames.

    An offset table is believed where it points at fragments; else one fragment is one frame; else
    a frame ends where a JPEG stream ends.

    Raises:
        EmptyPixelDataError: there is no fragment with a byte in it.
        UndecodableError: fewer frames are there than Number of Frames claims.
    """
    table, fragments = _items(place, stream)
    if not any(fragment.length for fragment in fragments):
        raise EmptyPixelDataError
    frames = (
        _by_offsets(_extended_offsets(dataset), fragments)
        or _by_offsets(table, fragments)
        or _without_offsets(fragments, n_frames, stream)
    )
    if len(frames) < n_frames:
        raise UndecodableError(
            f"Pixel Data holds {len(frames)} frames where the header claims {n_frames}."
        )
    return frames[:n_frames]


def all_fragments(place: PixelPlace, stream: BoundedStream) -> list[Fragment]:
    """Return every fragment after the offset table: a video is one stream cut anyhow."""
    _, fragments = _items(place, stream)
    if not any(fragment.length for fragment in fragments):
        raise EmptyPixelDataError
    return fragments


def _items(place: PixelPlace, stream: BoundedStream) -> tuple[list[int], list[Fragment]]:
    if place.length == 0:
        raise EmptyPixelDataError
    stream.seek(place.offset)
    items: list[Fragment] = []
    while (tag := stream.read(4)) == ITEM:
        length = int.from_bytes(stream.read_exactly(4), "little")
        items.append(Fragment(stream.tell(), length))
        if stream.tell() + length > stream.size:
            raise UndecodableError("The object is truncated.")
        if len(items) > MAX_FRAGMENTS:
            raise UndecodableError(f"Pixel Data has more than {MAX_FRAGMENTS} fragments.")
        stream.seek(length, 1)
    if tag != DELIMITER and place.length is None:
        raise UndecodableError("The object is truncated, or its Pixel Data is not encapsulated.")
    if not items:
        raise EmptyPixelDataError
    return _offset_table(items[0], stream), items[1:]


def _offset_table(item: Fragment, stream: BoundedStream) -> list[int]:
    if item.length > 4 * MAX_FRAGMENTS:
        raise UndecodableError("The offset table is longer than any cine.")
    content = item.read(stream)
    return [
        int.from_bytes(content[i : i + 4], "little") for i in range(0, len(content) // 4 * 4, 4)
    ]


def _extended_offsets(dataset: Dataset) -> list[int]:
    content = tolerant(lambda: bytes(dataset.ExtendedOffsetTable)) or b""
    return [
        int.from_bytes(content[i : i + 8], "little") for i in range(0, len(content) // 8 * 8, 8)
    ]


def _by_offsets(offsets: Sequence[int], fragments: Sequence[Fragment]) -> list[Frame]:
    """Group by an offset table; an empty list if it does not point at fragments in order."""
    if not offsets or not fragments:
        return []
    origin = fragments[0].offset - 8
    index = {fragment.offset - 8 - origin: i for i, fragment in enumerate(fragments)}
    starts = [index.get(offset, -1) for offset in offsets]
    if starts[0] != 0 or any(a >= b for a, b in pairwise(starts)):
        return []
    ends = [*starts[1:], len(fragments)]
    return [tuple(fragments[a:b]) for a, b in zip(starts, ends, strict=True)]


def _without_offsets(
    fragments: Sequence[Fragment], n_frames: int, stream: BoundedStream
) -> list[Frame]:
    if n_frames == 1:
        return [tuple(fragments)]
    if len(fragments) <= n_frames:
        return [(fragment,) for fragment in fragments]
    frames: list[Frame] = []
    pending: list[Fragment] = []
    for fragment in fragments:
        pending.append(fragment)
        if _ends_image(fragment, stream):
            frames.append(tuple(pending))
            pending = []
    return frames


def _ends_image(fragment: Fragment, stream: BoundedStream) -> bool:
    tail = min(10, fragment.length)
    return END_OF_IMAGE in Fragment(fragment.offset + fragment.length - tail, tail).read(stream)
