"""The formula of each operator and where it comes from.

p is the operator's parameter, y grey in [0, 1], D depth along the ray and X place across the beams
(0 to 1), n complex noise of the point spread's grain and unit power, ph a random phase of the same
grain, E(y) = 10^((y - 1) 60 / 20) the amplitude, C(a) = clip(1 + 20 log10(a) / 60) the grey again,
sig the logistic step, g_s a Gaussian of s px, and B the amplitude of the image's bright echoes (its
99th percentile).
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Formula:
    """What an operator computes."""

    text: str
    source: str
    deviation: str = ""  #: from the source, and why


FORMULAS: Mapping[str, Formula] = {
    "G-": Formula("clip(y + p/60)", "SCIENCE 7.1, 7.3"),
    "G+": Formula("clip(y + p/60)", "SCIENCE 7.1, 7.3"),
    "TGC": Formula("clip(y + g(D)/60), g through 8 sliders, the worst at p", "SCIENCE 7.1, 7.3"),
    "DYR": Formula("clip(1 + (y - 1) 60/p)", "SCIENCE 7.3"),
    "ATT": Formula(
        "C(|E(y - p D/60) ph + 10^((8 D - 62)/20) n|)",
        "SCIENCE 7.1, 7.3; depth attenuation of Ostvik 2021, in dB",
        "a floor of -50 dB at every depth veils the near field of dark images: time gain lifts it",
    ),
    "SHA": Formula(
        "clip(y - p/60 sig((w/2 - |X - x|(1 - .15 D))/.012) sig((D - z - .02)/.02))",
        "SCIENCE 7.1, 7.3; Gaussian shadow of Smistad 2018, in dB and along rays",
        "it begins .02 below the reflector's middle, so that the reflector stays",
    ),
    "REV": Formula(
        "C(|E ph + sum over k = 1..5 of p^k shift(E g_1[E > 97th percentile], 40k px) ph_k|)",
        "SCIENCE 7.3",
        "soft edges of what is repeated; white counts where more than 3 % is white",
    ),
    "CON": Formula(
        "clip(y - (20 + 30 p)/60 sig((p/2 - |X - x|)/.01)) where D > .02",
        "SCIENCE 7.3",
        "seven of ten at an end of the probe, where it lifts off first",
    ),
    "HAZ": Formula(
        "C(sqrt(mean over 6 looks of |E + B 10^(p/20) exp(-((D - .35)/.25)^2) n_(2,4)|^2))",
        "SCIENCE 7.3; haze of Ostvik 2021, complex",
        "B for white, which many images never reach; one look has black cracks, which no veil has",
    ),
    "SPK": Formula("C(|E ph + 10^(-p/20) sqrt(g_6(E^2)) n|)", "SCIENCE 7.3; phasor speckle"),
    "RF": Formula(
        "C(|E ph + B 10^(p/20) (.3 + D) n_(.5,.3) [sin 2 pi (45 D + 9 X) > .8]|)",
        "SCIENCE 7.3",
        "B for white, as in HAZ",
    ),
    "SLB": Formula(
        "C(|E + 10^(p/20) sqrt((E g_1[E > 99th percentile])^2 conv_x exp(-2|x|/25))|)",
        "SCIENCE 7.3",
        "lobes add in power: in amplitude a wide reflector would raise itself by 34 dB",
    ),
    "DEF": Formula("C(sqrt(g_(p/4 along, p across)(E^2)))", "SCIENCE 7.3"),
    "MOT": Formula("mean of y along p px at 17 degrees", "SCIENCE 7.3; motion of KADID-10k"),
    "RES": Formula("y reduced to p of its size (Lanczos) and enlarged (bicubic)", "SCIENCE 7.3"),
    "ALI": Formula("y of the nearest of beams p px apart, unfiltered", "SCIENCE 7.3"),
    "JPG": Formula("baseline JPEG of quality p", "SCIENCE 7.3; levels of MedMNIST-C"),
    "QNT": Formula("round(y (p - 1))/(p - 1)", "SCIENCE 7.3; quantisation of KADID-10k"),
    "ANN": Formula("labels, calipers, frames and boxes over a share p of the scan", "SCIENCE 7.3"),
    "ZOM": Formula(
        "y p times as far from the skin's middle; below the old scan speckle, beside it black",
        "SCIENCE 7.3",
        "of its two forms the one that needs no target",
    ),
}
