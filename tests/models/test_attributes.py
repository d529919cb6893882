"""Measured faults: raised by the fault they name, silent on ordinary scans, placed where it is."""

import time

import numpy as np
import pytest

from sonoquality import degrade
from sonoquality.arrays import Luma, Mask, ShapeError
from sonoquality.attributes import CODES, AttributeMeasure, measure
from tests.models.phantoms import HEIGHT, SCANS, WIDTH, tissue

PROBES = sorted(SCANS)
NAMED = 0.35  #: the gate's default `finding_from`


def faulty(name: str | None, probe: str, level: int = 5, seed: int = 4) -> Luma:
    """A phantom with a fault, as a frame."""
    mask = SCANS[probe]
    image = tissue(mask)
    changed = image if name is None else degrade.apply(name, image, mask, level, seed)
    return (changed * 255).round().astype(np.uint8)


def measured(frame: Luma, mask: Mask) -> dict[str, AttributeMeasure]:
    """Measure without overlays."""
    return measure(frame, mask, np.zeros_like(mask))


@pytest.mark.parametrize("probe", PROBES)
def test_an_ordinary_scan_has_no_faults(probe: str) -> None:
    """Nothing is named that is not there."""
    found = measured(faulty(None, probe), SCANS[probe])

    assert set(CODES) == set(found)
    assert [] == [code for code in CODES if found[code].severity >= NAMED]


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("G- 4", "too_dark"),  # at level 5 nothing is left at all: empty
        ("G+", "too_bright"),
        ("CON", "poor_contact"),
        ("SHA", "shadowed"),
        ("ATT", "attenuated"),
        ("DEF", "blurred"),
        ("MOT", "blurred"),
        ("SPK", "noisy"),
    ],
)
def test_a_fault_is_named_by_its_own_measure(name: str, code: str, probe: str) -> None:
    """At level 5 the matching measure passes the threshold, and well above the clean scan."""
    name, _, level = name.partition(" ")
    found = measured(faulty(name, probe, int(level or 5)), SCANS[probe])
    clean = measured(faulty(None, probe), SCANS[probe])

    assert found[code].severity >= NAMED
    assert found[code].severity > clean[code].severity + 0.2


@pytest.mark.parametrize("probe", PROBES)
def test_lost_contact_is_boxed_where_it_is(probe: str) -> None:
    """The box covers the dark lines and little more."""
    mask = SCANS[probe]
    area = degrade.affected_area("CON", tissue(mask), mask, 3, 4)
    box = measured(faulty("CON", probe, level=3), mask)["poor_contact"].box

    assert area is not None
    assert box is not None
    rows, columns = np.nonzero(area)
    x, y, width, height = box
    assert x == pytest.approx(columns.min(), abs=14)
    assert x + width == pytest.approx(columns.max(), abs=14)
    assert y == pytest.approx(rows.min(), abs=14)
    assert y + height == pytest.approx(rows.max(), abs=14)


def probe_in_air() -> Luma:
    """Bright lines of the probe's own ring at the skin, nothing below."""
    frame = np.zeros((HEIGHT, WIDTH), np.uint8)
    for row in range(10, 34, 6):
        frame[row : row + 3, 12:-12] = 200
    return frame


def test_a_probe_in_air_is_empty() -> None:
    """The ring at the skin is no tissue."""
    assert measured(probe_in_air(), SCANS["linear"])["empty"].severity == 1


def test_a_probe_in_air_is_empty_though_the_mask_holds_only_the_ring() -> None:
    """A mask is drawn around what shines; below the ring the scan goes on."""
    band = np.zeros((HEIGHT, WIDTH), np.bool_)
    band[10:34, 12:-12] = True

    assert measured(probe_in_air(), band)["empty"].severity == 1


@pytest.mark.parametrize("name", [None, "CON", "ATT", "SHA"])
def test_a_scan_with_some_tissue_is_not_empty(name: str | None) -> None:
    """Half a picture is a bad picture, and no picture of air."""
    assert measured(faulty(name, "linear"), SCANS["linear"])["empty"].severity < 0.5


def test_text_on_a_dark_screen_is_no_echo() -> None:
    """What the overlay mask covers is left out."""
    frame = probe_in_air()
    text = np.zeros_like(frame, np.bool_)
    text[150:220, 40:280] = True
    frame[text] = 255

    assert measure(frame, SCANS["linear"], text)["empty"].severity == 1
    assert measured(frame, SCANS["linear"])["empty"].severity < 0.5


def test_blur_is_boxed_where_the_model_saw_the_worst() -> None:
    """Blur is everywhere by its measure; the heat map places it."""
    frame, mask = faulty("DEF", "linear"), SCANS["linear"]
    heat = np.zeros(frame.shape, np.float32)
    heat[100:150, 60:120] = 1

    box = measure(frame, mask, np.zeros_like(mask), heat)["blurred"].box

    assert (60, 100, 60, 50) == box


def test_measuring_is_fast() -> None:
    """Under 25 ms of CPU for a frame at working scale, best of five."""
    frame = np.asarray(np.kron(faulty(None, "linear"), np.ones((2, 2))), np.uint8)[:400, :448]
    mask = np.kron(SCANS["linear"], np.ones((2, 2))).astype(np.bool_)[:400, :448]
    seconds = []
    for _ in range(5):
        begun = time.process_time()
        measured(frame, mask)
        seconds.append(time.process_time() - begun)

    assert min(seconds) < 0.025


def test_arrays_of_unlike_size_are_refused() -> None:
    """A mask of another frame would measure nonsense."""
    with pytest.raises(ShapeError):
        measured(faulty(None, "linear"), SCANS["linear"][:-1])
