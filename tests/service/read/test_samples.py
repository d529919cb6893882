"""The real objects beside the project: each opens, decodes and is judged as what it is."""

import csv
import io
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from sonogate.domain.frames import FrameStack
from sonogate.domain.instance import MediaType
from sonogate.errors import NotApplicableError
from sonogate.read.frames import read_frames
from sonogate.read.objects.header import open_object
from sonogate.score.scorer import ModelScorer
from sonogate.settings import ScoringSettings
from sonogate.testing import make_instance, speckle
from tests.service.read.test_codecs import pictures

NOT_APPLICABLE = {
    "pydicom_test_files/ExplVR_BigEnd.dcm": "too_small_to_grade",
    "dbdicom/0020.DCM": "colour_doppler_only",
}
WITH_CALIPERS = {
    "orthanc_tests/2023-04-21-RLEPlanarConfigurationYBR_FULL.dcm",
    "pydicom_test_files/examples_palette.dcm",
    "pydicom_data/JPGLosslessP14SV1_1s_1f_8b.dcm",
    "pydicom_data/OBXXXX1A.dcm",
    "pydicom_data/OBXXXX1A_2frame.dcm",
    "pydicom_data/OBXXXX1A_expb.dcm",
    "pydicom_data/OBXXXX1A_rle.dcm",
    "pydicom_data/OBXXXX1A_rle_2frame.dcm",
}
#: Of the same picture, but in another crop, and at half the size.
OTHER_CROP = {"pydicom_test_files/examples_palette.dcm"}
HALF_SIZE = {"pydicom_test_files/examples_rgb_color.dcm"}
Row = dict[str, str]


@pytest.fixture(scope="module")
def rows(shared_dir: Path) -> list[Row]:
    """The index."""
    with (shared_dir / "dicom" / "INDEX.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


def outcome(path: Path) -> FrameStack | str:
    """Read an object, or say why it is not judged."""
    try:
        return read_frames(open_object(path, MediaType.DICOM), 8)
    except NotApplicableError as error:
        return error.code


@pytest.mark.slow
def test_every_sample_is_read_or_rightly_refused(rows: list[Row], shared_dir: Path) -> None:
    """All 88 decode in the default install; two are not applicable, with the right reason."""
    outcomes = {row["path"]: outcome(shared_dir / "dicom" / row["path"]) for row in rows}
    stacks = {path: stack for path, stack in outcomes.items() if isinstance(stack, FrameStack)}

    assert 88 == len(outcomes)
    assert NOT_APPLICABLE == {p: code for p, code in outcomes.items() if isinstance(code, str)}
    assert {path for path, stack in stacks.items() if stack.has_calipers} == WITH_CALIPERS
    for row in rows:
        if row["path"] in stacks:
            check_stack(row, stacks[row["path"]])


def check_stack(row: Row, stack: FrameStack) -> None:
    """Check what holds for every stack."""
    n_frames = int(row["frames"])
    assert n_frames == stack.n_total, row["path"]
    assert min(8, n_frames) == len(stack.frames) == len(stack.frame_numbers), row["path"]
    assert stack.frames.shape[1:] == stack.scan_mask.shape == stack.overlay_mask.shape
    assert stack.scan_mask.mean() > 0.08, row["path"]
    if "brachial plexus" in row["seen"]:
        assert stack.scan_mask.mean() > 0.5, row["path"]
        inside = stack.overlay_mask[stack.scan_mask].mean()
        assert inside < 0.03, (row["path"], inside)
    if "in air" in row["seen"]:
        assert stack.scan_mask.mean() > 0.5, row["path"]
    is_empty = "in air" in row["seen"] or "empty" in row["seen"]
    # The second frame of the two-frame files is the first with inverted indices.
    if is_empty and "2frame" not in row["path"]:
        echoes = stack.scan_mask & ~stack.overlay_mask & (stack.frames.max(axis=0) > 32)
        assert echoes.sum() < 0.25 * stack.scan_mask.sum(), row["path"]


def test_decoded_pixels_equal_the_scanners_own_export(shared_dir: Path) -> None:
    """RLE and palette applied, the picture is the scanner's screen, pixel for pixel."""
    folder = shared_dir / "dicom"
    mapping = folder / "philips_sparq_brachial_plexus" / "golden_bmp" / "map.csv"
    with mapping.open(newline="") as lines:
        pairs = list(csv.DictReader(lines))
    for pair in pairs:
        decoded = pictures(open_object(folder / pair["dicom"], MediaType.DICOM))[0]
        with Image.open(folder / pair["bmp"]) as golden:
            np.testing.assert_array_equal(np.asarray(golden.convert("RGB")), decoded)
    assert 2 == len(pairs)


def test_the_same_picture_in_other_codings_is_the_same(rows: list[Row], shared_dir: Path) -> None:
    """Members of a same_picture_group agree; only lossy ones may differ, and little."""
    groups: dict[str, dict[str, NDArray[np.uint8]]] = defaultdict(dict)
    for row in rows:
        if row["same_picture_group"] and row["path"] not in OTHER_CROP:
            opened = open_object(shared_dir / "dicom" / row["path"], MediaType.DICOM)
            groups[row["same_picture_group"]][row["path"]] = pictures(opened)[0]
    compared = 0
    for members in groups.values():
        (_, first), *others = members.items()
        for path, picture in others:
            whole = np.asarray(Image.fromarray(first).reduce(2)) if path in HALF_SIZE else first
            assert whole.shape == picture.shape, path
            difference = np.abs(whole.astype(int) - picture)
            assert difference.mean() < 4, path
            compared += 1
    assert compared >= 10


def test_a_big_endian_palette_is_not_swapped(shared_dir: Path) -> None:
    """The two big-endian palette objects equal their little-endian twins to the last bit."""
    folder = shared_dir / "dicom" / "pydicom_data"
    for twin, other in (
        ("OBXXXX1A", "OBXXXX1A_expb"),
        ("gdcm-US-ALOKA-16", "gdcm-US-ALOKA-16_big"),
    ):
        a, b = (
            pictures(open_object(folder / f"{name}.dcm", MediaType.DICOM))[0]
            for name in (twin, other)
        )
        np.testing.assert_array_equal(a, b)
        assert a.max() > 200


def test_no_header_holds_a_burned_or_declared_name(rows: list[Row], shared_dir: Path) -> None:
    """Test names and ids of the samples appear in no header."""
    for row in rows:
        header = str(open_object(shared_dir / "dicom" / row["path"], MediaType.DICOM).header)
        patient_id = row["patient_id"].strip()
        if len(patient_id) > 6:
            assert patient_id not in header, row["path"]


@pytest.mark.calibration
@pytest.mark.parametrize("seed", range(4))
def test_a_jpeg_decoded_at_half_size_scores_the_same(tmp_path: Path, seed: int) -> None:
    """SCIENCE.md §6: scaled decoding is allowed where the score moves by less than one point."""
    scorer = ModelScorer.open(ScoringSettings(providers=("cpu",)))
    opened = open_object(large_jpeg(tmp_path / "large.dcm", seed), MediaType.DICOM)
    full, half = (read_frames(opened, 1, scale_jpeg=scaled) for scaled in (False, True))
    qualities = [scorer.score(each).scores.frames[0].quality for each in (full, half)]

    assert full.frames.shape[1] == 2 * half.frames.shape[1]
    assert abs(qualities[0] - qualities[1]) < 1.0


def large_jpeg(path: Path, seed: int) -> Path:
    """Write a JPEG still of 2880x2160 as scanners interpolate it: fine speckle, enlarged."""
    height, width = 2160, 2880
    small = Image.fromarray(speckle(height // 6, width // 6, seed))
    depth = np.linspace(1.0, 0.35 + 0.15 * seed, height)[:, None]
    frame = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)) * depth
    coded = io.BytesIO()
    Image.fromarray(frame.astype(np.uint8)).save(coded, "JPEG", quality=90)
    ds = make_instance(height=height, width=width)
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    ds.PixelData = encapsulate([coded.getvalue()])
    ds["PixelData"].is_undefined_length = True
    ds.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.calibration
def test_a_jpeg_is_not_decoded_smaller_than_the_score_allows(shared_dir: Path) -> None:
    """Half size moved the score of these two by up to 2.5 points, so they are decoded in full."""
    for name in ("anechoic-3mm-3mm", "axial-lateral-resolution-2020"):
        path = shared_dir / "dicom" / "itkpocus" / f"sonoque_{name}.dcm"
        stack = read_frames(open_object(path, MediaType.DICOM), 1)
        assert stack.region.height == stack.frames.shape[1], name
