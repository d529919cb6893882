"""The page in every language, on a wall screen and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from sonogate.domain.verdict import Doubt, Finding, FindingRegion
from sonogate.messages import LANGUAGES, Language, catalogue, text
from tests.browser.looks import look

if TYPE_CHECKING:
    from tests.browser.conftest import Browser, PageGate

pytestmark = [pytest.mark.integration, pytest.mark.slow]

MakeGate = Callable[..., "PageGate"]
PHONE, WALL = (360, 780), (1280, 800)
KIND = "document.querySelector('.stage')?.dataset.kind"
WIDER = "document.documentElement.scrollWidth > innerWidth + 1"
CUT_OFF = """[...document.querySelectorAll('p, button, b, h1, h2, h3, label, li, option')]
  .filter((one) => one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0
    && getComputedStyle(one).display !== 'inline' && !one.matches('.for-readers'))
  .map((one) => one.innerText)"""
OVERLAP = """(() => {
  const boxes = ['.badge .word', '.badge .meaning', '.badge .quality']
    .map((one) => document.querySelector(one)?.getBoundingClientRect()).filter(Boolean);
  const badge = document.querySelector('.badge').getBoundingClientRect();
  const apart = (a, b) => a.right <= b.left + 1 || b.right <= a.left + 1
    || a.bottom <= b.top + 3 || b.bottom <= a.top + 3;
  return boxes.some((a, i) => a.right > badge.right
    || boxes.slice(i + 1).some((b) => !apart(a, b)));
})()"""
HIDDEN = """(() => {
  const place = document.querySelector('.words').getBoundingClientRect();
  return [...document.querySelectorAll('.reason, .action')].some((one) =>
    one.getBoundingClientRect().bottom > place.bottom + 1);
})()"""
REGION = FindingRegion(x=440, y=150, width=240, height=300)


def found(code: str, where: str) -> Finding:
    """A finding as stored by an English gate."""
    label = text(f"finding.{code}.sentence").format(where=text(f"where.{where}"))
    return Finding(code=code, where=where, label=label, severity=0.8, region=REGION)


def low(code: str, where: str, *others: Finding) -> dict[str, Any]:
    """A low verdict as stored by an English gate."""
    first = found(code, where)
    return {
        "status": "graded",
        "band": "low",
        "quality": 17,
        "reason": first.label,
        "reason_code": f"finding.{code}",
        "action": text(f"finding.{code}.action"),
        "findings": [first, *others],
    }


def refusal(code: str, status: str) -> dict[str, Any]:
    """A verdict without a quality."""
    return {"status": status, "reason": text(f"reason.{code}"), "reason_code": f"reason.{code}"}


DOUBTFUL = {
    **low("too_dark", "all"),
    "reason": text("doubt.spectral_doppler.sentence"),
    "reason_code": "doubt.spectral_doppler",
    "action": text("doubt.spectral_doppler.action"),
    "uncertain": True,
    "doubt": Doubt(code="spectral_doppler", reason_code="finding.too_dark"),
}
HIGH = {"status": "graded", "band": "high", "quality": 88}
LONGEST = low("empty", "all", found("attenuated", "all"), found("shadowed", "left_half"))
SHOWN: list[tuple[str, dict[str, Any]]] = [
    ("high", HIGH | {"findings": [found("noisy", "far")]}),
    ("doubtful", DOUBTFUL),
    ("unscorable", refusal("unreadable", "unscorable")),
    ("not_applicable", refusal("colour_doppler_only", "not_applicable")),
    ("low", LONGEST),
]


def fits(browser: Browser) -> None:
    """Nothing is cut off, hidden or over another; the page is no wider than the screen."""
    assert [] == browser.evaluate(CUT_OFF)
    assert not browser.evaluate(WIDER)
    assert not browser.evaluate(OVERLAP)
    browser.wait_for(f"!({HIDDEN})")  # a changed size is drawn a moment later


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_fits_in_every_language(
    make_gate: MakeGate, browser: Browser, language: Language
) -> None:
    """Chosen on the page; every kind of verdict, on a wall screen and on a phone."""
    gate = make_gate()
    browser.go(f"http://127.0.0.1:{gate.port}/")
    browser.wait_for("document.getElementById('language').options.length === 5")
    browser.evaluate(f"localStorage.setItem('sonogate.language', '{language}')")
    browser.go(f"http://127.0.0.1:{gate.port}/?again")
    browser.wait_for(f"document.documentElement.lang === '{language}'")
    browser.wait_for("document.body.className === 'live'")
    said = catalogue(language)
    for kind, facts in SHOWN:
        gate.arrive(fault="contact" if kind == "low" else "", **facts)
        browser.wait_for(f"{KIND} === '{kind}'")
        stage = browser.evaluate("document.querySelector('.stage').innerText")
        assert said[f"page.kind.{kind}.word"] in stage
        if code := facts.get("reason_code"):
            key = code if code.startswith("reason.") else f"{code}.sentence"
            assert said[key] in stage
        for name, (width, height) in (("phone", PHONE), ("wall", WALL)):
            browser.resize(width, height)
            browser.wait_for("document.querySelector('.view canvas, .no-picture') !== null")
            look(browser, f"{language}-{kind}-{name}")
            fits(browser)
    listed = said["page.lists.reacquire"]
    browser.wait_for(f"document.querySelector('.panel').innerText.includes({listed!r})")
    browser.click("[data-key=overrule]")
    for name, (width, height) in (("phone", PHONE), ("wall", WALL)):
        browser.resize(width, height)
        look(browser, f"{language}-dialog-{name}")
        assert [] == browser.evaluate(CUT_OFF)
    assert not browser.logs


def test_a_choice_on_the_page_holds_and_a_picked_reason_is_stored_in_the_site_s_language(
    make_gate: MakeGate, browser: Browser
) -> None:
    """A Spanish reader overrules at an English site."""
    gate = make_gate()
    uid = gate.arrive(**low("blurred", "near"))
    browser.go(f"http://127.0.0.1:{gate.port}/")
    browser.wait_for(f"{KIND} === 'low'")
    browser.evaluate(
        "(() => { const one = document.getElementById('language'); one.value = 'es';"
        "one.dispatchEvent(new Event('change')) })()"
    )
    browser.wait_for(f"document.documentElement.lang === 'es' && {KIND} === 'low'")
    browser.click("[data-key=overrule]")
    browser.click("dialog .kind-medium button")
    picked = text("page.because.best_possible", "es")
    browser.wait_for(f"document.querySelector('.overruled')?.innerText.includes({picked!r})")

    stored = gate.do(gate.studies.instance(uid)).override
    assert stored is not None
    assert text("page.because.best_possible") == stored.reason
