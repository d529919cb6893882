"""Spectra and M-mode traces that no header declares: refused; tissue never is."""

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from sonogate.cli import main
from sonogate.demo.phantom import Fault, make_scan
from sonogate.demo.screen import make_screen
from sonogate.demo.views import VIEWS
from sonogate.domain.instance import MediaType
from sonogate.errors import NotApplicableError
from sonogate.read.frames import read_frames
from sonogate.read.objects.header import open_object
from sonogate.read.pixels.colour import luma_of
from sonogate.read.traces.find import find_trace
from tests.service.read.other_screens import SPECTRA as OTHER_SPECTRA
from tests.service.read.other_screens import other_screen
from tests.service.read.trace_screens import MOTIONS, SPECTRA, Screen, as_jpeg, trace_screen

if TYPE_CHECKING:
    from tests.service.read.conftest import MakeObject

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
CODES = dict.fromkeys(SPECTRA, "spectral_doppler") | dict.fromkeys(MOTIONS, "m_mode")
SEEDS = range(4)


def found(picture: NDArray[np.uint8]) -> str | None:
    """Return the code of the trace that a screen surely shows."""
    trace = find_trace(luma_of(picture), picture)
    return trace.code if trace is not None and trace.sure else None


def reason(path: Path, media_type: MediaType) -> str | None:
    """Return why a picture is not judged; None if it is."""
    try:
        read_frames(open_object(path, media_type), 8)
    except NotApplicableError as error:
        return error.code
    return None


@pytest.mark.slow
@pytest.mark.parametrize("kind", CODES)
def test_most_traces_are_recognised_as_what_they_are(kind: str) -> None:
    """Of ten screens, sizes and layouts by chance, half of them JPEG: at least seven."""
    codes = []
    for seed in range(10):
        picture = trace_screen(kind, seed).picture
        if seed % 2:
            picture = np.asarray(Image.open(io.BytesIO(as_jpeg(picture, 80))))
        codes.append(found(picture))

    assert codes.count(CODES[kind]) >= 7, codes


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["under", "beside", "low"])
@pytest.mark.parametrize("kind", ["wall", "barcode", "little_blood"])
def test_m_mode_without_much_blood_is_recognised(kind: str, layout: str) -> None:
    """Its echoes go on over the whole strip, wherever that lies."""
    codes = [found(other_screen(kind, seed, layout=layout).picture) for seed in (5, 7, 9)]

    assert codes.count("m_mode") >= 2, codes


@pytest.mark.slow
def test_spectra_without_a_whole_baseline_are_recognised() -> None:
    """Of another style than what the rules and the net know: of sixteen at least five."""
    kinds = ("arterial", "venous", "valve", "weak")
    screens = [
        other_screen(kind, seed, baseline=baseline, layout="under")
        for kind in kinds
        for seed, baseline in ((601, "none"), (603, "dashed"), (605, "short"), (607, "none"))
    ]
    codes = [found(screen.picture) for screen in screens]

    assert codes.count("spectral_doppler") >= 5, codes


@pytest.mark.slow
def test_a_trace_that_is_not_told_for_sure_is_in_doubt() -> None:
    """Of twelve spectra of another style at most one is graded as if it were tissue."""
    screens = [other_screen(kind, seed) for kind in OTHER_SPECTRA for seed in (611, 615)]
    traces = [find_trace(luma_of(screen.picture), screen.picture) for screen in screens]

    assert [trace for trace in traces if trace is not None and not trace.sure]
    assert traces.count(None) <= 1


@pytest.mark.integration
def test_the_command_line_says_what_a_picture_in_doubt_may_be(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is graded, `uncertain`, and its reason and action speak of the doubt."""
    path = tmp_path / "spectrum.png"
    Image.fromarray(other_screen("venous", 611).picture).save(path)
    with pytest.raises(SystemExit):
        main(["score", str(path), "--json"])
    verdict = json.loads(capfd.readouterr().out)

    assert ("graded", True) == (verdict["status"], verdict["uncertain"])
    assert "may be a spectral Doppler trace" in verdict["reason"]
    assert "Look yourself" in verdict["action"]


@pytest.mark.parametrize("tint", [(1.0, 0.75, 0.35), (0.5, 0.75, 1.0)])
def test_a_tinted_spectrum_is_one(tint: tuple[float, float, float]) -> None:
    """A grey map with a hue, the drawn baseline in green: little of it is flow."""
    grey = trace_screen("arterial", 3, layout="full").picture
    luma = grey if grey.ndim == 2 else grey[..., 0]
    tinted = (luma[..., None] * np.array(tint)).astype(np.uint8)
    tinted[40:44] = (0, 200, 60)

    assert "spectral_doppler" == found(tinted)


def test_flow_of_two_hues_is_no_trace() -> None:
    """The same spectrum painted as flow towards the probe and away from it."""
    grey = trace_screen("arterial", 3, layout="full").picture
    luma = grey if grey.ndim == 2 else grey[..., 0]
    hues = np.where(np.arange(luma.shape[1])[:, None] // 40 % 2, (1.0, 0.2, 0.0), (0.0, 0.3, 1.0))

    assert found((luma[..., None] * hues).astype(np.uint8)) is None


@pytest.mark.parametrize("layout", ["full", "below", "beside"])
@pytest.mark.parametrize("kind", ["arterial", "heart", "lung"])
def test_a_screenshot_of_a_trace_is_not_judged(kind: str, layout: str, tmp_path: Path) -> None:
    """A PNG declares nothing; the trace fills it, or is larger than its B-mode picture."""
    path = tmp_path / "screen.png"
    Image.fromarray(trace_screen(kind, 3, layout=layout).picture).save(path)

    assert CODES[kind] == reason(path, MediaType.PNG)


@pytest.mark.parametrize("kind", ["cardiac", "heart"])
def test_a_secondary_capture_of_a_trace_is_not_judged(kind: str, make_object: "MakeObject") -> None:
    """So is a DICOM object without regions."""
    picture = trace_screen(kind, 7, layout="below").picture
    path = make_object(picture, "RGB", SOPClassUID=SECONDARY_CAPTURE)

    assert CODES[kind] == reason(path, MediaType.DICOM)


@pytest.mark.parametrize(
    ("kind", "seed"), [("arterial", 7), ("arterial", 8), ("cardiac", 7), ("heart", 7), ("lung", 8)]
)
def test_a_trace_smaller_than_its_b_mode_picture_is_furniture(
    kind: str, seed: int, tmp_path: Path
) -> None:
    """The tissue is judged, and nothing of the trace is."""
    screen = trace_screen(kind, seed, layout="small")
    path = tmp_path / "duplex.png"
    Image.fromarray(screen.picture).save(path)

    stack = read_frames(open_object(path, MediaType.PNG), 1)

    seen = stack.scan_mask & ~stack.overlay_mask
    assert seen[inner(screen)].mean() > 0.5
    top, left, bottom, right = screen.strip
    assert seen[top:bottom, left:right].mean() < 0.05


def inner(screen: Screen) -> tuple[slice, slice]:
    """Return the middle of the B-mode picture."""
    assert screen.tissue is not None
    top, left, bottom, right = screen.tissue
    high, wide = (bottom - top) // 4, (right - left) // 4
    return slice(top + high, bottom - high), slice(left + wide, right - wide)


@pytest.mark.integration
def test_the_command_line_says_why_a_spectrum_has_no_grade(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """`sonogate score` gives the plain sentence."""
    path = tmp_path / "spectrum.jpg"
    path.write_bytes(as_jpeg(trace_screen("arterial", 3, layout="full").picture, 90))
    with pytest.raises(SystemExit) as ended:
        main(["score", str(path)])

    assert not ended.value.code
    assert "spectral Doppler trace" in capfd.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("fault", Fault)
def test_tissue_is_never_a_trace(view: str, fault: Fault) -> None:
    """With every fault, no contact among them, cut out and on its screen."""
    scan = make_scan(VIEWS[view], seed=2, fault=fault)
    screen = make_screen(scan, patient="Doe^Jane", label=view, probe="P")

    assert [None, None] == [found(scan.picture), found(screen.picture)]


def layered_muscle(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw what of tissue is most like M-mode: flat bright layers right across a linear scan."""
    amplitude = np.abs(rng.standard_normal((400, 600)) + 1j * rng.standard_normal((400, 600)))
    rows = np.arange(400)[:, None]
    speckle = gaussian_filter(amplitude, (1.2, 3.0)) * 45
    for at in (12, 60, 75, 180, 310):
        speckle = speckle + 150 * np.exp(-(((rows - at) / 3.0) ** 2))
    return np.asarray(np.clip(speckle, 0, 255), dtype=np.uint8)


@pytest.mark.parametrize("seed", SEEDS)
def test_level_layers_of_muscle_are_no_m_mode(seed: int) -> None:
    """Fasciae stand as still as a chest wall, but speckle between them is that of a beam."""
    assert found(layered_muscle(np.random.default_rng(seed))) is None


@pytest.mark.parametrize("seed", SEEDS)
def test_muscle_smeared_sideways_is_no_m_mode(seed: int) -> None:
    """Out of focus its echoes go on over many beams, but no column has noise of its own."""
    smeared = gaussian_filter(layered_muscle(np.random.default_rng(seed)), (0.7, 20.0))

    assert found(smeared) is None


@pytest.mark.parametrize("view", ["muscle", "liver", "carotid"])
def test_lines_of_interference_over_tissue_are_no_m_mode(view: str) -> None:
    """They go on from side to side as an M-mode trace does, but repeat in depth."""
    scan = make_scan(VIEWS[view], seed=1).picture.astype(np.float64)
    rng = np.random.default_rng(3)
    lines = np.sin(2 * np.pi * np.arange(len(scan)) / 9.0)[:, None] > 0.6
    foreign = lines * rng.rayleigh(60.0, scan.shape) * (scan > 4)

    assert found(np.clip(scan + foreign, 0, 255).astype(np.uint8)) is None


@pytest.mark.parametrize("seed", SEEDS)
def test_a_probe_in_air_is_no_m_mode(seed: int) -> None:
    """Level ringing of the probe above amplified noise is a fault to be judged."""
    rng = np.random.default_rng(seed)
    rows = np.arange(450)[:, None]
    ringing = 160 * np.exp(-rows / 30) * (1 + np.cos(rows / 2.2)) / 2
    noise = rng.rayleigh(1.0, (450, 160)).repeat(4, axis=1) * (2 + rows / 25)
    picture = np.clip(ringing + noise, 0, 255).astype(np.uint8)

    assert found(picture) is None


def test_a_line_drawn_over_tissue_is_no_baseline() -> None:
    """A level distance, or the border of a screen above a linear scan."""
    scan = make_scan(VIEWS["breast"], seed=4, fault=Fault.ATTENUATED).picture
    above = np.vstack([np.zeros((40, scan.shape[1]), np.uint8), scan])
    above[36:38] = 200
    image = Image.fromarray(scan)
    ImageDraw.Draw(image).line((40, 200, scan.shape[1] - 40, 200), fill=230)

    assert [None, None] == [found(above), found(np.asarray(image))]


@pytest.mark.parametrize(("paper", "ink"), [(0, 255), (255, 0)])
def test_a_table_is_a_report_and_no_trace(paper: int, ink: int, tmp_path: Path) -> None:
    """Its rules stand as still as a chest wall, and between them lie letters."""
    image = Image.new("L", (640, 480), paper)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(16)
    for y in range(20, 440, 40):
        pen.text((30, y), "Aorta diameter 3.3 cm   mean 3.1  LVEF 55 %", fill=ink, font=font)
        pen.line((20, y + 28, 620, y + 28), fill=ink)
    path = tmp_path / "page.png"
    image.save(path)

    assert "report_page" == reason(path, MediaType.PNG)


@pytest.mark.parametrize("views", [("liver", "kidney"), ("heart", "heart"), ("muscle", "muscle")])
def test_two_pictures_side_by_side_are_judged(views: tuple[str, str], tmp_path: Path) -> None:
    """A dual screen, also of one picture twice, is tissue on both sides."""
    left, right = (make_scan(VIEWS[view], seed=1).picture for view in views)
    width = left.shape[1] + right.shape[1] + 20
    dual = np.zeros((600, width), np.uint8)
    dual[80 : 80 + len(left), : left.shape[1]] = left
    dual[80 : 80 + len(right), -right.shape[1] :] = right
    path = tmp_path / "dual.png"
    Image.fromarray(dual).save(path)

    assert reason(path, MediaType.PNG) is None


@pytest.mark.parametrize("view", ["liver", "heart", "carotid"])
def test_a_screenshot_of_flow_alone_is_not_judged(view: str, tmp_path: Path) -> None:
    """Colour over the whole scan leaves nothing to grade; a colour box leaves enough."""
    scan = make_scan(VIEWS[view], seed=1).picture
    height, width = scan.shape
    speed = gaussian_filter(np.random.default_rng(0).standard_normal(scan.shape), 12)[..., None]
    shade = np.abs(speed) / np.abs(speed).max()
    toward, away = (
        (90 + 160 * shade, 200 * shade, 0 * shade),
        (0 * shade, 120 * shade, 90 + 160 * shade),
    )
    flow = np.where(speed > 0, np.dstack(toward), np.dstack(away)).astype(np.uint8)
    grey = np.repeat(scan[..., None], 3, axis=2)
    box = np.zeros(scan.shape, np.bool_)
    box[height // 3 : height // 2, width // 3 : width // 2] = True
    reasons = []
    for number, where in enumerate((scan > 8, box)):
        path = tmp_path / f"{number}.png"
        screen = np.pad(np.where(where[..., None], flow, grey), ((60, 60), (60, 60), (0, 0)))
        Image.fromarray(screen).save(path)
        reasons.append(reason(path, MediaType.PNG))

    assert ["colour_doppler_only", None] == reasons


@pytest.mark.slow
def test_no_real_image_is_a_trace(shared_dir: Path) -> None:
    """A sample of the images beside the project: every tenth, and every one of muscle."""
    folder = shared_dir / "data"
    with (folder / "INDEX.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    sample = [row for i, row in enumerate(rows) if i % 10 == 0 or "muscle" in row["source"]]
    taken = []
    for row in sample:
        with Image.open(folder / row["path"]) as image:
            if found(np.asarray(image.convert("L"))) is not None:
                taken.append(row["path"])

    assert len(sample) > 350
    assert [] == taken
