"""What the small diagnosticians do: outline, measure, name the disease, name the organ.

Each is a task of one kind on one source of images. Its network is small and learns in a minute; how
much worse it does its task on a spoiled copy is what counts, not how well it does it.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from sonoquality.arrays import Mask, Windows
from sonoquality.labelling import squares
from sonoquality.labelling.cases import ANATOMIES, ORGANS, Case, Scan
from sonoquality.labelling.config import Kind
from sonoquality.networks.classifier import Classifier
from sonoquality.networks.segmenter import Segmenter

Greys = NDArray[np.uint8]
SIDE = 128  #: of what is seen, in px
OUTLINE_WIDTHS = (16, 32, 64, 128)
NAMING_WIDTHS = (16, 32, 64, 96)
BOX_BETA = 0.05  #: of the smooth L1 of a box, in parts of the picture's side


class Task(ABC):
    """One kind of diagnosis on one source."""

    kind: Kind
    sees_all = True  #: the whole scan, or its largest square of tissue

    def __init__(self, source: str) -> None:
        self.source = source

    @property
    def name(self) -> str:
        """Kind and organ; also the name of the folder of its networks."""
        return f"{self.kind}-{ANATOMIES[self.source].organ}"

    def see(self, pictures: Greys, mask: Mask) -> Windows:
        """Return what the network is shown of pictures (n, height, width): (n, 1, side, side)."""
        if self.sees_all:
            return squares.whole(pictures, mask, SIDE)
        return squares.tissue(pictures, mask, SIDE)

    @abstractmethod
    def has(self, case: Case) -> bool:
        """Tell whether this task can be set on a case."""

    @abstractmethod
    def truth(self, case: Case, scan: Scan) -> Tensor:
        """Return the right answer as training carries it: a map (1, side, side), or a class ()."""

    @abstractmethod
    def network(self) -> nn.Module:
        """Return a network at its beginning."""

    @abstractmethod
    def loss(self, outputs: Tensor, truths: Tensor) -> Tensor:
        """Return (n,): what each answer is worth, 0 for a perfect one."""

    def lesson(self, outputs: Tensor, truths: Tensor) -> Tensor:
        """Return the loss () that the network learns by."""
        return self.loss(outputs, truths).mean()

    @abstractmethod
    def own(self, outputs: Tensor) -> Tensor:
        """Return outputs as if they were the truth: what consistency is measured against."""

    def unmirrored(self, outputs: Tensor) -> Tensor:
        """Return outputs on mirrored pictures as if the pictures had not been mirrored."""
        return outputs


class Outline(Task):
    """Outline the lesion or organ: 1 minus the soft Dice with what a person drew."""

    kind: Kind = "outline"

    def has(self, case: Case) -> bool:
        """Tell whether there is an outline."""
        return case.row.source == self.source and case.target_path is not None

    def truth(self, case: Case, scan: Scan) -> Tensor:
        """Return (1, side, side), 1 on the target."""
        target = scan.mask & False if scan.target is None else scan.target
        return torch.from_numpy(squares.whole_mask(target, SIDE).astype(np.float32))[None]

    def network(self) -> nn.Module:
        """Return a U-Net."""
        return Segmenter(OUTLINE_WIDTHS)

    def loss(self, outputs: Tensor, truths: Tensor) -> Tensor:
        """Return 1 minus the soft Dice."""
        return 1 - _soft_dice(torch.sigmoid(outputs), truths)

    def lesson(self, outputs: Tensor, truths: Tensor) -> Tensor:
        """Return cross-entropy and overlap together."""
        entropy = functional.binary_cross_entropy_with_logits(outputs, truths)
        return entropy + self.loss(outputs, truths).mean()

    def own(self, outputs: Tensor) -> Tensor:
        """Return what it outlines."""
        return (outputs > 0).float()

    def unmirrored(self, outputs: Tensor) -> Tensor:
        """Mirror the outlines back."""
        return outputs.flip(-1)


class Measurement(Outline):
    """Measure the target: where its box lies, and how wide and high it is."""

    kind: Kind = "measure"

    def network(self) -> nn.Module:
        """Return a network that says centre and size of a box."""
        return Classifier(NAMING_WIDTHS, 4, places=True)

    def loss(self, outputs: Tensor, truths: Tensor) -> Tensor:
        """Return the smooth L1 of the box, in parts of the picture's side."""
        boxes = truths if truths.ndim == 2 else torch.stack([_box(each[0]) for each in truths])
        off = functional.smooth_l1_loss(outputs, boxes, beta=BOX_BETA, reduction="none")
        return off.mean(dim=1)

    def lesson(self, outputs: Tensor, truths: Tensor) -> Tensor:
        """Return the loss itself; the weight only sets the pace."""
        return 10 * self.loss(outputs, truths).mean()

    def own(self, outputs: Tensor) -> Tensor:
        """Return the box that it says."""
        return outputs

    def unmirrored(self, outputs: Tensor) -> Tensor:
        """Mirror the centres back."""
        x, *others = outputs.unbind(dim=1)
        return torch.stack([1 - x, *others], dim=1)


class Naming(Task):
    """Name something of the tissue: the cross-entropy of the right name."""

    sees_all = False

    def __init__(self, source: str, names: Sequence[str]) -> None:
        super().__init__(source)
        self.names = tuple(names)

    def network(self) -> nn.Module:
        """Return a classifier."""
        return Classifier(NAMING_WIDTHS, len(self.names))

    def loss(self, outputs: Tensor, truths: Tensor) -> Tensor:
        """Return the cross-entropy of a class, or the divergence from the likelihoods of all."""
        if truths.ndim == 1:
            return functional.cross_entropy(outputs, truths.long(), reduction="none")
        said = functional.log_softmax(outputs, dim=1)
        return functional.kl_div(said, truths, reduction="none").sum(dim=1)

    def lesson(self, outputs: Tensor, truths: Tensor) -> Tensor:
        """Return the cross-entropy with a little doubt, so that certainty does not run away."""
        return functional.cross_entropy(outputs, truths.long(), label_smoothing=0.05)

    def own(self, outputs: Tensor) -> Tensor:
        """Return how likely it finds each name."""
        return functional.softmax(outputs, dim=1)


class Disease(Naming):
    """Tell the classes apart that a source names."""

    kind: Kind = "disease"

    def __init__(self, source: str) -> None:
        super().__init__(source, ANATOMIES[source].diseases)

    def has(self, case: Case) -> bool:
        """Tell whether the source names the disease."""
        return case.row.source == self.source and case.disease in self.names

    def truth(self, case: Case, scan: Scan) -> Tensor:
        """Return the number of the class."""
        return torch.tensor(self.names.index(case.disease))


class Organ(Naming):
    """Tell which organ the tissue is of; one network for all sources."""

    kind: Kind = "organ"

    def __init__(self) -> None:
        super().__init__("", ORGANS)

    @property
    def name(self) -> str:
        """There is one."""
        return self.kind

    def has(self, case: Case) -> bool:
        """Every image shows an organ."""
        return True

    def truth(self, case: Case, scan: Scan) -> Tensor:
        """Return the number of the organ."""
        return torch.tensor(self.names.index(case.anatomy.organ))


OUTLINED = tuple(source for source, anatomy in ANATOMIES.items() if anatomy.labels)
TASKS: tuple[Task, ...] = (
    *(Outline(source) for source in OUTLINED),
    *(Measurement(source) for source in OUTLINED),
    *(Disease(source) for source, anatomy in ANATOMIES.items() if anatomy.diseases),
    Organ(),
)


def _soft_dice(shares: Tensor, truth: Tensor) -> Tensor:
    common = (shares * truth).sum(dim=(1, 2, 3))
    return (2 * common + 1) / (shares.sum(dim=(1, 2, 3)) + truth.sum(dim=(1, 2, 3)) + 1)


def _box(target: Tensor) -> Tensor:
    """Return centre and size (x, y, width, height) of a map (side, side), in parts of its side."""
    rows, columns = torch.nonzero(target.amax(dim=1)), torch.nonzero(target.amax(dim=0))
    if len(rows) == 0:
        return target.new_tensor([0.5, 0.5, 0.0, 0.0])
    top, bottom = float(rows[0]), float(rows[-1]) + 1
    left, right = float(columns[0]), float(columns[-1]) + 1
    box = target.new_tensor([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top])
    return box / target.shape[-1]
