"""The scripts that make external corruption sets, without the packages that they fetch."""

import csv
import json
import sys
import tomllib
from importlib import util
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.models.phantoms import SCANS, tissue

ROOT = Path(__file__).resolve().parents[2]
EXTERNAL = ROOT / "models" / "external"


def script(name: str) -> Any:
    """Load a script as a module."""
    spec = util.spec_from_file_location(f"external_{name}", EXTERNAL / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """Five validation images of two sources, three of them of one group; and one of training."""
    rows = []
    for number, (source, group, split) in enumerate(
        [
            *(("liver", "film", "val"), ("liver", "film", "val"), ("liver", "film", "val")),
            *(("liver", "other", "val"), ("lung", "a", "val"), ("lung", "b", "train")),
        ]
    ):
        path = tmp_path / f"{number}.png"
        grey = tissue(SCANS["fan"], seed=number)
        Image.fromarray((grey * 255).astype(np.uint8)).save(path)
        keys = {"path": path.name, "source": source, "group": group, "split": split}
        rest = {"licence": "CC0-1.0", "non_commercial": "N", "quality_label": ""}
        rows.append({**keys, **rest, "sha256": f"{number + 1:08x}{number:056x}"})
    with (tmp_path / "INDEX.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return tmp_path


def test_validation_images_of_other_groups_come_first(collection: Path) -> None:
    """Two of each source; nothing of the training split."""
    rows = script("make_set").rows_of(collection, 2)

    assert [("liver", {"film", "other"}), ("lung", {"a"})] == [
        (source, {row.group for row in rows if row.source == source})
        for source in ("liver", "lung")
    ]
    assert 5 == len(script("make_set").rows_of(collection, 0))


def test_a_corruption_changes_the_scan_only_and_is_written_down(
    collection: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five levels of each operator beside the clean image; here with a corruption of our own."""

    def halve(picture: Image.Image, severity: int) -> np.ndarray[Any, Any]:
        return (255 - np.asarray(picture) // (severity + 2)).astype(np.uint8)

    registry = ModuleType("medmnistc.corruptions.registry")
    fake = SimpleNamespace(
        apply=halve, severity_params=[(5, 5), (9, 7), (9, 10), (13, 10), (17, 12)]
    )
    registry.CORRUPTIONS_DS = {"breastmnist": {"motion_blur": fake}}  # type: ignore[attr-defined]
    for name in ("medmnistc", "medmnistc.corruptions"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, registry.__name__, registry)
    before = set(sys.modules)
    make_set, medmnistc_set = script("make_set"), script("medmnistc_set")
    folder = collection / "set"
    make_set.write_clean(folder, make_set.rows_of(collection, 1))

    medmnistc_set.main(folder)
    for name in set(sys.modules) - before:
        del sys.modules[name]

    rows = list(csv.DictReader((folder / "samples.csv").read_text("utf-8").splitlines()))
    assert ["0", "1", "2", "3", "4", "5"] * 2 == [row["level"] for row in rows]
    assert {"severity": [17, 12]} == json.loads(rows[5]["parameters"])
    clean, changed = (np.asarray(Image.open(folder / rows[i]["path"])) for i in (0, 5))
    mask = np.asarray(Image.open(folder / rows[0]["mask"])) > 127
    assert np.array_equal(clean[~mask], changed[~mask])
    assert not np.array_equal(clean[mask], changed[mask])


def test_external_packages_are_no_dependencies() -> None:
    """Neither in an extra nor in a group."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)
    named = json.dumps([project["project"], project["dependency-groups"]])

    assert not [name for name in script("make_set").PACKAGES if name in named]
