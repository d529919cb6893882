"""Rejecting an image on the bedside page, in a real browser over the real store and HTTP door."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from sonogate.domain.verdict import Finding, Ruling
from sonogate.settings import ResultsSettings
from tests.browser.looks import look

if TYPE_CHECKING:
    from tests.browser.conftest import Browser, PageGate

pytestmark = [pytest.mark.integration, pytest.mark.slow]

MakeGate = Callable[..., "PageGate"]
ON = ResultsSettings(enabled=True, objects=("report", "rejection"))
HIGH: dict[str, Any] = {"status": "graded", "band": "high", "quality": 88, "action": "Keep it."}
LOW: dict[str, Any] = {
    "status": "graded",
    "band": "low",
    "quality": 17,
    "reason": "The whole image is blurred",
    "action": "Hold the probe still and acquire again",
    "findings": [Finding(code="blurred", label="The whole image is blurred", severity=0.9)],
}
NOT_APPLICABLE: dict[str, Any] = {"status": "not_applicable", "reason": "A report page."}

LIVE = "document.body.className === 'live'"
BUTTON = "document.querySelector('[data-key=reject]')"
SHOWN = "document.querySelector('.rejected')"
DIALOG = "document.querySelector('dialog[open]')"
FOCUS = "document.activeElement"
SIZES = ((1280, 800), (1920, 1080), (800, 1280), (390, 844))

CROWDED = """[...document.querySelectorAll('main button, dialog[open] button, dialog[open] input')]
  .map((one) => [one.innerText || one.id, one.getBoundingClientRect()])
  .filter(([, box]) => box.width < 44 || box.height < 44 || box.right > innerWidth + 1)
  .map(([text]) => text)"""
FAINT = """(() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => numbers(colour).slice(0, 3)
    .map((one) => one / 255)
    .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (one) => {
    for (let each = one; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if (numbers(colour)[3] !== 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const contrast = (one) => {
    const shades = [light(getComputedStyle(one).color), light(ground(one))];
    const [high, low] = shades.sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  return [...document.querySelectorAll('.rejected *, .out, dialog[open] *, [data-key=reject]')]
    .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3) && contrast(one) < 4.5)
    .map((one) => one.innerText);
})()"""


def has(text: str) -> str:
    """Make an expression that is true once the page shows a text."""
    return f"document.body.innerText.includes({text!r})"


def opened(make_gate: MakeGate, browser: Browser, **changes: Any) -> PageGate:
    """Open the page of a gate that takes rejections, with a high image and then a low one."""
    gate = make_gate(results=ON.model_copy(update=changes))
    gate.arrive(**HIGH)
    gate.arrive(fault="contact", **LOW)
    browser.go(f"http://127.0.0.1:{gate.port}/")
    browser.wait_for(f"{LIVE} && document.querySelector('.stage')?.dataset.kind === 'low'")
    return gate


def test_a_rejection_takes_a_reason_and_a_confirmation_and_can_be_taken_back(
    make_gate: MakeGate, browser: Browser
) -> None:
    """Two steps, the nearest reason first; then the image shows who and why, and a way back."""
    gate = opened(make_gate, browser)
    look(browser, "reject-offered")
    browser.click("[data-key=reject]")
    buttons = f"[...{DIALOG}.querySelectorAll('.reasons b')]"
    reasons = browser.wait_for(f"{buttons}.length && {buttons}.map((b) => b.innerText)")
    look(browser, "reject-why")
    browser.click("[data-reason='111210']")
    browser.wait_for(f"{DIALOG}.innerText.includes('Reject image 2?')")
    look(browser, "reject-sure")
    meanwhile = gate.do(gate.studies.rejection("1.2.3.2"))
    browser.evaluate("document.getElementById('by').value = 'MK'")
    browser.click("[data-key=confirm]")
    said = browser.wait_for(f"{SHOWN}.innerText")
    panel = browser.wait_for(f"{has('Rejected (1)')} && document.querySelector('#panel').innerText")
    tile = browser.evaluate("document.querySelector('.tile:nth-child(2)').ariaLabel")
    offered = browser.evaluate(f"!!{BUTTON}")
    look(browser, "rejected")
    held = gate.do(gate.studies.rejection("1.2.3.2"))

    assert "Blurred by motion" == reasons[0]
    assert "Artifacts of the grid" not in reasons
    assert meanwhile is None
    assert held is not None
    assert ("111210", "MK", "call") == (held.reason, held.by, held.through)
    for words in ("REJECTED", "MK: Blurred by motion.", "once the study closes"):
        assert words in said
    assert "Image 2" in panel
    assert "Image 2: LOW, rejected" == tile
    assert not offered

    browser.click("[data-key=unreject]")
    browser.wait_for(f"!{SHOWN} && !!{BUTTON}")
    assert gate.do(gate.studies.rejection("1.2.3.2")) is None
    assert not browser.logs


def test_nothing_is_rejected_before_the_second_step(make_gate: MakeGate, browser: Browser) -> None:
    """Cancel, Escape and "Another reason" leave the image as it was."""
    gate = opened(make_gate, browser)
    for leave in ("dialog .foot button:nth-child(2)", None):
        browser.click("[data-key=reject]")
        browser.wait_for(f"!!{DIALOG}?.querySelector('.reasons')")
        browser.click("[data-reason='111212']")
        browser.wait_for(f"!!{DIALOG}?.querySelector('[data-key=confirm]')")
        browser.click("[data-key=back]")
        chosen = browser.wait_for(f"{FOCUS}.dataset.reason")
        browser.click("[data-reason='111212']")
        browser.wait_for(f"!!{DIALOG}?.querySelector('[data-key=confirm]')")
        if leave:
            browser.click(leave)
        else:
            browser.press("Escape", 27)
        browser.wait_for(f"!{DIALOG}")
        assert "111212" == chosen
        assert gate.do(gate.studies.rejection("1.2.3.2")) is None


def test_the_keyboard_is_enough(make_gate: MakeGate, browser: Browser) -> None:
    """R, Enter on the first reason, Tab to the last button, Enter; a held Enter never confirms."""
    gate = opened(make_gate, browser)
    browser.press("r", 82, "r")
    browser.wait_for(f"{FOCUS}.dataset.reason === '111210'")
    for _ in range(3):
        browser.press("Enter", 13, "\r")
    browser.wait_for(f"{FOCUS}.id === 'dialog-title' && {has('Reject image 2?')}")
    assert gate.do(gate.studies.rejection("1.2.3.2")) is None

    for _ in range(4):
        browser.press("Tab", 9)
    assert "confirm" == browser.evaluate(f"{FOCUS}.dataset.key")
    browser.press("Enter", 13, "\r")
    browser.wait_for(f"!!{SHOWN}")
    spoken = browser.evaluate("document.getElementById('announcer').textContent")
    held = gate.do(gate.studies.rejection("1.2.3.2"))

    assert held is not None
    assert "bedside" == held.by
    assert "Image 2 is rejected." == spoken


def test_what_is_rejected_elsewhere_appears_here(make_gate: MakeGate, browser: Browser) -> None:
    """Over REST, by another page or the archive's people: the stream alone tells, at once."""
    never_asking = "globalThis.setInterval = () => 0"
    browser.call("Page.addScriptToEvaluateOnNewDocument", source=never_asking)
    gate = opened(make_gate, browser)
    gate.do(gate.studies.reject("1.2.3.2", "111213", "chief"))
    browser.wait_for(f"{SHOWN}?.innerText.includes('chief: No image on it.')")
    gate.do(gate.studies.revoke_rejection("1.2.3.2", "chief"))
    browser.wait_for(f"!{SHOWN} && !!{BUTTON}")


def test_overruling_to_low_says_that_it_rejects(make_gate: MakeGate, browser: Browser) -> None:
    """Before it happens, and after; Undo is the way back."""
    gate = opened(make_gate, browser)
    browser.click(".tile:nth-child(1)")
    browser.wait_for("document.querySelector('.stage').dataset.kind === 'high'")
    browser.click("[data-key=overrule]")
    browser.wait_for(f"{DIALOG}?.querySelector('.kind-low').innerText.includes('also rejects')")
    look(browser, "overrule-rejects")
    browser.click("dialog .kind-low button")
    said = browser.wait_for(f"{SHOWN}.innerText")
    look(browser, "overrule-rejected")
    assert "bedside overruled it to LOW" in said
    assert not browser.evaluate("!!document.querySelector('[data-key=unreject]')")
    browser.click("[data-key=undo]")
    browser.wait_for(f"!{SHOWN} && !!{BUTTON}")

    assert gate.do(gate.studies.rejection("1.2.3.1")) is None


def test_where_only_a_call_rejects_overruling_says_nothing_of_it(
    make_gate: MakeGate, browser: Browser
) -> None:
    """A low by a person is a low."""
    gate = opened(make_gate, browser, reject_by="call")
    gate.do(gate.studies.override("1.2.3.1", Ruling.LOW, "Wrong plane", "MK"))
    browser.click(".tile:nth-child(1)")
    browser.wait_for(has("Overruled by MK"))
    browser.click("[data-key=overrule]")
    browser.wait_for(f"!!{DIALOG}")

    assert not browser.evaluate(f"!!{SHOWN} || {DIALOG}.innerText.includes('rejects')")


def test_where_rejecting_is_off_nothing_speaks_of_it(make_gate: MakeGate, browser: Browser) -> None:
    """No button, no key, no word; the rest of the page is as it was."""
    gate = make_gate()
    gate.arrive(fault="contact", **LOW)
    browser.go(f"http://127.0.0.1:{gate.port}/")
    browser.wait_for(f"{LIVE} && !!document.querySelector('[data-key=overrule]')")
    browser.press("r", 82, "r")

    spoken_of = "/reject/i.test(document.body.innerText)"

    assert not browser.evaluate(f"!!{BUTTON} || !!{DIALOG} || {spoken_of}")
    assert not browser.logs


def test_what_is_no_image_offers_no_rejection(make_gate: MakeGate, browser: Browser) -> None:
    """A report page has nothing to reject, nor has a picture without a study."""
    gate = opened(make_gate, browser)
    for facts in (NOT_APPLICABLE, {**LOW, "study_uid": None}):
        gate.arrive(**facts)
        browser.wait_for(f"{has('Reject …')} === false && {LIVE}")
        assert not browser.evaluate(f"!!{BUTTON}")


def test_every_step_is_large_plain_to_read_and_inside_the_view(
    make_gate: MakeGate, browser: Browser
) -> None:
    """44 px each way, 4.5 to 1 against what is behind, nothing cut off, on a telephone too."""
    gate = opened(make_gate, browser)
    amiss: dict[str, Any] = {}

    def check(step: str) -> None:
        for width, height in SIZES:
            browser.resize(width, height)
            look(browser, f"{step}-{width}")
            wide = browser.evaluate("document.documentElement.scrollWidth > innerWidth + 1")
            if found := (browser.evaluate(CROWDED), browser.evaluate(FAINT), wide):
                amiss.update({f"{step} {width}": found} if any(found) else {})

    check("reject-step-0")
    browser.click("[data-key=reject]")
    browser.wait_for(f"!!{DIALOG}?.querySelector('.reasons')")
    check("reject-step-1")
    browser.click("[data-reason='111210']")
    browser.wait_for(f"!!{DIALOG}?.querySelector('[data-key=confirm]')")
    check("reject-step-2")
    browser.click("[data-key=confirm]")
    browser.wait_for(f"!!{SHOWN}")
    check("reject-step-3")
    gate.do(gate.studies.close("1.2.3", "MK"))
    browser.wait_for(f"{SHOWN}.innerText.includes('Archives hide')")

    assert {} == amiss
