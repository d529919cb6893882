"""Parse a DICOM object up to its pixels: no pixels read, no deep recursion, no huge values kept."""

from collections.abc import Callable
from dataclasses import dataclass, field

from pydicom.charset import convert_encodings
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import data_element_generator
from pydicom.tag import BaseTag
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from sonogate.errors import UndecodableError, UnscorableError
from sonogate.read.objects.boundary import decoding, tolerant
from sonogate.read.objects.stream import BoundedStream, inflate

#: Longer values are skipped: nothing the gate looks at before the pixels is longer.
MAX_VALUE_BYTES = 1024 * 1024
#: Elements of one data set; a real ultrasound header has a few hundred.
MAX_ELEMENTS = 50_000
PIXEL_GROUP = 0x7FE0
PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
UNDEFINED_LENGTH = 0xFFFFFFFF
#: Groups of which anything is kept. The patient's (0010) and private ones are read over.
KEPT_GROUPS = frozenset({0x0002, 0x0008, 0x0018, 0x0020, 0x0028, 0x0054, 0x7FE0})
#: Shared Functional Groups Sequence: what an enhanced object says of all its frames at once.
SHARED_GROUPS = 0x52009229


@dataclass(frozen=True, slots=True)
class PixelPlace:
    """Where the value of Pixel Data lies in the stream."""

    tag: int
    offset: int
    length: int | None  #: None: encapsulated, ends at its delimiter
    vr: str | None = None  #: None in implicit VR


@dataclass(slots=True)
class ParsedObject:
    """What could be read of an object; `failure` says why no more."""

    meta: Dataset = field(default_factory=Dataset)
    dataset: Dataset = field(default_factory=Dataset)
    transfer_syntax_uid: str = ""
    pixels: PixelPlace | None = None
    inflated: bytes | None = None  #: the data set of a deflated object: `pixels` points into it
    failure: UnscorableError | None = None


def parse(stream: BoundedStream) -> ParsedObject:
    """Parse a Part 10 file or a bare data set; never raises for what is in the bytes."""
    parsed = ParsedObject()
    try:
        with decoding("the header"):
            _parse_meta(stream, parsed)
            _parse_dataset(_plain(stream, parsed), parsed)
    except UnscorableError as failure:
        parsed.failure = failure
    return parsed


def _parse_meta(stream: BoundedStream, parsed: ParsedObject) -> None:
    _to_first_element(stream)
    start = stream.tell()
    elements = _Elements(stream, implicit=False, little=True)
    try:
        elements.collect(lambda tag, _vr, _length: tag.group != 2)
    finally:
        parsed.meta = elements.as_dataset()
    if not len(parsed.meta):
        stream.seek(start)
    syntax = tolerant(lambda: str(parsed.meta.TransferSyntaxUID))
    parsed.transfer_syntax_uid = syntax or _guessed_syntax(stream)


def _to_first_element(stream: BoundedStream) -> None:
    preamble = stream.read(132)
    stream.seek(132 if preamble[128:] == b"DICM" else 0)


def _guessed_syntax(stream: BoundedStream) -> str:
    """Tell the encoding of a bare data set from its first element, as every viewer does."""
    start = stream.tell()
    head = stream.read_exactly(8)
    stream.seek(start)
    if head[0] == 0 and head[1] in (4, 8):
        return ExplicitVRBigEndian
    if head[0] not in (4, 8) or head[1]:
        raise UndecodableError("These bytes are not a DICOM object.")
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    return ExplicitVRLittleEndian if explicit else ImplicitVRLittleEndian


def _plain(stream: BoundedStream, parsed: ParsedObject) -> BoundedStream:
    if parsed.transfer_syntax_uid != DeflatedExplicitVRLittleEndian:
        return stream
    parsed.inflated = inflate(stream)
    return BoundedStream.over(parsed.inflated)


def _parse_dataset(stream: BoundedStream, parsed: ParsedObject) -> None:
    place: list[PixelPlace] = []

    def at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
        if tag in PIXEL_TAGS:
            defined = None if length == UNDEFINED_LENGTH else length
            place.append(PixelPlace(int(tag), stream.tell(), defined, vr))
        return tag in PIXEL_TAGS or tag.group > PIXEL_GROUP

    elements = _Elements(
        stream,
        implicit=parsed.transfer_syntax_uid == ImplicitVRLittleEndian,
        little=parsed.transfer_syntax_uid != ExplicitVRBigEndian,
    )
    try:
        elements.collect(at_pixels)
    finally:
        parsed.dataset = elements.as_dataset()
    parsed.pixels = place[0] if place else None


class _Elements:
    """Top-level elements of one data set, gathered one by one so that a fault keeps the earlier."""

    def __init__(self, stream: BoundedStream, *, implicit: bool, little: bool) -> None:
        self._stream = stream
        self._implicit = implicit
        self._little = little
        self._found: dict[BaseTag, DataElement | RawDataElement] = {}
        self._n_seen = 0

    def collect(self, stop_when: Callable[[BaseTag, str | None, int], bool]) -> None:
        """Read until `stop_when` or the end.

        Raises:
            UndecodableError: a value is cut off, or there are absurdly many.
        """
        generator = data_element_generator(
            self._stream,  # type: ignore[arg-type]  # it reads, seeks and tells; that is all it takes
            self._implicit,
            self._little,
            stop_when=stop_when,
            defer_size=MAX_VALUE_BYTES,
        )
        for element in generator:
            self._check(element)
            if element.tag.group in KEPT_GROUPS or element.tag == SHARED_GROUPS:
                self._found[element.tag] = element
        if self._stream.tell() > self._stream.size:
            raise UndecodableError("The object is truncated.")

    def _check(self, element: DataElement | RawDataElement) -> None:
        self._n_seen += 1
        if self._n_seen > MAX_ELEMENTS:
            raise UndecodableError(f"The header has more than {MAX_ELEMENTS} elements.")
        if not isinstance(element, RawDataElement) or element.length == UNDEFINED_LENGTH:
            return
        if element.value is not None and len(element.value) < element.length:
            raise UndecodableError("The object is truncated.")

    def as_dataset(self) -> Dataset:
        """Return what was found as a data set that decodes its values on demand."""
        dataset = Dataset(dict(self._found))
        charset = tolerant(lambda: dataset.SpecificCharacterSet)
        encodings = tolerant(lambda: convert_encodings(charset)) if charset else None
        dataset.set_original_encoding(self._implicit, self._little, encodings or "iso8859")
        return dataset
