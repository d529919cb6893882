"""From an opened object to the frames that will be scored."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian

from sonogate.domain.frames import FrameStack, Region
from sonogate.domain.instance import MediaType
from sonogate.errors import EmptyPixelDataError, MissingCodecError, UndecodableError
from sonogate.read.classify import check_sop_class
from sonogate.read.objects.boundary import decoding
from sonogate.read.objects.dataset import PixelPlace
from sonogate.read.objects.header import OpenedObject
from sonogate.read.objects.stream import BoundedStream
from sonogate.read.pixels.codecs import (
    FRAME_CODECS,
    NATIVE_SYNTAXES,
    VIDEO_SYNTAXES,
    Decoded,
    decode_frame,
)
from sonogate.read.pixels.colour import Picture, native_samples, to_picture
from sonogate.read.pixels.encoded import all_fragments, encapsulated_frames, native_frames
from sonogate.read.pixels.layout import PixelLayout, layout_of
from sonogate.read.pixels.pictures import decode_picture
from sonogate.read.regions import b_mode_regions, bounding, declared_regions, furniture
from sonogate.read.scan import Scene, assemble

#: Pixels of all frames of a stack together; fewer frames are taken where they are huge.
MAX_STACK_PIXELS = 128_000_000
#: A JPEG is decoded at a reduced scale only down to three times what the model looks at (448
#: pixels); at twice, the score of real stills moved by up to 2.5 points.
LEAST_SCALED_SIDE = 1344


def read_frames(opened: OpenedObject, max_frames: int, *, scale_jpeg: bool = True) -> FrameStack:
    """Decode the frames to score, cropped to the B-mode image.

    Args:
        opened: from `header.open_object`.
        max_frames: at most so many, spread over a cine.
        scale_jpeg: decode large JPEG frames at half size or less (DCT scaling).

    Raises:
        NotApplicableError: not an object to be judged; its code says why.
        UndecodableError: broken, or in a syntax no codec reads.
        MissingCodecError: video, and the extra is not installed.
        EmptyPixelDataError: there are no pixels.
    """
    if opened.media_type is not MediaType.DICOM:
        return _read_picture(opened)
    check_sop_class(opened.header)
    if opened.failure is not None:
        raise opened.failure
    with decoding("the pixels"):
        return _read_dicom(opened, max_frames, scale_jpeg=scale_jpeg)


def _read_picture(opened: OpenedObject) -> FrameStack:
    with decoding("the picture"):
        with opened.stream() as stream:
            picture = decode_picture(BytesIO(stream.read()), opened.media_type)
        height, width = picture.shape[:2]
        whole = Region(x=0, y=0, width=width, height=height)
        scene = Scene(crop=whole, screen=(height, width))
        return assemble([picture], (1,), 1, scene, opened.header)


def _read_dicom(opened: OpenedObject, max_frames: int, *, scale_jpeg: bool) -> FrameStack:
    dataset, place = opened.dataset, opened.pixels
    if dataset is None or place is None:
        raise EmptyPixelDataError
    layout = layout_of(dataset)
    scene = _scene(dataset, layout)
    numbers = sample(layout.n_frames, _affordable(max_frames, scene.crop))
    reduce = _reduction(opened, scene) if scale_jpeg else 1
    with opened.stream() as stream:
        source = FrameSource(
            opened.header.transfer_syntax_uid or "", layout, dataset, place, stream
        )
        pictures = [
            _cropped(picture, scene.crop, reduce) for picture in source.pictures(numbers, reduce)
        ]
    return assemble(pictures, numbers, layout.n_frames, scene.reduced(reduce), opened.header)


def _scene(dataset: Dataset, layout: PixelLayout) -> Scene:
    """Decide from the header alone which part of the frame to look at."""
    declared = declared_regions(dataset, layout.rows, layout.columns)
    images = b_mode_regions(declared)
    screen = (layout.rows, layout.columns)
    if not images:
        return Scene(crop=Region(x=0, y=0, width=layout.columns, height=layout.rows), screen=screen)
    return Scene(
        crop=bounding(images),
        screen=screen,
        images=tuple(images),
        furniture=tuple(furniture(declared)),
    )


def sample(n_total: int, n_wanted: int) -> tuple[int, ...]:
    """Return frame numbers, from 1, spread evenly over a loop: the middles of equal parts."""
    n_taken = min(n_total, n_wanted)
    return tuple((2 * i + 1) * n_total // (2 * n_taken) + 1 for i in range(n_taken))


def _affordable(max_frames: int, crop: Region) -> int:
    return max(1, min(max_frames, MAX_STACK_PIXELS // (crop.width * crop.height)))


def _reduction(opened: OpenedObject, scene: Scene) -> int:
    """Return by how much a JPEG may be reduced; 1 unless the header says how large the image is."""
    if not scene.images:
        return 1
    reduce = 1
    while max(scene.crop.width, scene.crop.height) // (2 * reduce) >= LEAST_SCALED_SIDE:
        reduce *= 2
    is_jpeg = opened.header.transfer_syntax_uid == "1.2.840.10008.1.2.4.50"
    return min(reduce, 8) if is_jpeg else 1


def _cropped(picture: Picture, crop: Region, reduce: int) -> Picture:
    top, left = crop.y // reduce, crop.x // reduce
    bottom, right = top + crop.height // reduce, left + crop.width // reduce
    return picture[top:bottom, left:right].copy()


@dataclass(frozen=True, slots=True)
class FrameSource:
    """The frames of one object, decoded one at a time."""

    transfer_syntax_uid: str
    layout: PixelLayout
    dataset: Dataset
    place: PixelPlace
    stream: BoundedStream

    def pictures(self, numbers: Sequence[int], reduce: int = 1) -> Iterator[Picture]:
        """Decode frames by their numbers, from 1, in ascending order.

        Args:
            numbers: which frames.
            reduce: JPEG frames come at 1/reduce of each side.
        """
        syntax = self.transfer_syntax_uid
        if syntax in NATIVE_SYNTAXES:
            return self._native(numbers)
        if syntax in FRAME_CODECS:
            return self._encapsulated(numbers, reduce)
        if syntax in VIDEO_SYNTAXES:
            return self._video(numbers)
        raise UndecodableError(f"No installed codec reads transfer syntax {syntax or 'unknown'}.")

    def _native(self, numbers: Sequence[int]) -> Iterator[Picture]:
        order = ">" if self.transfer_syntax_uid == ExplicitVRBigEndian else "<"
        in_words = order == ">" and self.place.vr == "OW"
        frames = native_frames(self.place, self.layout, self.stream)
        for number in numbers:
            content = frames[number - 1][0].read(self.stream)
            samples = native_samples(content, self.layout, order, in_words=in_words)
            yield to_picture(Decoded(samples), self.layout, self.dataset)

    def _encapsulated(self, numbers: Sequence[int], reduce: int) -> Iterator[Picture]:
        codec = FRAME_CODECS[self.transfer_syntax_uid]
        frames = encapsulated_frames(self.place, self.dataset, self.layout.n_frames, self.stream)
        for number in numbers:
            encoded = b"".join(fragment.read(self.stream) for fragment in frames[number - 1])
            decoded = decode_frame(codec, encoded, self.layout, reduce)
            yield to_picture(decoded, self.layout, self.dataset)

    def _video(self, numbers: Sequence[int]) -> Iterator[Picture]:
        try:
            from sonogate.read.pixels.video import decode_video
        except ImportError as error:
            raise MissingCodecError from error
        fragments = all_fragments(self.place, self.stream)
        return decode_video(fragments, self.stream, numbers, self.layout)
