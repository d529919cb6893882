"""The entry of the zoo: graph, card, and how sure the net must be.

How sure is set on pictures that it did not learn from: validation images, as they are and with
faults, fresh screens without a trace, and fresh screens with one.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np

from sonoquality.arrays import Luma
from sonoquality.degrade.operators import OPERATORS
from sonoquality.export.traces import trace_model
from sonoquality.traces import CELL, LABELS, SEEN, TraceNet
from sonoquality.training.data import Row, allowed, read_index, training_rows
from sonoquality.training.traces import bank
from sonoquality.training.traces.config import TracesConfig
from sonoquality.training.traces.loop import load_net, recorded
from sonoquality.training.traces.screens import Screen
from sonoquality.zoo import CARD_FILE, MODEL_FILE

NAME, VERSION = "traces", "1.0.0"
#: Of the way from the largest evidence of a picture without a trace to certainty, so much is left
#: as a margin; and less is never enough.
MARGIN, LEAST_EVIDENCE = 0.5, 0.6
#: From this evidence on a trace is likelier than none, cell by cell: the picture is in doubt.
POSSIBLE = 0.5
#: Faults put on each validation image beside bands, at levels 3 to 5.
N_FAULTS, GROSS = 4, (3, 4, 5)
LIMITS = (
    "No real spectrum or M-mode trace was at hand: it knows drawn ones only.",
    "It sees grey levels at a third to a half of a screen's resolution, and one frame.",
    "It is no judge of quality, and a miss means that a trace is graded.",
)
Evidence: TypeAlias = tuple[str, float]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Decision:
    """What is asked for, by label, and what it was set on."""

    least: Mapping[str, float]
    largest: Mapping[str, float]  #: evidence of a picture without a trace
    found: Mapping[str, float]  #: share of fresh screens with a trace that have enough, told right
    n_without: int = 0
    n_fresh: int = 0
    doubted: int = 0  #: pictures without a trace that are in doubt
    missed: int = 0  #: fresh screens with a trace that are neither believed nor in doubt


def write_entry(run: Path, data: Path, zoo: Path, progress: Progress) -> Path:
    """Write the entry of a finished run; returns its folder.

    Raises:
        ForbiddenDataError: a row may not be learned from.
    """
    entry = zoo / NAME / VERSION
    entry.mkdir(parents=True, exist_ok=True)
    config, every = recorded(run), read_index(data)
    rows = list(allowed(training_rows(every)))
    graph = trace_model(load_net(run)).SerializeToString()
    (entry / MODEL_FILE).write_bytes(graph)
    nothing = dict.fromkeys(LABELS[1:], 0.0)
    _write_card(entry, graph, rows, Decision(nothing, nothing, nothing))
    unseen = [row for row in every if row.split == "val" and not row.non_commercial]
    decision = decided(TraceNet.load(entry), (rows, unseen), config, progress)
    _write_card(entry, graph, rows, decision)
    return entry


def decided(
    net: TraceNet,
    rows: tuple[Sequence[Row], Sequence[Row]],
    config: TracesConfig,
    progress: Progress,
) -> Decision:
    """Set how sure the net must be.

    Args:
        net: that learned.
        rows: images that fresh screens are drawn with, and images it never saw.
        config: of its run.
        progress: told how many pictures were looked at.
    """
    without: list[Evidence] = []
    found: list[Evidence] = []
    n_missed = 0
    learned, unseen = rows
    for number, row in enumerate(unseen):
        without += [_evidence(net, picture) for picture in with_faults(row)]
        progress("looking at images", number + 1, len(unseen))
    for number, screen in enumerate(fresh(learned, config)):
        label, evidence = _evidence(net, screen.picture)
        if not screen.label:
            without.append((label, evidence))
        else:
            right = LABELS[screen.label]
            found.append((right, evidence if label == right else 0.0))
            n_missed += evidence < POSSIBLE
        progress("looking at screens", number + 1, 4 * config.n_fresh)
    largest = {
        label: max([0.0, *(e for told, e in without if told == label)]) for label in LABELS[1:]
    }
    least = {
        label: max(LEAST_EVIDENCE, 1 - (1 - most) * (1 - MARGIN)) for label, most in largest.items()
    }
    share = {
        label: float(np.mean([e >= least[label] for told, e in found if told == label] or [False]))
        for label in least
    }
    return Decision(
        least,
        largest,
        share,
        n_without=len(without),
        n_fresh=len(found),
        doubted=sum(evidence >= POSSIBLE for _, evidence in without),
        missed=n_missed,
    )


def with_faults(row: Row) -> Iterator[Luma]:
    """Return an image as it is, with two strengths of bands, and with some faults by chance."""
    rng = np.random.default_rng([row.seed])
    luma, _mask = row.read()
    yield luma
    names = [bank.BANDED] * 2 + [str(name) for name in rng.choice(list(OPERATORS), N_FAULTS)]
    for name in names:
        yield bank.spoiled(luma, name, int(rng.choice(GROSS)), rng)


def fresh(rows: Sequence[Row], config: TracesConfig) -> Iterator[Screen]:
    """Draw screens of each bank beyond those that were learned from."""
    tissues = bank.Tissues(rows, config)
    banks = (
        (partial(bank.draw, tissues), config.n_screens),
        (partial(bank.draw_spoiled, tissues), config.n_spoiled),
        (partial(bank.draw_layered, config), config.n_layered),
        (partial(bank.draw_crossed, config), config.n_crossed),
    )
    for draw, n_learned in banks:
        for number in range(config.n_fresh):
            yield draw(n_learned + number)


def _evidence(net: TraceNet, picture: Luma) -> Evidence:
    found = net.find(picture)
    return (found.label, found.evidence) if found is not None else ("", 0.0)


def _write_card(entry: Path, graph: bytes, rows: Sequence[Row], decision: Decision) -> None:
    lines = "".join(
        f"{label} = {decision.least[label]:.4f}"
        f"  # {decision.largest[label]:.4f}; {100 * decision.found[label]:.0f} %\n"
        for label in decision.least
    )
    sources = sorted({(row.source, row.licence) for row in rows})
    named = "".join(
        f"    {{ source = {json.dumps(name)}, licence = {json.dumps(licence)}, "
        f"images = {sum((row.source, row.licence) == (name, licence) for row in rows)} }},\n"
        for name, licence in sources
    )
    limits = "".join(f"    {json.dumps(limit)},\n" for limit in LIMITS)
    text = f"""[model]
name = "{NAME}"
version = "{VERSION}"
sha256 = "{hashlib.sha256(graph).hexdigest()}"  # of {MODEL_FILE}
licence = "Apache-2.0"
description = "Which cells of a screen show a spectrum or an M-mode trace"
intended_use = "To tell pictures that are not to be graded where no header declares their regions."
limits = [
{limits}]

[decision]
# The evidence to believe a label (sonoquality.traces.Found); beside it the largest of
# {decision.n_without} pictures without a trace, and the share of {decision.n_fresh} fresh screens
# with one that have enough and are told right. None was learned from: they are validation images,
# with faults too, and screens drawn as for training.
{lines}# From this evidence on a picture is graded and in doubt: so are {decision.doubted} of those
# without a trace, while {decision.missed} of those with one have less.
possible = {POSSIBLE}

[preprocessing]
channels = "BT.601 luminance, divided by 127.5, less 1"
seen = {list(SEEN)}  # px, (height, width), top left, aspect kept, the rest black
cell = {CELL}  # px of a side

[training]
traces = "simulated: spectra by short-time Fourier transform of flow, M-mode lines of moving layers"
recipe = "models/recipes/traces.toml"
split = "train"
images = [
{named}]
"""
    (entry / CARD_FILE).write_text(text, encoding="utf-8")
