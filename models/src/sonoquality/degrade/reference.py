"""The page of all faults, made from the tables themselves.

    python -m sonoquality.degrade.reference > docs/reference/degradations.md

A test asks that the page is what this makes.
"""

import sys
from collections.abc import Iterator, Mapping

from sonoquality.degrade.composite import ORDER
from sonoquality.degrade.formulas import FORMULAS
from sonoquality.degrade.operators import NOT_COUNTED, OPERATORS

HEAD = """# Degradations

The faults that training and evaluation put on images, at five levels. Written by
`python -m sonoquality.degrade.reference`; don't edit. The sheet below is of our own phantom:

    sonogate phantom scratch/exam
    sonoquality degrade scratch/exam/11-heart.dcm --frame 4 --seed 3 --out scratch/sheet

![Each operator at level 0 to 5](../images/degradations.png)

SPK to QNT are shown on a part of the scan, pixel for pixel; the others whole.

"""

LEGEND = """
In the formulas p is the operator's parameter, y grey in [0, 1], D depth along the ray and X place
across the beams (0 to 1), n complex noise of the point spread's grain and unit power, ph a random
phase of the same grain, E(y) = 10^((y - 1) 60/20) the amplitude, C(a) = clip(1 + 20 log10(a)/60)
the grey again, sig the logistic step, g_s a Gaussian of s px, and B the 99th percentile of the
image's amplitudes. Nothing outside the scan mask changes. Sources: SCIENCE are the project's notes
on the field; Ostvik 2021 and Smistad 2018 are the sources of the `usaugment` package.

"""

#: What is doubtful about a fault when one looks at it, on phantoms and on real images.
DOUBTS: Mapping[str, str] = {
    "G-": "",
    "G+": "",
    "TGC": "at level 1 it may pass for the tissue's own difference",
    "DYR": "from level 4 on the picture is all but black: on a cart the gain would be turned up",
    "ATT": "",
    "SHA": "level 1 is faint; the reflector above it is one that the image has, bright or not",
    "REV": "copies are 40 px apart whatever the depth of what repeats, and lie as dashes where an "
    "image has short bright echoes (muscle)",
    "CON": "",
    "HAZ": "",
    "SPK": "black cracks between the grains, which averaging carts do not show; at levels 4 and 5 "
    "bright echoes glow, since noise follows the local power",
    "RF": "more regular than most interference; below level 3 seen in dark parts only",
    "SLB": "seen only beside bright echoes with fluid or dark tissue at the same depth; where all "
    "bright layers run from edge to edge (muscle, thyroid) nothing can be seen at any level",
    "DEF": "the same width at every depth, where a missed focus leaves one depth sharp",
    "MOT": "one direction for all images",
    "RES": "below level 3 hardly seen",
    "ALI": "a cart would interpolate: steps so hard are those of old or broken scan conversion",
    "JPG": "",
    "QNT": "",
    "ANN": "more labels and calipers than anyone would leave on one picture",
    "ZOM": "what comes in below is plain speckle, without organs",
}


def make_reference() -> str:
    """Return the page as Markdown."""
    return "".join((HEAD, *_table(), LEGEND, *_formulas(), *_order(), *_doubts()))


def _table() -> Iterator[str]:
    yield "| name | what is seen | level 1 to 5 | unit | weight | group |\n"
    yield "| --- | --- | --- | --- | --- | --- |\n"
    for name, each in OPERATORS.items():
        levels = ", ".join(f"{value:g}" for value in each.parameters)
        yield f"| {name} | {each.sign} | {levels} | {each.unit} | {each.weight} | {each.group} |\n"


def _formulas() -> Iterator[str]:
    yield "| name | formula | source | other than the source |\n| --- | --- | --- | --- |\n"
    for name, formula in FORMULAS.items():
        text = formula.text.replace("|", "\\|")
        yield f"| {name} | `{text}` | {formula.source} | {formula.deviation} |\n"


def _order() -> Iterator[str]:
    yield "\nSeveral faults on one image, of different groups, happen in this order: "
    yield ", ".join(ORDER) + ".\n"
    yield f"{' and '.join(NOT_COUNTED)} are outside every mean: overlays are masked before "
    yield "scoring,\nand a wrong depth is a fault of the view. "
    yield "A gain error of up to 3 dB is level 0.\n"


def _doubts() -> Iterator[str]:
    yield "\n## Would a sonographer recognise each?\n\n"
    yield "Judged by us, who are no sonographers, on sheets of phantoms and of real images. "
    clear = [name for name, doubt in DOUBTS.items() if not doubt]
    yield f"{', '.join(clear)} look\nas such. With a reserve:\n\n"
    for name, doubt in DOUBTS.items():
        if doubt:
            yield f"- {name}: {doubt}\n"


if __name__ == "__main__":
    sys.stdout.write(make_reference())
