"""`sonogate calibrate` from grades to a running gate and back, on phantoms."""

import asyncio
import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image, ImageFilter
from typer.testing import CliRunner

from sonogate.cli import app
from sonogate.demo.phantom import make_scan
from sonogate.demo.views import VIEWS
from sonogate.domain.calibration import parse
from sonogate.errors import GateError
from sonogate.settings import Settings
from sonogate.testing import Gate, running_gate
from tests.integration.test_gate import small_settings

pytestmark = [pytest.mark.integration, pytest.mark.slow]

GRADES = {"high": 0.0, "medium": 1.6, "low": 5.0}
"""How much a department's images of each grade are blurred (px)."""
N_PATIENTS = 10


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty phantom images of ten patients, and grades.csv beside them."""
    folder = tmp_path_factory.mktemp("graded")
    with (folder / "grades.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", "grade", "patient"])
        for patient in range(N_PATIENTS):
            picture = Image.fromarray(make_scan(VIEWS["thyroid"], seed=patient).picture)
            for grade, radius in GRADES.items():
                name = f"{grade}-{patient}.png"
                picture.filter(ImageFilter.GaussianBlur(radius)).save(folder / name)
                table.writerow([name, grade, f"p{patient}"])
    return folder


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    text: str


@dataclass(frozen=True)
class Fitted:
    """A calibration file, and what was said as it was made."""

    file: Path
    said: Said


def settings_in(folder: Path) -> Settings:
    """A small gate's settings by the humble model; the same as a file for the command line."""
    made = small_settings(folder)
    scoring = made.scoring.model_copy(update={"model": "dct-manifold/1.0.0"})
    (folder / "gate.toml").write_text(
        f'data_dir = "{made.data_dir}"\n[scoring]\nmodel = "{scoring.model}"\n', encoding="utf-8"
    )
    return made.model_copy(update={"scoring": scoring})


def run(folder: Path, *words: str | Path) -> Said:
    """Run `sonogate calibrate` by the settings of a folder."""
    done = CliRunner().invoke(app, ["calibrate", *map(str, words), "-c", str(folder / "gate.toml")])
    error = f"{done.exception}" if isinstance(done.exception, GateError) else ""
    return Said(1 if error else done.exit_code, done.output + error)


@pytest.fixture(scope="module")
def fitted(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """Grades fitted once."""
    folder = tmp_path_factory.mktemp("fit")
    settings_in(folder)
    file = folder / "site.toml"
    said = run(folder, "--labels", images / "grades.csv", "--images", images, "--out", file)
    return Fitted(file, said)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A gate's, with a folder of its own."""
    return settings_in(tmp_path)


async def judged(gate: Gate, image: Path) -> dict[str, Any]:
    """Return the verdict of a picture that was never sent before: its bytes are made new."""
    with Image.open(image) as picture:
        fresh = image.parent / f"sent-{len(list(image.parent.glob('sent-*')))}.png"
        width = picture.width + len(list(image.parent.glob("sent-*")))
        picture.crop((0, 0, width, picture.height)).save(fresh)
    async with httpx.AsyncClient(base_url=gate.url, timeout=60) as http:
        answer = await http.post(
            "/v1/verdicts",
            content=await asyncio.to_thread(fresh.read_bytes),
            headers={"Content-Type": "image/png"},
        )
    body: dict[str, Any] = answer.json()
    return body


async def holds(gate: Gate, ids: set[str]) -> None:
    """Wait until the gate judges by these calibrations."""
    async with asyncio.timeout(20):
        while set(gate.pipeline.policy.calibrations) != ids:  # noqa: ASYNC110 - the gate's own beat
            await asyncio.sleep(0.05)


def test_a_fit_says_what_it_is_worth_and_never_overwrites(images: Path, fitted: Fitted) -> None:
    """Shipped beside calibrated, by patient, with warnings; the file reads back."""
    made = parse(fitted.file.read_text(encoding="utf-8"))

    assert 0 == fitted.said.code, fitted.said.text
    assert made.expected.balanced_accuracy.value > 0.85
    assert (30, 10, 10) == (made.provenance.images, made.provenance.patients, made.provenance.low)
    for words in ("as shipped", "warning: only 10 images are low", "No stored verdict"):
        assert words in fitted.said.text
    again = run(
        fitted.file.parent,
        "--labels",
        images / "grades.csv",
        "--images",
        images,
        "--out",
        fitted.file,
    )
    assert (1, True) == (again.code, "is there already" in again.text)


async def test_a_calibration_holds_on_a_running_gate_over_a_restart_until_it_is_revoked(
    settings: Settings, images: Path, tmp_path: Path, fitted: Fitted
) -> None:
    """Look ahead, apply, restart, revoke: each verdict names what it was made under."""

    async def say(*words: str | Path) -> str:
        said = await asyncio.to_thread(run, tmp_path, *words)
        assert 0 == said.code, said.text
        return said.text

    async with running_gate(settings) as gate:
        before = await judged(gate, images / "medium-0.png")
        assert "On the 1 newest stored verdicts" in await say("preview", fitted.file)
        name = (await say("apply", fitted.file, "--by", "dr")).partition("In force: ")[2][:12]
        await holds(gate, {name})
        during = await judged(gate, images / "medium-0.png")
        ready = (await asyncio.to_thread(httpx.get, f"{gate.url}health/ready")).json()
        assert name == ready["checks"]["calibration"]["detail"]
    async with running_gate(settings) as gate:
        assert {name} == set(gate.pipeline.policy.calibrations)
        again = await judged(gate, images / "medium-0.png")
        await say("revoke", name[:6])
        await holds(gate, set())
        after = await judged(gate, images / "medium-0.png")

    assert [None, name, name, None] == [
        each["calibration"] and each["calibration"]["id"] for each in (before, during, again, after)
    ]
    assert during["calibration"]["quality"] == pytest.approx(before["quality"], abs=2)
    assert ["medium", "medium"] == [during["band"], again["band"]]
    assert before["policy_version"] == after["policy_version"] != during["policy_version"]
    listed = await say("list")
    assert f"{name}  dct-manifold/1.0.0  all exams" in listed
    assert "ended" in listed
    assert fitted.file.read_text(encoding="utf-8") == await say("show", name)


def test_a_calibration_of_another_model_is_refused(
    settings: Settings, tmp_path: Path, fitted: Fitted
) -> None:
    """Another card is another scale, though the model has the same name."""
    content = fitted.file.read_text(encoding="utf-8")
    other = tmp_path / "other.toml"
    other.write_text(content.replace(parse(content).model.card_sha256, "00" * 32), encoding="utf-8")

    said = run(tmp_path, "apply", other)

    assert settings.scoring.model == "dct-manifold/1.0.0"
    assert 1 == said.code
    assert "of another dct-manifold/1.0.0" in said.text
    assert "Fit it anew" in said.text


async def test_a_gate_with_another_model_judges_as_shipped_and_says_why(
    settings: Settings, images: Path, tmp_path: Path, fitted: Fitted
) -> None:
    """A changed model never judges by numbers of the former one; carts are served all the same."""
    assert 0 == (await asyncio.to_thread(run, tmp_path, "apply", fitted.file)).code
    scoring = settings.scoring.model_copy(update={"model": "nrq/1.1.0"})
    async with running_gate(settings.model_copy(update={"scoring": scoring})) as gate:
        verdict = await judged(gate, images / "high-1.png")
        ready = await asyncio.to_thread(httpx.get, f"{gate.url}health/ready")

    check = ready.json()["checks"]["calibration"]
    assert (200, False) == (ready.status_code, check["ok"])
    assert "of dct-manifold/1.0.0, and the gate runs nrq/1.1.0" in check["detail"]
    assert verdict["calibration"] is None


def test_a_head_is_fitted_on_the_numbers_that_the_gate_hears(
    settings: Settings, images: Path, tmp_path: Path
) -> None:
    """Its names are those of raw scores and findings, so that the gate can weigh them again."""
    file, labels = tmp_path / "head.toml", images / "grades.csv"

    said = run(tmp_path, "--labels", labels, "--images", images, "--out", file, "--head")

    assert 0 == said.code, said.text
    assert "No stored verdict" in said.text
    head = parse(file.read_text(encoding="utf-8")).head
    assert settings.scoring.model == "dct-manifold/1.0.0"
    assert head is not None
    assert {"quality", "blurred", "badness", "mean_gradient"} <= set(head.names)


async def test_a_head_s_preview_says_what_the_gate_does_once_it_holds(
    settings: Settings, images: Path, tmp_path: Path
) -> None:
    """The stored numbers are those that the gate weighs again."""
    file, labels = tmp_path / "head.toml", images / "grades.csv"
    fitted = run(tmp_path, "--labels", labels, "--images", images, "--out", file, "--head")
    assert 0 == fitted.code, fitted.text
    shown = ("high-0.png", "medium-0.png", "low-0.png")

    async with running_gate(settings) as gate:
        before = [await judged(gate, images / name) for name in shown]
        ahead = await asyncio.to_thread(run, tmp_path, "preview", file)
        applied = await asyncio.to_thread(run, tmp_path, "apply", file)
        await holds(gate, {applied.text.partition("In force: ")[2][:12]})
        after = [await judged(gate, images / name) for name in shown]

    assert "On the 3 newest stored verdicts" in ahead.text
    assert {"mean_gradient", "badness"} <= set(before[0]["scores"])
    assert {"blurred", "noisy"} <= set(before[0]["severities"])
    for band in ("low", "medium", "high"):
        was, would = (sum(each["band"] == band for each in some) for some in (before, after))
        assert f"({was} -> {would} images)" in ahead.text, (band, ahead.text)
