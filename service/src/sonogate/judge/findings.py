"""From measured faults to findings: one sentence and one action for each, the worst first."""

from collections.abc import Mapping

from sonogate import messages
from sonogate.domain.frames import Region
from sonogate.domain.scores import Attribute
from sonogate.domain.verdict import Band, Finding, FindingRegion, Verdict
from sonogate.judge.aggregate import EMPTY_FROM
from sonogate.messages import LANGUAGE, Language

CODES = (
    "empty",
    "poor_contact",
    "shadowed",
    "attenuated",
    "too_dark",
    "too_bright",
    "blurred",
    "noisy",
    "motion",
    "clutter",
    "reverberation",
    "gain",
)
"""Every finding there is; at equal severity the earlier one is named, since it explains more."""

SAID_BETTER: Mapping[str, frozenset[str]] = {"gain": frozenset({"too_dark", "too_bright"})}
"""Findings that go unsaid where one of others is: it tells the same, and which way to turn."""

WIDE_SHARE = 0.6
"""A region wider (deeper) than this share of the scan is no third of it."""

HALF_SHARE = 0.42
"""A region at a side, wider than this share of the scan, is half of it rather than a third."""


def find(
    attributes: Mapping[str, Attribute],
    finding_from: float,
    scan: Region | None = None,
    language: Language = LANGUAGE,
) -> list[Finding]:
    """Name the faults that are severe enough, the worst first.

    Where there are no echoes that alone is named: of what is not there nothing else can be said.
    """
    empty = attributes.get("empty")
    if empty is not None and empty.severity >= EMPTY_FROM:
        return [finding("empty", empty, scan, language)]
    severe = [
        (code, attributes[code])
        for code in CODES
        if code in attributes and attributes[code].severity >= finding_from
    ]
    named = {code for code, _ in severe}
    severe.sort(key=lambda pair: -pair[1].severity)
    return [
        finding(code, attribute, scan, language)
        for code, attribute in severe
        if not SAID_BETTER.get(code, frozenset()) & named
    ]


def finding(
    code: str, attribute: Attribute, scan: Region | None, language: Language = LANGUAGE
) -> Finding:
    """Carry one fault into the public schema, with its plain sentence."""
    found = attribute.region
    region = (
        None
        if found is None
        else FindingRegion(x=found.x, y=found.y, width=found.width, height=found.height)
    )
    where = place(region, scan)
    return Finding(
        code=code,
        label=label_of(code, where, language),
        where=where,
        severity=round(min(max(attribute.severity, 0.0), 1.0), 3),
        region=region,
    )


def label_of(code: str, where: str, language: Language = LANGUAGE) -> str:
    """Say what is seen, and where."""
    place_in_words = messages.text(f"where.{where}", language)
    return messages.text(f"finding.{code}.sentence", language).format(where=place_in_words)


def action_of(code: str, language: Language = LANGUAGE) -> str:
    """Say what to do about a finding."""
    return messages.text(f"finding.{code}.action", language)


def notes(verdict: Verdict) -> list[Finding]:
    """Return the findings that the verdict's own reason and action do not tell.

    That is every one where the reason is none of them: on a high image, and where it is a doubt.
    """
    told = verdict.findings[:1] and verdict.reason == verdict.findings[0].label
    return verdict.findings[1:] if told else verdict.findings


def reason_code_of(band: Band, findings: list[Finding]) -> str | None:
    """Return what a verdict says, in no language; a high image needs no word."""
    if band is Band.HIGH:
        return None
    return f"finding.{findings[0].code}" if findings else f"band.{band}"


def sentence_and_action(
    reason_code: str | None, findings: list[Finding], language: Language = LANGUAGE
) -> tuple[str | None, str | None]:
    """Return one plain reason and one thing to do, in a language.

    Args:
        reason_code: `finding.<code>` (the first of the findings), `band.<band>` or `doubt.<code>`.
        findings: the worst first, in that language.
        language: of both.
    """
    if reason_code is None:
        return None, None
    action = messages.text(f"{reason_code}.action", language)
    if reason_code.startswith("finding."):
        return findings[0].label, action
    return messages.text(f"{reason_code}.sentence", language), action


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
