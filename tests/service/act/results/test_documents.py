"""Reports and selections, read by those who read them elsewhere."""

import io
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from sonogate.act.results.facts import ImageFacts, Place
from sonogate.act.results.origin import NoSourceError, read_origin
from sonogate.testing import make_instance
from tests.service.act.results.said import (
    EARLIER,
    EVERY_KIND,
    REJECTION,
    cine,
    complaints,
    image,
    low,
    order,
    write,
)

NAME = "Müller^Jürgen"
CASES = [
    ("report", EVERY_KIND, EARLIER),
    ("report", (image(),), None),
    ("report", (low(),), None),
    ("report", (cine(),), None),
    ("advice", (low(1), cine(2)), None),
    ("rejection", (low(1, rejection=REJECTION),), None),
    ("rejection", (low(1, rejection=REJECTION.model_copy(update={"by_person": False})),), None),
]
IDS = ["every kind", "high", "low", "cine", "advice", "rejection by a person", "by the policy"]
cases = pytest.mark.parametrize(("kind", "images", "earlier"), CASES, ids=IDS)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An object of the study, in a character set of its own."""
    instance = make_instance(study_uid="1.2.3", patient_name=NAME)
    instance.SpecificCharacterSet = "ISO_IR 100"
    instance.save_as(tmp_path / "source.dcm", enforce_file_format=True)
    return tmp_path / "source.dcm"


def codes_in(ds: Dataset) -> list[tuple[str, str]]:
    """Return every coded value in a document, with its name's meaning."""
    found = []
    for item in ds.get("ContentSequence", []):
        if "ConceptCodeSequence" in item:
            value = item.ConceptCodeSequence[0]
            found.append((item.ConceptNameCodeSequence[0].CodeMeaning, value.CodeValue))
        found += codes_in(item)
    return found


def read(kind: str, source: Path, *images: ImageFacts, **more: Any) -> Dataset:
    """Write a result and read it back."""
    return dcmread(io.BytesIO(write(order(kind, source, "1.2.3", *images, **more)).part10))


@cases
def test_dciodvfy_finds_no_error(  # noqa: PLR0917 - cases and fixtures
    kind: str,
    images: tuple[ImageFacts, ...],
    earlier: Any,
    source: Path,
    tmp_path: Path,
    need_tool: Callable[[str], str],
) -> None:
    """Every kind of result keeps to its IOD, as dicom3tools read the standard."""
    written = write(order(kind, source, "1.2.3", *images, earlier=earlier))
    path = tmp_path / "result.dcm"
    path.write_bytes(written.part10)

    assert [] == complaints(need_tool("dciodvfy"), path)


@cases
def test_dcmtk_prints_it(  # noqa: PLR0917 - cases and fixtures
    kind: str,
    images: tuple[ImageFacts, ...],
    earlier: Any,
    source: Path,
    tmp_path: Path,
    need_tool: Callable[[str], str],
) -> None:
    """`dsrdump` reads the tree, and the patient's name as it was sent."""
    path = tmp_path / "result.dcm"
    path.write_bytes(write(order(kind, source, "1.2.3", *images, earlier=earlier)).part10)
    command = [need_tool("dsrdump"), str(path)]
    said = subprocess.run(command, capture_output=True, check=True).stdout.decode()

    assert NAME in said
    assert ("Non-diagnostic" in said) == (kind == "report" and any(i.band == "low" for i in images))


@cases
def test_the_same_facts_are_the_same_bytes(
    kind: str, images: tuple[ImageFacts, ...], earlier: Any, source: Path
) -> None:
    """Written again it is one object; with anything else to say it has another UID."""
    asked = order(kind, source, "1.2.3", *images, earlier=earlier)
    first, again = write(asked), write(asked)
    other = write(asked.model_copy(update={"version": 2}))

    assert first == again
    assert first.sop_instance_uid != other.sop_instance_uid
    assert first.series_instance_uid == other.series_instance_uid


@cases
def test_no_code_has_a_scheme_version(
    kind: str, images: tuple[ImageFacts, ...], earlier: Any, source: Path
) -> None:
    """An archive may not know a rejection note whose title bears one."""
    ds = read(kind, source, *images, earlier=earlier)

    assert not [element for element in ds.iterall() if element.keyword == "CodingSchemeVersion"]


def test_the_bands_are_radlex(source: Path) -> None:
    """High, medium, low are RID12, RID13, RID14; what has no quality says so."""
    said = codes_in(read("report", source, *EVERY_KIND))
    quality = [value for name, value in said if name == "Image Quality"]

    assert [
        "RID12",
        "RID13",
        "RID14",
        "RID14",
        "RID14",
        "RID12",
        "RID12",
        "UNSCORABLE",
    ] == quality


def test_a_report_says_who_judged_what(source: Path) -> None:
    """As highdicom reads the groups: algorithm, score, findings, and the frames they rest on."""
    ds = read("report", source, cine())
    content: Any = highdicom.sr.ComprehensiveSR.from_dataset(ds).content
    (group,) = content.get_image_measurement_groups()
    (region,) = content.get_planar_roi_measurement_groups()
    texts = {
        item.ConceptNameCodeSequence[0].CodeMeaning: item.TextValue
        for item in group[0].ContentSequence
        if item.ValueType == "TEXT"
    }

    assert "nrq" == texts["Algorithm Name"]
    assert "1.0.0" == texts["Algorithm Version"]
    assert 21.0 == group.get_measurements()[0].value
    assert [1, 10, 20] == [int(n) for n in group.source_images[0].referenced_frame_numbers]
    assert (10.0, 20.0) == tuple(region.roi.value[0])
    assert [10] == [int(n) for n in region.roi.ContentSequence[0].referenced_frame_numbers]


def test_a_result_is_dated_by_what_it_says(source: Path) -> None:
    """Not by the clock of the writing: written again tomorrow it is the same object."""
    ds = read("report", source, image())

    assert ("20260301", "093000.000000") == (ds.ContentDate, ds.ContentTime)
    assert "+0000" == ds.TimezoneOffsetFromUTC


def test_a_report_names_the_one_before(source: Path) -> None:
    """A new version supersedes the last (Predecessor Documents Sequence)."""
    ds = read("report", source, image(), earlier=EARLIER, version=2)
    series = ds.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]

    assert EARLIER.sop_instance_uid == series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert 2 == ds.InstanceNumber


def test_a_rejection_names_its_reason_and_who_confirmed_it(source: Path) -> None:
    """Title 113001, reason of CID 7011, and the person as observer; never the machine alone."""
    ds = read("rejection", source, low(rejection=REJECTION))
    first, observer, name = ds.ContentSequence[:3]

    assert "113001" == ds.ConceptNameCodeSequence[0].CodeValue
    assert "113011" == first.ConceptNameCodeSequence[0].CodeValue
    assert "111215" == first.ConceptCodeSequence[0].CodeValue
    assert "121006" == observer.ConceptCodeSequence[0].CodeValue
    assert "Dr. Jürgen    A^" == str(name.PersonName)


def test_advice_is_no_rejection(source: Path) -> None:
    """What the machine alone says is titled 113010, Quality Issue."""
    ds = read("advice", source, low())

    assert "113010" == ds.ConceptNameCodeSequence[0].CodeValue


@pytest.mark.parametrize(
    "missing", ["PatientName", "PatientID", "StudyDate", "StudyTime", "AccessionNumber"]
)
def test_a_header_without_it_is_written_empty(
    missing: str, source: Path, tmp_path: Path, need_tool: Callable[[str], str]
) -> None:
    """Carts leave out what the standard requires; the result is valid all the same."""
    bare = dcmread(source)
    delattr(bare, missing)
    bare.save_as(source)
    path = tmp_path / "result.dcm"
    path.write_bytes(write(order("report", source, "1.2.3", low())).part10)

    assert [] == complaints(need_tool("dciodvfy"), path)
    assert not dcmread(path)[missing].value


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("StudyDate", "yesterday"),
        ("PatientSex", "female"),
        ("StudyTime", "99"),
        ("PatientAge", "5"),
    ],
)
def test_a_value_that_is_none_is_left_out(keyword: str, value: str, source: Path) -> None:
    """What can't be written again is not carried on."""
    bad = dcmread(source)
    bad.add_new(keyword, "LO", value)
    bad.save_as(source)
    ds = read("report", source, low())

    assert not ds.get(keyword)


def test_the_patient_is_read_before_the_pixels_only(source: Path) -> None:
    """A truncated object still names its patient; another study's does not count."""
    whole = source.read_bytes()
    source.write_bytes(whole[:1500])
    place = Place(path=str(source))

    assert NAME == str(read_origin([place], "1.2.3").PatientName)
    with pytest.raises(NoSourceError):
        read_origin([place], "1.2.4")
    with pytest.raises(NoSourceError):
        read_origin([Place(path=str(source.parent / "gone"))], "1.2.3")
