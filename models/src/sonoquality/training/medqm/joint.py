"""A zoo entry whose one graph holds NRQ and MedQM-I, and whose card says how they are joined.

NRQ's part is that of its entry, number by number. What reads MedQM-I is measured on training
images that it did not learn from; the weight between the two comes from the recipe.
"""

import hashlib
import json
import shutil
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Annotated

import numpy as np
import onnx
from pydantic import BaseModel, ConfigDict, Field

from sonoquality.arrays import Floats
from sonoquality.card import ModelCard
from sonoquality.errors import QualityError
from sonoquality.export.cells import with_cells
from sonoquality.export.medqm import with_medqm
from sonoquality.joining import Told, joined
from sonoquality.labelling.spoiled import TAUGHT
from sonoquality.labelling.study import Study
from sonoquality.training.data import read_index, training_rows
from sonoquality.training.medqm import by_torch
from sonoquality.training.medqm.entry import WEIGHTS
from sonoquality.training.medqm.examples import STEP
from sonoquality.training.medqm.priors import ATTRIBUTE_OF, NAMES, TARGETS, VIEWS
from sonoquality.trials import judges, pictures, table
from sonoquality.zoo import CARD_FILE, GOLDEN_FILE, MODEL_FILE, PARENT_FILE

NAME = "joined"
FINDINGS: Mapping[str, str] = {
    "noise": "noisy",
    "blur": "blurred",
    "shadow": "shadowed",
    "attenuation": "attenuated",
    "gain": "gain",
    "reverberation": "reverberation",
    "clutter": "clutter",
    "contact": "poor_contact",
    "motion": "motion",
}
"""The finding that each attribute becomes. What is written over a scan is taken off before."""
LOCATED = frozenset({"shadow", "contact"})
"""Attributes whose map says where the fault is (docs/results/joined.md)."""
FULL = 3.2  #: severity of level 4 of a ladder, as bad as it gets
KEPT = ("manifold", "scale", "thresholds", "preprocessing", "pooling", "heat", "domain")
"""Tables that NRQ's card gives to that of the joined entry, word for word."""

Lines = Sequence[Mapping[str, str]]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The entries that are joined."""

    nrq: Path
    medqm: Path


class JoinedRecipe(BaseModel):
    """How both are joined; every number has a name and bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    weight: Annotated[float, Field(ge=0)]
    from_utility: Annotated[float, Field(gt=0, lt=1)]
    sure_below: Annotated[float, Field(ge=0)]
    unsure_from: Annotated[float, Field(gt=0)]
    finding_at: Annotated[float, Field(gt=0, lt=1)]
    false_clean: Annotated[float, Field(gt=0, lt=1)]
    false_other: Annotated[float, Field(gt=0, lt=1)]


def read_recipe(path: Path) -> JoinedRecipe:
    """Read a recipe.

    Raises:
        OSError: there is no such file.
        ValueError: it is not TOML, or a key or value is not one of ours.
    """
    return JoinedRecipe.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))


def join(
    parts: Parts, recipe: JoinedRecipe, study: Study, zoo: Path, *, per_source: int, tell: Progress
) -> Path:
    """Write `ZOO/joined/<version>`; returns it.

    Args:
        parts: what is joined.
        recipe: gives what is not measured.
        study: of MedQM-D; its images are those that MedQM-I learned from.
        zoo: to write to.
        per_source: training images of each source to measure on, of those not in the study.
        tell: shows progress.

    Raises:
        QualityError: the study took every training image; nothing was written.
    """
    learned = {case.row.sha256 for case in study.cases()}
    new = [row for row in training_rows(read_index(study.data)) if row.sha256 not in learned]
    if not new:
        raise QualityError(
            "MedQM-I learned from every training image, and none is left to measure findings on. "
            f"Label fewer of each source than {study.most} (`--most`, in every step of the run), "
            "or add training images."
        )
    entry = draft(zoo / NAME / recipe.version, parts, recipe)
    sha256 = hashlib.sha256((entry / MODEL_FILE).read_bytes()).hexdigest()
    table_path = study.run / NAME / f"calibration-{sha256[:12]}.csv"
    shown = [
        pictures.OnceSpoiled(row=row, operators=TAUGHT, turn=turn)
        for turn, row in enumerate(pictures.spread(new, per_source))
    ]
    table.run(table_path, shown, judges.with_faults(entry), tell)
    finish(entry, parts, recipe, table.read(table_path))
    write_golden(entry, parts.nrq, by_torch.phantoms_told(parts.nrq, parts.medqm))
    return entry


def draft(folder: Path, parts: Parts, recipe: JoinedRecipe) -> Path:
    """Write an entry whose utility is read as it comes and weighs nothing; returns it.

    Args:
        folder: to write.
        parts: what is joined.
        recipe: gives what is not measured.
    """
    nrq = parts.nrq
    folder.mkdir(parents=True, exist_ok=True)
    with np.load(parts.medqm / WEIGHTS) as kept:
        weights = {key: kept[key].astype(np.float32) for key in kept.files}
    inner = with_cells(onnx.load(ModelCard.read(nrq).check_hash(nrq)))
    graph = with_medqm(inner, weights, (len(TARGETS), len(VIEWS)))
    (folder / MODEL_FILE).write_bytes(graph.SerializeToString())
    shutil.copyfile(nrq / PARENT_FILE, folder / PARENT_FILE)
    nowhere = dict.fromkeys(FINDINGS, FULL / 2)
    unread = recipe.model_copy(update={"weight": 0.0})
    _write_card(folder, parts, unread, (nowhere, 0))
    return folder


def finish(folder: Path, parts: Parts, recipe: JoinedRecipe, lines: Lines) -> None:
    """Write the card of a draft, given what it said of pictures that MedQM-I did not learn from.

    Args:
        folder: of the draft.
        parts: what is joined.
        recipe: gives what is not measured.
        lines: of a table by `trials.judges.with_faults`.
    """
    named = {name: _named_at(name, lines, recipe) for name in FINDINGS}
    n_images = len({line["image"] for line in lines})
    _write_card(folder, parts, recipe, (named, n_images))


def write_golden(folder: Path, nrq: Path, told: Mapping[str, tuple[float, float]]) -> None:
    """Write golden scores: NRQ's own, and what torch says of the utility.

    Args:
        folder: of the finished entry.
        nrq: entry of NRQ, with its golden scores.
        told: utility in [0, 1] and its doubt by phantom, by torch.
    """
    card = ModelCard.read(folder)
    own = json.loads((nrq / GOLDEN_FILE).read_text(encoding="utf-8"))
    expected = {}
    for name, scores in own["expected"].items():
        utility, off = told[name]
        n_windows = int(scores["windows"])
        said = Told(utility=utility, off_by=off, severities={}, maps={})
        both = joined(scores["badness"], said, card, n_windows)
        expected[name] = {
            **scores,
            "quality": round(card.scale.to_quality(both.badness, n_windows), 6),
            "badness": round(both.badness, 6),
            "utility": round(100 * utility, 6),
        }
    table = {"made_by": f"{own['made_by']}; utility by torch", "expected": expected}
    (folder / GOLDEN_FILE).write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


def _named_at(name: str, lines: Lines, recipe: JoinedRecipe) -> float:
    """Return the severity of an attribute that few images without the fault reach."""

    def told(kept: Lines) -> Floats:
        return np.array([float(line[f"medqm_{name}"]) for line in kept])

    clean = told([line for line in lines if not int(line["level"])])
    other = told([e for e in lines if int(e["level"]) and ATTRIBUTE_OF.get(e["operator"]) != name])
    reached = max(
        float(np.quantile(clean, 1 - recipe.false_clean)),
        float(np.quantile(other, 1 - recipe.false_other)),
    )
    return float(np.clip(reached, STEP, 0.9 * FULL))


def _write_card(
    folder: Path,
    parts: Parts,
    recipe: JoinedRecipe,
    measured: tuple[Mapping[str, float], int],
) -> None:
    named, n_images = measured
    graph, parent = ((folder / name).read_bytes() for name in (MODEL_FILE, PARENT_FILE))
    cards = [
        tomllib.loads((each / CARD_FILE).read_text(encoding="utf-8"))
        for each in (parts.nrq, parts.medqm)
    ]
    text = (parts.nrq / CARD_FILE).read_text(encoding="utf-8")
    limits = [*cards[0]["model"]["limits"], *cards[1]["model"]["limits"]]
    rows = "\n".join(f"    {json.dumps(each)}," for each in dict.fromkeys(limits))
    faults = "\n".join(
        f"[[utility.faults]]\nattribute = {json.dumps(name)}\ncode = {json.dumps(code)}\n"
        f"named_at = {named[name]:.4f}\nfull = {FULL}\n"
        f"located = {json.dumps(name in LOCATED)}\n"
        for name, code in FINDINGS.items()
    )
    made_of = {each["name"]: each["version"] for each in (cards[0]["model"], cards[1]["model"])}
    training = "\n".join(f"{k} = {json.dumps(v)}" for k, v in cards[1]["training"].items())
    card = f"""[model]
name = "{NAME}"
version = "{recipe.version}"
sha256 = "{hashlib.sha256(graph).hexdigest()}"
parent = "{PARENT_FILE}"
parent_sha256 = "{hashlib.sha256(parent).hexdigest()}"
precision = "float16 weights"
licence = "Apache-2.0"
description = "How far an image lies from clean ones (NRQ), and how well it will serve (MedQM-I)"
intended_use = {json.dumps(cards[0]["model"]["intended_use"])}
made_of = {{ {", ".join(f'{name} = "{version}"' for name, version in made_of.items())} }}
limits = [
{rows}
]

[utility]
# Badness rises by `weight` for each unit that the logit of MedQM-I's utility lies below that of
# {recipe.from_utility:g}; less the less sure it is. Chosen on validation copies.
weight = {recipe.weight}
from_logit = {log(recipe.from_utility / (1 - recipe.from_utility)):.4f}
sure_below = {recipe.sure_below}  # off by less, of 1: counts in full
unsure_from = {recipe.unsure_from}  # off by this and more: not at all
finding_at = {recipe.finding_at}  # severity of a finding, 0 to 1, from which the gate names it
attributes = {json.dumps(list(NAMES))}

# Of an attribute, 0 to 4: from `named_at` its finding is named: a level of the ladder at least, and
# so much that {100 * recipe.false_clean:g} % of clean images reach it at most, and of those
# with another fault {100 * recipe.false_other:g} %. Measured on {n_images} training images that
# MedQM-I did not learn from.

{faults}
{"".join(_section(text, name) for name in KEPT)}[training]
split = "train"
non_commercial_data = false
nrq = {json.dumps(cards[0]["training"]["choices"])}

[training.medqm]
{training}
"""
    (folder / CARD_FILE).write_text(card, encoding="utf-8")


def _section(text: str, name: str) -> str:
    """Return a card's table and those below it, word for word."""
    kept, inside = [], False
    for line in text.splitlines(keepends=True):
        if line.startswith("["):
            inside = line.strip("[]\n").split(".")[0] == name
        if inside:
            kept.append(line)
    return "".join(kept).rstrip("\n") + "\n\n"
