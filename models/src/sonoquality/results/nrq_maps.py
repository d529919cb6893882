"""The section on heat maps: a sheet of phantoms, and in words what a person sees on it."""

from pathlib import Path

from sonoquality.results.nrq_steady import BOXES_CSV

PICTURE = "nrq-maps.png"


def map_section(folder: Path) -> str:
    """Say what heat maps look like; with the boxes' numbers, which the words belong to.

    Raises:
        FileNotFoundError: no boxes were measured yet.
    """
    with (folder / BOXES_CSV).open(encoding="utf-8"):
        return f"""## What the heat maps look like

Three phantoms as they are and under six faults at level 4: the picture, where it is spoilt (blue;
of REV, SLB and DEF: where the grey changed), the heat map over it, and the worst box.

    sonogate phantom scratch/exam
    sonoquality try maps scratch/exam/01-liver.dcm scratch/exam/05-kidney.dcm \\
      scratch/exam/07-thyroid.dcm --seed 3 --out docs/images/{PICTURE}

![Heat maps of phantoms under faults at level 4](../images/{PICTURE})

The same was drawn of a validation image of each source (`--data`, not kept here). Seen by us, who
are no sonographers, on both:

- **DEF: found.** A smeared picture is hot all over, as it should be.
- **CON: mostly found.** Lost contact is hot from the skin down, with a straight edge where it ends.
  In a real fetal head and an ovary parts of the black were cooler than its edge; the box found the
  one and took the whole picture for the other.
- **SHA: seen, but badly outlined.** Its edges and the half-dark tissue in it are hot, its black
  core less, perhaps because clean images too have black without grain: in fluid, in depth, below
  bone. The box takes sound tissue beside the shadow with it, and of a real ovary nearly all.
- **HAZ: depends.** In real lung and muscle the veil is hotter than what lies below it; in a real
  fetal head and ovary all is hot, in two phantoms most; in a real liver and a phantom of one hardly
  anything is.
- **REV, SLB: hardly seen.** Repeats in fluid (a fetal head, a cyst) are warm. Those between the
  layers of tissue, and side lobes nearly everywhere, change nothing that a person could point at.
- **A clean picture is not cool.** The probe's face, the scan's edges, fluid, bright fasciae,
  burnt-in calipers and blanked corners are hot in pictures of high quality; of one clean ovary most
  is. There always is a worst box, so that of a picture of high quality it says nothing.

So a hot place says *unlike clean tissue*, not *spoilt*; it is worth a look in a picture that scored
low. The findings beside the score look for shadow and lost contact on their own."""
