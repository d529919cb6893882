"""The whole of MedQM on one run folder: features, the network and its variants, what they show."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from sonoquality.arrays import Floats
from sonoquality.labelling import label_file
from sonoquality.labelling.diagnosing import Diagnosed
from sonoquality.labelling.excess import Scale, need_labels
from sonoquality.labelling.folds import HELD_BACK
from sonoquality.labelling.frame import FrameCheck
from sonoquality.labelling.study import Study, scales
from sonoquality.model import QualityModel
from sonoquality.networks.medqm import Medqm
from sonoquality.results import medqm_committees, medqm_rows, rows
from sonoquality.results.medqm_rows import CeilingRow, VariantRow
from sonoquality.training.medqm import (
    ceiling,
    committees,
    data,
    entry,
    features,
    loop,
    measure,
    priors,
)
from sonoquality.training.medqm.config import MedqmConfig
from sonoquality.training.medqm.examples import Example
from sonoquality.zoo import ENCODER_KEY

WHOLE, WHOLE_SHORT = "whole", "whole short"
ALONE = "labels by one network"  #: a task, not by a committee
ABLATIONS: Mapping[str, Mapping[str, object]] = {
    "without priors": {"priors": False},
    "without queries": {"queries": False},
    "without experts": {"experts": False},
    ALONE: {"n_members": 1},
}
MEASURES = ("mean-gradient-2", "tenengrad", "niqe", "dct-manifold", "entropy", "spread", "chance")
Progress = Callable[[str, int, int], None]
Pairs = Sequence[tuple[Diagnosed, Example]]


@dataclass(frozen=True)
class MedqmStudy:
    """A run of MedQM-I on the labels of a run of MedQM-D, in the same folder.

    Args:
        labelled: the run of MedQM-D.
        entry: zoo entry whose encoder is looked through.
        table: of the textual priors.
        config: how MedQM-I learns.
        tell: shows progress.
    """

    labelled: Study
    entry: Path
    table: Path
    config: MedqmConfig
    tell: Progress

    @cached_property
    def sentences(self) -> Tensor:
        """The embedded priors (row, 384)."""
        return torch.from_numpy(priors.read(self.table))

    @cached_property
    def found(self) -> list[Diagnosed]:
        """All judged images."""
        return self.labelled.diagnosed()

    @cached_property
    def checks(self) -> list[FrameCheck]:
        """Who reads the frame."""
        return self.labelled.frame_checks(self.tell)

    @cached_property
    def all_scales(self) -> dict[str, Scale]:
        """The scales of all who judged."""
        return scales(self.found)

    @cached_property
    def why_not(self) -> dict[str, str]:
        """Whose word does not count, and why."""
        frames = {each.name: "it reads the frame" for each in self.checks if each.reads_the_frame}
        apart = {
            name: "speckle costs it no more than a harmless change"
            for name, scale in self.all_scales.items()
            if not scale.usable
        }
        return {**apart, **frames}

    @cached_property
    def used(self) -> dict[str, Scale]:
        """The scales of those whose word counts.

        Raises:
            QualityError: they are too few to label an image.
        """
        kept = {k: v for k, v in self.all_scales.items() if k not in self.why_not}
        need_labels(self.found, kept, self.why_not)
        return kept

    def extract(self) -> None:
        """Write what the encoder says of every copy."""
        study = self.labelled
        features.extract(study.cases(), study.pictures, self.entry, study.features, self.tell)

    def write_labels(self, about: Mapping[str, object]) -> Path:
        """Write the label file into the run."""
        return label_file.write(self.labelled.run, self.found, self.used, self.why_not, about)

    def learn_whole(self) -> Path:
        """Train the network that ships, `RUN/medqm/whole`."""
        return self._learn(WHOLE, self.config.model_copy(update={"short": None}))

    def learn_variants(self) -> Iterator[Path]:
        """Train the variants, and a whole network by their configuration if they have their own."""
        base = self.config.short or self.config
        variants: dict[str, Mapping[str, object]] = {
            **({WHOLE_SHORT: {}} if self.config.short else {}),
            **ABLATIONS,
            **{f"without {kind}": {"without": (kind,)} for kind in self.kinds},
        }
        for name, changes in variants.items():
            yield self._learn(name, base.model_copy(update=dict(changes)))

    def _learn(self, name: str, config: MedqmConfig) -> Path:
        pairs = self._pairs(config.without, config.n_members)
        train = [ex for e, ex in pairs if e.case.fold != HELD_BACK]
        out = self.labelled.run / "medqm" / name.replace(" ", "-")
        return loop.train(config, train, self.sentences, out, self.tell)

    def measure(self, out: Path) -> None:
        """Write every CSV of the study into a folder; what is not trained is left out."""
        kept = self.validation
        rows.write(
            out / medqm_rows.DIAGNOSTICIANS,
            measure.diagnosticians(self.all_scales, self.checks, self.why_not),
        )
        rows.write(out / medqm_rows.AGREEMENT, list(measure.agreements(self.found, self.used)))
        rows.write(out / medqm_rows.HARM, measure.harm(self.found, self.used))
        rows.write(out / medqm_rows.LOSSES, measure.losses(self.found, self.used))
        network = self._network(WHOLE)
        copies = measure.copies(self.labelled, kept, network, MEASURES, self.tell)
        rows.write(out / medqm_rows.COPIES, list(copies))
        rows.write(out / medqm_rows.VARIANTS, list(self._variants(kept)))
        rows.write(out / medqm_rows.CEILING, self._ceiling(kept, network))
        said = self._said(kept, self._network(ALONE))
        tried = committees.tried(self.found, tuple(self.why_not), said, self.tell)
        rows.write(out / medqm_committees.CSV, tried)

    def export(self, zoo: Path) -> Path:
        """Write the whole network as an entry of a zoo."""
        encoder = QualityModel.load(self.entry, providers=("cpu",)).session.metadata[ENCODER_KEY]
        taught = [each for each in self.found if each.case.fold != HELD_BACK]
        sources = sorted({each.case.row.source for each in taught})
        about = {
            "split": "train",
            "non_commercial_data": False,
            "images": len(taught),
            "sources": sources,
            "diagnosticians": sorted(self.used),
            "steps": self.config.n_steps,
        }
        return entry.write(zoo, self._network(WHOLE), encoder, about)

    @cached_property
    def validation(self) -> Pairs:
        """The validation images with their labels."""
        return [pair for pair in self._pairs(()) if pair[0].case.fold == HELD_BACK]

    @property
    def kinds(self) -> list[str]:
        """The kinds of diagnosticians whose word counts."""
        return sorted({scale.kind for scale in self.used.values()})

    def _ceiling(self, kept: Pairs, network: Medqm) -> list[CeilingRow]:
        by_name = self._said(kept, network)
        parted = ceiling.halves([each for each, _ in kept], self.used, by_name)
        return [*parted, ceiling.told(self.found, self.used, by_name)]

    def _said(self, kept: Pairs, network: Medqm) -> dict[str, Floats]:
        said = measure.predicted(network, kept)
        return {each.case.name: own for (each, _), own in zip(kept, said, strict=True)}

    def _variants(self, kept: Pairs) -> Iterator[VariantRow]:
        labelled = [pair for pair in kept if pair[1].labels is not None]
        groups = [each.case.row.group for each, _ in labelled]
        rival = WHOLE_SHORT if self.config.short else WHOLE
        whole = measure.predicted(self._network(rival), labelled)
        targets = measure.label_targets(labelled)
        for name in ABLATIONS:
            yield measure.variant(
                name,
                "label",
                groups,
                scores=measure.predicted(self._network(name), labelled),
                rivals=whole,
                targets=targets,
            )
        for kind in self.kinds:
            judged = measure.kind_targets(labelled, self.used, kind)
            own = [i for i, target in enumerate(judged) if (target == target).any()]
            network = self._network(f"without {kind}")
            yield measure.variant(
                f"without {kind}",
                kind,
                [groups[i] for i in own],
                scores=measure.predicted(network, [labelled[i] for i in own]),
                rivals=[labelled[i][1].features.nrq for i in own],
                targets=[judged[i] for i in own],
            )

    def _network(self, name: str) -> Medqm:
        return loop.load(self.labelled.run / "medqm" / name.replace(" ", "-"), self.sentences)

    def _pairs(self, without: Sequence[str], n_members: int = 0) -> Pairs:
        found, used = self.found, self.used
        if n_members:
            found = [each.heard(range(n_members)) for each in found]
            used = scales(found, tuple(self.why_not))
        made = data.examples(found, used, self.labelled.features, without)
        return list(zip(found, made, strict=True))

    def about(self) -> dict[str, object]:
        """Return what the labels were made of, for their file."""
        study = asdict(self.labelled)
        return {"images_a_source": study["most"], "ladders": study["n_ladders"]}
