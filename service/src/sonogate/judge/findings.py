"""From measured faults to findings: one sentence and one action for each, the worst first."""

from collections.abc import Mapping

from sonogate import messages
from sonogate.domain.frames import Region
from sonogate.domain.scores import Attribute
from sonogate.domain.verdict import Band, Finding, FindingRegion, Verdict
from sonogate.judge.aggregate import EMPTY_FROM

CODES = (
    "empty",
    "poor_contact",
    "shadowed",
    "attenuated",
    "too_dark",
    "too_bright",
    "blurred",
    "noisy",
)
"""Every finding there is; at equal severity the earlier one is named, since it explains more."""

WIDE_SHARE = 0.6
"""A region wider (deeper) than this share of the scan is no third of it."""

HALF_SHARE = 0.42
"""A region at a side, wider than this share of the scan, is half of it rather than a third."""


def find(
    attributes: Mapping[str, Attribute], finding_from: float, scan: Region | None = None
) -> list[Finding]:
    """Name the faults that are severe enough, the worst first.

    Where there are no echoes that alone is named: of what is not there nothing else can be said.
    """
    empty = attributes.get("empty")
    if empty is not None and empty.severity >= EMPTY_FROM:
        return [finding("empty", empty, scan)]
    severe = [
        (code, attributes[code])
        for code in CODES
        if code in attributes and attributes[code].severity >= finding_from
    ]
    severe.sort(key=lambda pair: -pair[1].severity)
    return [finding(code, attribute, scan) for code, attribute in severe]


def finding(code: str, attribute: Attribute, scan: Region | None) -> Finding:
    """Carry one fault into the public schema, with its plain sentence."""
    found = attribute.region
    region = (
        None
        if found is None
        else FindingRegion(x=found.x, y=found.y, width=found.width, height=found.height)
    )
    where = messages.text(f"where.{place(region, scan)}")
    return Finding(
        code=code,
        label=messages.text(f"finding.{code}.sentence").format(where=where),
        severity=round(min(max(attribute.severity, 0.0), 1.0), 3),
        region=region,
    )


def action_of(code: str) -> str:
    """Say what to do about a finding."""
    return messages.text(f"finding.{code}.action")


def notes(verdict: Verdict) -> list[Finding]:
    """Return the findings that the verdict's own reason and action do not tell.

    That is every one where the reason is none of them: on a high image, and where it is a doubt.
    """
    told = verdict.findings[:1] and verdict.reason == verdict.findings[0].label
    return verdict.findings[1:] if told else verdict.findings


def doubted(code: str) -> tuple[str, str]:
    """Return what to say and to do of a picture that may be no image at all.

    It comes before what is wrong with the picture.
    """
    return messages.text(f"doubt.{code}.sentence"), messages.text(f"doubt.{code}.action")


def sentence_and_action(band: Band, findings: list[Finding]) -> tuple[str | None, str | None]:
    """Return one plain reason and one thing to do.

    A high image needs neither; a low or medium one always gets both.
    """
    if band is Band.HIGH:
        return None, None
    if not findings:
        return messages.text(f"band.{band}.sentence"), messages.text(f"band.{band}.action")
    worst = findings[0]
    return worst.label, action_of(worst.code)


def place(region: FindingRegion | None, scan: Region | None) -> str:
    """Say where in the picture a region lies: a key of the `where` messages.

    A side if it is narrow, else a depth if it is shallow, else all of it.
    """
    if region is None or scan is None:
        return "all"
    width, height = region.width / max(1, scan.width), region.height / max(1, scan.height)
    across = (region.x + region.width / 2 - scan.x) / max(1, scan.width)
    down = (region.y + region.height / 2 - scan.y) / max(1, scan.height)
    if width <= WIDE_SHARE:
        return side(across, width)
    if height <= WIDE_SHARE:
        return ("near", "mid", "far")[third(down)]
    return "all"


def side(across: float, width: float) -> str:
    """Name a side by the middle of a region and its width, both as shares of the scan."""
    if width > HALF_SHARE and abs(across - 0.5) > 0.1:
        return "left_half" if across < 0.5 else "right_half"
    return ("left", "middle", "right")[third(across)]


def third(share: float) -> int:
    """Return 0, 1 or 2 for the third in which a share of [0, 1] lies."""
    return min(2, max(0, int(share * 3)))
