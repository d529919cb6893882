"""From measured faults to findings, and from the worst finding to one sentence and one action."""

from collections.abc import Mapping

from sonogate import messages
from sonogate.domain.frames import Region
from sonogate.domain.scores import Attribute
from sonogate.domain.verdict import Band, Finding, FindingRegion

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
"""A region wider than this share of the scan is not left, middle or right."""


def find(attributes: Mapping[str, Attribute], finding_from: float) -> list[Finding]:
    """Name the faults that are severe enough, the worst first."""
    severe = [
        (code, attributes[code])
        for code in CODES
        if code in attributes and attributes[code].severity >= finding_from
    ]
    severe.sort(key=lambda pair: -pair[1].severity)
    return [
        Finding(
            code=code,
            label=messages.text(f"finding.{code}.label"),
            severity=round(min(attribute.severity, 1.0), 3),
            region=to_region(attribute.region),
        )
        for code, attribute in severe
    ]


def to_region(region: Region | None) -> FindingRegion | None:
    """Carry a region into the public schema."""
    if region is None:
        return None
    return FindingRegion(x=region.x, y=region.y, width=region.width, height=region.height)


def sentence_and_action(
    band: Band, findings: list[Finding], scan: Region | None
) -> tuple[str | None, str | None]:
    """Return one plain reason and one thing to do.

    A high image needs neither; a low or medium one always gets both.
    """
    if band is Band.HIGH:
        return None, None
    if not findings:
        return messages.text(f"band.{band}.sentence"), messages.text(f"band.{band}.action")
    worst = findings[0]
    where = messages.text(f"where.{side(worst.region, scan)}")
    return (
        messages.text(f"finding.{worst.code}.sentence").format(where=where),
        messages.text(f"finding.{worst.code}.action"),
    )


def side(region: FindingRegion | None, scan: Region | None) -> str:
    """Say where in the picture a region lies: left, middle, right, or all of it."""
    if region is None or scan is None or region.width > WIDE_SHARE * scan.width:
        return "all"
    centre = (region.x + region.width / 2 - scan.x) / max(1, scan.width)
    if centre < 1 / 3:
        return "left"
    return "right" if centre > 2 / 3 else "middle"
