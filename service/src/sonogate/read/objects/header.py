"""What a kept object says of itself: identity, time, exam and view; never the patient."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from sonogate.domain.identity import SeriesUID, SOPInstanceUID, StudyUID
from sonogate.domain.instance import Header, MediaType, Span
from sonogate.errors import UnscorableError
from sonogate.read.objects.boundary import lenient, tolerant
from sonogate.read.objects.dataset import ParsedObject, PixelPlace, parse
from sonogate.read.objects.stream import BoundedStream
from sonogate.read.objects.times import acquired_at

#: Longest text kept of one attribute: LO and UI allow 64 characters, LT far more.
MAX_TEXT = 64
#: Items of one sequence looked at; views have one code and few modifiers.
MAX_ITEMS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedObject:
    """An object whose header was read as far as possible, and whose pixels were not."""

    path: Path
    media_type: MediaType
    header: Header
    span: Span | None = None  #: the object's part of the file; all of it if None
    dataset: Dataset | None = None  #: None for a picture
    pixels: PixelPlace | None = None
    inflated: bytes | None = None
    failure: UnscorableError | None = None  #: why the header could not be read to its end

    @contextmanager
    def stream(self) -> Iterator[BoundedStream]:
        """Open the bytes that `pixels` points into."""
        if self.inflated is not None:
            yield BoundedStream.over(self.inflated)
            return
        with BoundedStream.open(self.path, self.span) as stream:
            yield stream


def open_object(path: Path, media_type: MediaType, span: Span | None = None) -> OpenedObject:
    """Read an object's header.

    What is wrong with the object does not raise here: `failure` keeps it, and `read_frames` raises
    it, so that an object that can't be read still belongs to its study.

    Args:
        path: spool file.
        media_type: what kind of bytes it holds.
        span: the object's part of the file; all of it if None.
    """
    if media_type is not MediaType.DICOM:
        return OpenedObject(path=path, media_type=media_type, header=Header(), span=span)
    with BoundedStream.open(path, span) as stream:
        parsed = parse(stream)
    with lenient():
        header = _header(parsed)
    return OpenedObject(
        path=path,
        media_type=media_type,
        header=header,
        span=span,
        dataset=parsed.dataset,
        pixels=parsed.pixels,
        inflated=parsed.inflated,
        failure=parsed.failure,
    )


def _header(parsed: ParsedObject) -> Header:
    meta, dataset = parsed.meta, parsed.dataset
    sop_instance_uid = text(dataset, "SOPInstanceUID") or text(meta, "MediaStorageSOPInstanceUID")
    series_uid, study_uid = text(dataset, "SeriesInstanceUID"), text(dataset, "StudyInstanceUID")
    exam_type = text(dataset, "BodyPartExamined") or text(dataset, "StudyDescription")
    return Header(
        sop_class_uid=text(dataset, "SOPClassUID") or text(meta, "MediaStorageSOPClassUID"),
        sop_instance_uid=SOPInstanceUID(sop_instance_uid) if sop_instance_uid else None,
        series_instance_uid=SeriesUID(series_uid) if series_uid else None,
        study_instance_uid=StudyUID(study_uid) if study_uid else None,
        accession_number=text(dataset, "AccessionNumber"),
        acquired_at=tolerant(lambda: acquired_at(dataset)),
        modality=text(dataset, "Modality"),
        manufacturer=text(dataset, "Manufacturer"),
        model_name=text(dataset, "ManufacturerModelName"),
        station_name=text(dataset, "StationName"),
        exam_type=exam_type.upper() if exam_type else None,
        view=_view(dataset),
        laterality=_laterality(dataset),
        view_modifiers=_view_modifiers(dataset),
        instance_number=whole_number(dataset, "InstanceNumber"),
        n_frames=max(0, _n_frames(dataset)),
        transfer_syntax_uid=parsed.transfer_syntax_uid or None,
    )


def _n_frames(dataset: Dataset) -> int:
    if "NumberOfFrames" not in dataset:
        return 1
    n_frames = whole_number(dataset, "NumberOfFrames")
    return 1 if n_frames is None else n_frames


def _view(dataset: Dataset) -> str | None:
    """Return the coded view as "scheme:value", else its name; the standard has three places."""
    for item in _items(dataset, "ViewCodeSequence"):
        if code := _code(item):
            return code
    return text(dataset, "ViewName") or text(dataset, "ViewPosition")


def _laterality(dataset: Dataset) -> str | None:
    """Return the side: the image's own word, the frames' common one, else the series'."""
    places = [(dataset, "ImageLaterality")]
    for shared in _items(dataset, "SharedFunctionalGroupsSequence"):
        places += [(each, "FrameLaterality") for each in _items(shared, "FrameAnatomySequence")]
    for place, keyword in [*places, (dataset, "Laterality")]:
        if side := text(place, keyword):
            return side.upper()
    return None


def _view_modifiers(dataset: Dataset) -> str | None:
    """Return what narrows the view or the anatomic region; a region's side is coded here too."""
    narrowed = [(dataset, "ViewModifierCodeSequence")]
    narrowed += [(i, "ViewModifierCodeSequence") for i in _items(dataset, "ViewCodeSequence")]
    narrowed += [
        (i, "AnatomicRegionModifierSequence") for i in _items(dataset, "AnatomicRegionSequence")
    ]
    codes = {_code(item) for place, keyword in narrowed for item in _items(place, keyword)}
    return "+".join(sorted(code for code in codes if code)) or None


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Return the first items of a sequence; none if it is missing or unreadable."""
    return tolerant(lambda: list(dataset[keyword].value[:MAX_ITEMS])) or []


def _code(item: Dataset) -> str | None:
    code = text(item, "CodeValue") or text(item, "LongCodeValue") or text(item, "URNCodeValue")
    return f"{text(item, 'CodingSchemeDesignator') or ''}:{code}" if code else None


def text(dataset: Dataset, keyword: str) -> str | None:
    """Return an attribute as printable text, its first value only; None if empty or unreadable."""
    value = tolerant(lambda: _first(dataset.get(keyword)))
    if value is None or isinstance(value, Dataset):  # a deep sequence as text fills all memory
        return None
    printable = "".join(c for c in str(value) if c.isprintable()).strip()
    return printable[:MAX_TEXT] or None


def whole_number(dataset: Dataset, keyword: str) -> int | None:
    """Return an attribute as an integer; None if it is none."""
    value = tolerant(lambda: _first(dataset.get(keyword)))
    return None if isinstance(value, Dataset) else tolerant(lambda: int(float(str(value))))


def _first(value: object) -> object | None:
    if isinstance(value, (str, bytes)) or not hasattr(value, "__getitem__"):
        return value
    return value[0] if len(value) else None  # type: ignore[arg-type]
