"""The phantom exam as DICOM: valid, decodable, of one study, with fresh times and no real name."""

import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, RLELossless

from sonogate.demo.exam import CINE_FRAMES, EXAM, Coding, Shot, make_exam, names_of
from sonogate.demo.phantom import Fault

NOW = datetime(2026, 5, 4, 10, 30, tzinfo=UTC)
SHOTS = [
    Shot(view="thyroid"),
    Shot(view="thyroid", coding=Coding.RLE),
    Shot(view="breast", coding=Coding.RAW),
    Shot(view="heart", cine=True),
]


@pytest.fixture(scope="module")
def exam() -> Sequence[Dataset]:
    """Four images and the report."""
    return list(make_exam(NOW, shots=SHOTS))


def test_the_exam_has_every_coding_a_cine_and_a_report(exam: Sequence[Dataset]) -> None:
    """JPEG, RLE and raw stills, a multi-frame loop, an SR: what a cart's exam holds."""
    syntaxes = [ds.file_meta.TransferSyntaxUID for ds in exam]

    assert [JPEGBaseline8Bit, RLELossless, ExplicitVRLittleEndian] == syntaxes[:3]
    assert ["1.2.840.10008.5.1.4.1.1.3.1", "1.2.840.10008.5.1.4.1.1.88.11"] == [
        ds.SOPClassUID for ds in exam[3:]
    ]
    assert CINE_FRAMES == exam[3].NumberOfFrames


def test_an_independent_validator_finds_no_error(
    exam: Sequence[Dataset], need_tool: Callable[[str], str], tmp_path: Path
) -> None:
    """A validator that others wrote (dciodvfy of dicom3tools) has no error to report."""
    validator = need_tool("dciodvfy")
    for number, ds in enumerate(exam):
        path = tmp_path / f"{number}.dcm"
        ds.save_as(path, enforce_file_format=True)
        report = subprocess.run([validator, path], capture_output=True, text=True, check=False)

        assert [] == [line for line in report.stderr.splitlines() if line.startswith("Error")]


def test_the_pixels_decode(exam: Sequence[Dataset]) -> None:
    """Rows, columns and frames are as the header says, in each coding."""
    assert (600, 800, 3) == exam[0].pixel_array.shape
    assert (600, 800, 3) == exam[1].pixel_array.shape
    assert (600, 800, 3) == exam[2].pixel_array.shape
    assert (CINE_FRAMES, 600, 800, 3) == exam[3].pixel_array.shape


def test_the_heart_beats(exam: Sequence[Dataset]) -> None:
    """A loop whose frames are all alike would be a still."""
    frames = exam[3].pixel_array.astype(int)

    assert np.abs(frames[CINE_FRAMES // 2] - frames[0]).mean() > 1


def test_the_region_encloses_the_scan_and_not_the_name(exam: Sequence[Dataset]) -> None:
    """The patient's name is burned in above the declared region, as on real screens."""
    region = exam[2].SequenceOfUltrasoundRegions[0]
    picture = exam[2].pixel_array[..., 0]
    left, top = region.RegionLocationMinX0, region.RegionLocationMinY0
    scan = picture[top : region.RegionLocationMaxY1 + 1, left : region.RegionLocationMaxX1 + 1]

    assert scan.mean() > 40
    assert picture[:top].max() > 200
    assert 4.0 == pytest.approx(scan.shape[0] * region.PhysicalDeltaY, abs=0.05)


def test_times_are_fresh_and_have_their_zone(exam: Sequence[Dataset]) -> None:
    """The last image was taken now; the sender is no late sender."""
    assert "20260504103000.000000+0000" == exam[3].AcquisitionDateTime
    assert ["+0000"] * 5 == [ds.TimezoneOffsetFromUTC for ds in exam]


def test_one_study_and_fresh_uids(exam: Sequence[Dataset]) -> None:
    """All objects are of one study; another exam is another study."""
    other = next(iter(make_exam(NOW, shots=SHOTS[:1])))

    assert 1 == len({ds.StudyInstanceUID for ds in exam})
    assert 5 == len({ds.SOPInstanceUID for ds in exam})
    assert other.StudyInstanceUID != exam[0].StudyInstanceUID


def test_what_is_taken_again_carries_the_same_view_code() -> None:
    """Each fault but the last is put right by a later picture of the same view."""
    bad = [(n, shot.view) for n, shot in enumerate(EXAM) if shot.fault is not Fault.NONE]
    repaired = [view for n, view in bad if view in {shot.view for shot in EXAM[n + 1 :]}]

    assert ["muscle", "kidney", "thyroid", "breast"] == repaired
    assert len(bad) == len(repaired) + 1


def test_every_object_has_a_name_that_says_what_it_is() -> None:
    """The table shows these names."""
    names = names_of()

    assert "04-kidney-poor_contact" in names
    assert len(EXAM) + 1 == len(set(names))
