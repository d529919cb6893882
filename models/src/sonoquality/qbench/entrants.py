"""Who takes part: measures that give a picture a number, and language models that are asked."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from sonoquality.arrays import Luma, Mask
from sonoquality.errors import BenchError, MissingExtraError
from sonoquality.metrics.baselines.registry import NO_REFERENCE, no_reference
from sonoquality.mllm.floors import ConstantMultimodal, RandomMultimodal
from sonoquality.mllm.port import Multimodal
from sonoquality.model import QualityModel
from sonoquality.preprocess import working_image
from sonoquality.zoo import CARD_FILE, HUMBLE, JOINED, SHIPPED, default_zoo

METRIC, LANGUAGE = "metric", "language model"
METRICS = "metrics"  #: stands for all entrants below that see no language
SHIPPED_ENTRIES: Mapping[str, Path] = {"joined": JOINED, "nrq": SHIPPED, "dct-manifold": HUMBLE}
#: The manifold takes part as an entry of the zoo, with its bands; chance as `random`.
BASELINES = tuple(name for name in NO_REFERENCE if name not in (*SHIPPED_ENTRIES, "chance"))
FLOORS: Mapping[str, type[RandomMultimodal] | type[ConstantMultimodal]] = {
    "random": RandomMultimodal,
    "constant": ConstantMultimodal,
}
LOCAL_ROOM = "sonoquality.mllm.local"
MEDQM, MEDQM_ROOM = "medqm", "sonoquality.training.medqm.entrant"


@dataclass(frozen=True, slots=True)
class Measured:
    """What a measure says of a picture."""

    value: float  #: higher is better
    band: str | None = None  #: high, medium or low, where the measure has thresholds of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """An entrant that gives a picture a number."""

    name: str
    measure: Callable[[Luma, Mask], Measured]
    about: Mapping[str, str] = field(default_factory=dict)
    kind: str = METRIC


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """An entrant that is asked in words."""

    name: str
    model: Multimodal
    reads: bool = True  #: what it is asked matters; else one level of prompts is enough
    about: Mapping[str, str] = field(default_factory=dict)
    kind: str = LANGUAGE


Entrant = Metric | Speaker


def named(name: str) -> Entrant:
    """Return an entrant by its name, or by the folder of its zoo entry.

    Raises:
        BenchError: no such entrant; names them all.
        MissingExtraError: an optional part of the distribution that it needs is not installed.
    """
    if name in SHIPPED_ENTRIES:
        return _entry(name, default_zoo() / SHIPPED_ENTRIES[name])
    if name in BASELINES:
        return _baseline(name)
    if name == MEDQM:
        return _medqm()
    if name in FLOORS:
        floor = FLOORS[name]()
        return Speaker(name=name, model=floor, reads=False, about={"says": floor.says})
    if (Path(name) / CARD_FILE).is_file():
        return _entry("", Path(name))
    known = [METRICS, *SHIPPED_ENTRIES, MEDQM, *BASELINES, *FLOORS]
    raise BenchError(f"No entrant {name!r}; there are {', '.join(known)}, and folders of the zoo.")


def all_named(names: Sequence[str]) -> list[Entrant]:
    """Return entrants, `metrics` written out; of those, what is not installed is left out."""
    found: dict[str, Entrant] = {}
    for name in names:
        for each in (*SHIPPED_ENTRIES, MEDQM, *BASELINES) if name == METRICS else (name,):
            try:
                entrant = named(each)
            except MissingExtraError:
                if name != METRICS:
                    raise
                continue
            found[entrant.name] = entrant
    return list(found.values())


def local(folder: Path) -> Speaker:
    """Return a language model that runs here, from a folder of its weights.

    Raises:
        MissingExtraError: torch or transformers is not installed.
    """
    try:
        room = import_module(LOCAL_ROOM)
    except ImportError as error:
        raise MissingExtraError(
            f"A language model that runs here needs the [train] extra ({error}): "
            "pip install 'sonogate[train]'."
        ) from error
    model: Multimodal = room.LocalMultimodal(folder)
    return Speaker(name=model.name, model=model, about=room.about(folder))


def file_name(entrant: str) -> str:
    """Return a name for the files of an entrant: models are called by paths (`org/model`)."""
    plain = "".join(each if each.isalnum() or each in "-._" else "-" for each in entrant)
    if plain == entrant:
        return plain
    return f"{plain}-{hashlib.sha256(entrant.encode()).hexdigest()[:6]}"


def _entry(name: str, folder: Path) -> Metric:
    model = QualityModel.load(folder, ("cpu",))
    card = model.card

    def measure(luma: Luma, mask: Mask) -> Measured:
        found = model.score(luma[None], mask)[0]
        raw = found.scores[card.scale.name]
        band = "high" if found.quality >= card.high_from else "medium"
        return Measured(
            value=raw if card.scale.higher_is_better else -raw,
            band=band if found.quality >= card.medium_from else "low",
        )

    about = {"model": card.name, "version": card.version, "sha256": card.sha256}
    return Metric(name=name or f"{card.name}/{card.version}", measure=measure, about=about)


def _medqm() -> Metric:
    try:
        utility, about = import_module(MEDQM_ROOM).shipped()
    except (ImportError, FileNotFoundError) as error:
        raise MissingExtraError(
            f"{MEDQM} needs the [train] extra and a source tree ({error}): "
            "pip install 'sonogate[train]' there."
        ) from error

    def measure(luma: Luma, mask: Mask) -> Measured:
        return Measured(value=utility(luma, mask))

    return Metric(name=MEDQM, measure=measure, about=about)


def _baseline(name: str) -> Metric:
    score = no_reference(name)

    def measure(luma: Luma, mask: Mask) -> Measured:
        working = working_image(luma, mask)
        return Measured(value=score(working.image, working.mask))

    return Metric(name=name, measure=measure, about={"says": NO_REFERENCE[name].says})
