"""`sonogate score`: the verdict of the gate, without a gate."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sonogate.cli import main
from sonogate.demo.exam import Shot, make_exam
from sonogate.demo.phantom import Fault, make_scan
from sonogate.demo.views import VIEWS
from sonogate.domain.verdict import Band, Status, Verdict


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good and an empty DICOM image, a report, a PNG, a JPEG in name only, a text."""
    place = tmp_path_factory.mktemp("files")
    shots = [Shot(view="thyroid"), Shot(view="thyroid", fault=Fault.NO_CONTACT)]
    for name, ds in zip(("a", "b", "c"), make_exam(datetime.now(UTC), shots=shots), strict=True):
        ds.save_as(place / f"{name}.dcm", enforce_file_format=True)
    Image.fromarray(make_scan(VIEWS["breast"], seed=1).picture).save(place / "d.png")
    (place / "e.jpg").write_bytes(b"\xff\xd8\xff and nothing more")
    (place / "f.txt").write_text("no image")
    return place


@pytest.mark.integration
def test_one_json_line_per_object_with_the_verdicts_schema(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each line is a path and a verdict; no contact is low, a report is not for judging."""
    main_ended_well(["score", str(folder), "--json"])

    out, err = capfd.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    verdicts = {Path(line.pop("path")).name: Verdict.model_validate(line) for line in lines}
    assert ["a.dcm", "b.dcm", "c.dcm", "d.png", "e.jpg"] == list(verdicts)
    assert (Band.LOW, Status.GRADED) == (verdicts["b.dcm"].band, verdicts["b.dcm"].status)
    assert (verdicts["a.dcm"].quality or 0) > (verdicts["b.dcm"].quality or 0) + 20
    assert Status.NOT_APPLICABLE == verdicts["c.dcm"].status
    assert verdicts["d.png"].sop_instance_uid is None
    assert Status.GRADED == verdicts["d.png"].status
    assert (Status.UNSCORABLE, None) == (verdicts["e.jpg"].status, verdicts["e.jpg"].band)
    assert "f.txt: neither a DICOM object nor a PNG" in err


@pytest.mark.integration
def test_without_json_a_line_says_band_reason_and_action(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """For people: path, band, number, and what to do."""
    main_ended_well(["score", str(folder / "b.dcm")])

    out, _ = capfd.readouterr()
    assert out.startswith(f"{folder / 'b.dcm'}: low ")
    assert "gel" in out


@pytest.mark.integration
def test_every_finding_is_said_with_its_action(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A low image's second fault and a high image's shadow stand on lines of their own.

    By the DCT manifold: NRQ calls the faint picture medium.
    """
    monkeypatch.setenv("SONOGATE_SCORING__MODEL", "dct-manifold/1.0.0")
    faint = make_scan(VIEWS["breast"], seed=1, fault=Fault.ATTENUATED).picture * 0.25
    shaded = make_scan(VIEWS["liver"], seed=1).picture.copy()
    height, width = shaded.shape
    behind_a_rib = slice(height // 3, None), slice(int(0.45 * width), int(0.6 * width))
    shaded[behind_a_rib] = shaded[behind_a_rib] * 0.08
    for name, pixels in (("faint", faint), ("shaded", shaded)):
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{name}.png")

    main_ended_well(["score", str(tmp_path)])

    lines = capfd.readouterr().out.splitlines()
    assert lines[0].startswith(f"{tmp_path / 'faint.png'}: low ")
    assert "    also: The whole image is too dark. Raise the overall gain" == lines[1]
    assert lines[2].startswith(f"{tmp_path / 'shaded.png'}: high ")
    assert lines[3].startswith("    noticed: The middle third lies in a shadow")
    assert "Change the angle" in lines[3]


def main_ended_well(arguments: list[str]) -> None:
    """Run the command line; it must end with 0."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert 0 == ended.value.code
