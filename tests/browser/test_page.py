"""The bedside page in a real browser, over the real store and HTTP door."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from sonogate.domain.verdict import Doubt, Finding, FindingRegion, Ruling
from tests.browser.looks import look

if TYPE_CHECKING:
    from tests.browser.conftest import Browser, PageGate

pytestmark = [pytest.mark.integration, pytest.mark.slow]

TOKEN = "k" * 32
HIGH: dict[str, Any] = {"status": "graded", "band": "high", "quality": 88, "action": "Keep it."}
LOW: dict[str, Any] = {
    "status": "graded",
    "band": "low",
    "quality": 17,
    "reason": "Right half is dark from the skin down.",
    "action": "Add gel, recouple the probe.",
    "findings": [
        Finding(
            code="poor_contact",
            label="Right half is dark from the skin down.",
            severity=0.9,
            region=FindingRegion(x=440, y=150, width=240, height=300),
        )
    ],
}
UNSCORABLE: dict[str, Any] = {"status": "unscorable", "reason": "No installed codec reads it."}
NOT_APPLICABLE: dict[str, Any] = {"status": "not_applicable", "reason": "A report page."}

MakeGate = Callable[..., "PageGate"]
SHOWN_TEXT = "document.body.innerText"
KIND = "document.querySelector('.stage')?.dataset.kind"
LIVE = "document.body.className === 'live'"


SHADOW = Finding(
    code="shadowed",
    label="The left third lies in a shadow from a reflector above it",
    severity=0.742,
    region=FindingRegion(x=200, y=150, width=120, height=300),
)


def has(text: str) -> str:
    """Make an expression that is true once the page shows a text."""
    return f"document.body.innerText.includes({text!r})"


def test_a_verdict_appears_while_the_page_is_open(make_gate: MakeGate, browser: Browser) -> None:
    """Nobody reloads: band, number, one reason, one action and the worst region are there."""
    gate = make_gate()
    browser.go(f"http://127.0.0.1:{gate.port}/")
    browser.wait_for(has("Waiting for the first image"))

    gate.arrive(**HIGH)
    browser.wait_for(f"{KIND} === 'high'")
    gate.arrive(fault="contact", **LOW)
    browser.wait_for(f"{KIND} === 'low'")

    text = browser.wait_for(f"{has('to re-acquire')} && document.body.innerText")
    for words in ("LOW", "17", LOW["reason"], LOW["action"], "Not ready", "ABDOMEN A-20417"):
        assert words in text
    browser.wait_for("document.querySelector('.view canvas').width > 300")
    assert "low" in browser.evaluate("document.getElementById('announcer').textContent")
    look(browser, "low")
    assert not browser.logs


def test_the_worst_region_is_outlined_where_the_finding_says(
    make_gate: MakeGate, browser: Browser
) -> None:
    """It shows (100, 50, 640, 480) of the frame; the outline is drawn so."""
    gate = make_gate()
    gate.arrive(fault="contact", **LOW)
    browser.go(f"http://127.0.0.1:{gate.port}/")
    browser.wait_for("document.querySelector('.view canvas')?.width > 300")
    browser.wait_for(
        """(() => {
          const canvas = document.querySelector('.view canvas');
          const scale = canvas.width / 320;
          const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          const at = (x, y) => Math.round(y * scale) * canvas.width + Math.round(x * scale);
          const white = (x, y) => data[4 * at(x, y)] > 250;
          const sides = [white(170, 125), white(290, 125), white(230, 50), white(230, 200)];
          return sides.every(Boolean) && !white(230, 125);
        })()"""
    )


@pytest.mark.parametrize("band", ["low", "high"])
def test_every_finding_has_its_sentence_and_its_action(
    make_gate: MakeGate, browser: Browser, band: str
) -> None:
    """On a low the others stand below the worst; on a high all are notes, and nothing shouts."""
    gate = make_gate()
    facts = {"low": LOW, "high": HIGH}[band]
    gate.arrive(fault="shadow", **facts | {"findings": [*facts.get("findings", []), SHADOW]})
    browser.go(f"http://127.0.0.1:{gate.port}/")
    shown = "document.querySelector('.notes').innerText"
    notes = browser.wait_for(f"{LIVE} && {shown}.includes('angle') && {shown}")
    loud = browser.evaluate("document.querySelectorAll('.action').length")
    look(browser, f"notes-{band}")

    assert SHADOW.label in notes
    assert "Change the angle or slide to another window" in notes
    assert LOW["findings"][0].label not in notes
    assert (1 if band == "low" else 0) == loud
    assert band == browser.evaluate(KIND)


def test_what_has_no_quality_never_looks_high(make_gate: MakeGate, browser: Browser) -> None:
    """Not scored and not judged have their own word, shape and colour, and no number."""
    gate = make_gate()
    browser.go(f"http://127.0.0.1:{gate.port}/")
    browser.wait_for(LIVE)
    colours = {}
    for kind, word, facts in (
        ("high", "HIGH", HIGH),
        ("unscorable", "NOT SCORED", UNSCORABLE),
        ("not_applicable", "NOT JUDGED", NOT_APPLICABLE),
    ):
        gate.arrive(**facts)
        browser.wait_for(f"{KIND} === '{kind}'")
        badge = "document.querySelector('.badge')"
        assert word in browser.evaluate(f"{badge}.innerText")
        colours[kind] = browser.evaluate(f"getComputedStyle({badge}.querySelector('.word')).color")
        assert (kind == "high") == browser.evaluate(f"{badge}.innerText.includes('/100')")
        look(browser, kind)

    assert 3 == len(set(colours.values())), colours


DOUBTFUL: dict[str, Any] = LOW | {
    "reason": "This may be an M-mode trace.",
    "action": "Look yourself: a trace needs no new image",
    "uncertain": True,
    "doubt": Doubt(code="m_mode", reason=LOW["reason"], action=LOW["action"]),
}
TAKE_AGAIN = "Take it again"


def test_a_low_that_may_be_a_trace_is_asked_about(make_gate: MakeGate, browser: Browser) -> None:
    """Nothing asks for a new image before somebody said what it is; one tap says so, one undoes."""
    gate = make_gate()
    uid = gate.arrive(**DOUBTFUL)
    browser.go(f"http://127.0.0.1:{gate.port}/")
    text = browser.wait_for(f"{LIVE} && {has('What is image 1?')} && document.body.innerText")
    look(browser, "doubtful")
    for words in (
        "LOW?",
        "Trace or image?",
        "Look yourself",
        "Not ready: 1 may be a trace",
        DOUBTFUL["reason"],
    ):
        assert words in text
    for words in (TAKE_AGAIN, "to re-acquire", "Still to", "/100"):
        assert words not in text
    assert "doubtful" == browser.evaluate(KIND)

    browser.click("[data-key=is-not_applicable]")
    browser.wait_for(f"{KIND} === 'not_applicable' && {has('Ready to close')}")
    text = browser.wait_for(
        "!!document.querySelector('[data-key=undo]') && document.body.innerText"
    )
    look(browser, "doubtful-trace")
    assert "NOT JUDGED" in text
    for words in (TAKE_AGAIN, "Look yourself", "/100", "What is image"):
        assert words not in text
    verdict = gate.do(gate.studies.instance(uid))
    assert ("not_applicable", "It is a trace") == (verdict.counts_as, verdict.reason)

    browser.click("[data-key=undo]")
    browser.wait_for(f"{KIND} === 'doubtful'")
    browser.click("[data-key=is-low]")
    text = browser.wait_for(f"{KIND} === 'low' && {has('1 image to re-acquire')} && {SHOWN_TEXT}")
    look(browser, "doubtful-image")
    for words in ("LOW", TAKE_AGAIN, LOW["reason"], LOW["action"]):
        assert words in text
    for words in ("Look yourself", "may be a", "not sure"):
        assert words not in text
    assert not browser.logs


def test_an_override_takes_two_taps_and_can_be_undone(
    make_gate: MakeGate, browser: Browser
) -> None:
    """Overrule, then a reason: both are stored; Undo brings the machine's word back."""
    gate = make_gate()
    uid = gate.arrive(fault="contact", **LOW)
    browser.go(f"http://127.0.0.1:{gate.port}/")
    browser.wait_for(f"{LIVE} && !!document.querySelector('[data-key=overrule]')")

    browser.click("[data-key=overrule]")
    browser.wait_for("!!document.querySelector('dialog[open]')")
    look(browser, "overrule")
    browser.click("dialog .kind-high button")
    browser.wait_for(f"{KIND} === 'high'")
    verdict = gate.do(gate.studies.instance(uid))
    browser.wait_for("!!document.querySelector('[data-key=undo]')")
    look(browser, "overruled")
    browser.click("[data-key=undo]")
    browser.wait_for(f"{KIND} === 'low'")

    assert verdict.override is not None
    assert ("high", "bedside") == (verdict.override.band, verdict.override.by)
    assert gate.do(gate.studies.instance(uid)).override is None


def test_the_page_asks_for_the_token_once(make_gate: MakeGate, browser: Browser) -> None:
    """A wrong token is asked for again; the right one lasts over a reload."""
    gate = make_gate(token=TOKEN)
    gate.arrive(**HIGH)
    browser.go(f"http://127.0.0.1:{gate.port}/")
    for token in ("wrong", TOKEN):
        browser.wait_for("document.querySelector('dialog[open] #token')?.value === ''")
        look(browser, "token")
        browser.evaluate(f"document.getElementById('token').value = '{token}'")
        browser.click("dialog form button.strong")
    browser.wait_for(f"{LIVE} && {KIND} === 'high'")
    browser.call("Page.reload")
    browser.wait_for(f"{LIVE} && {KIND} === 'high'")


def test_markup_in_a_header_is_shown_and_never_run(make_gate: MakeGate, browser: Browser) -> None:
    """A hostile reason is text on the page; nothing of it becomes an element."""
    gate = make_gate()
    hostile = (
        "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    )
    gate.arrive(fault="contact", **{**LOW, "reason": hostile, "action": hostile})
    browser.go(f"http://127.0.0.1:{gate.port}/")
    browser.wait_for(has("<script>"))

    assert "SonoGate" == browser.evaluate("document.title")
    assert 0 == browser.evaluate(
        "document.querySelectorAll('main script, main img[onerror]').length"
    )


def test_a_hurried_thumb_finds_large_targets(make_gate: MakeGate, browser: Browser) -> None:
    """Every button is at least 44 px each way, inside the view, and reachable by keyboard."""
    gate = make_gate()
    gate.arrive(**HIGH)
    gate.arrive(fault="contact", **LOW)
    browser.go(f"http://127.0.0.1:{gate.port}/")
    browser.wait_for(f"{LIVE} && !!document.querySelector('[data-key=overrule]')")
    for width, height in ((1280, 800), (1920, 1080), (800, 1280)):
        browser.resize(width, height)
        look(browser, f"size-{width}")
        small = browser.evaluate(
            "[...document.querySelectorAll('main button')].map((b) => b.getBoundingClientRect())"
            ".filter((r) => r.width < 44 || r.height < 44 || r.right > innerWidth + 1).length"
        )
        assert 0 == small
    assert browser.evaluate(
        "[...document.querySelectorAll('main button')].every((b) => b.tabIndex >= 0)"
    )


def test_the_page_says_what_the_cart_says(make_gate: MakeGate, browser: Browser) -> None:
    """The exam is in progress, then completed, and of three images that it names two have come."""
    gate = make_gate()
    uids = [gate.arrive(**HIGH), gate.arrive(**HIGH)]
    gate.say_step("1.2.3")
    browser.go(f"http://127.0.0.1:{gate.port}/")
    browser.wait_for(has("exam in progress"))

    gate.say_step("1.2.3", (*uids, "1.2.3.99"))
    browser.wait_for(f"{has('exam completed')} && {has('the cart says 3, 2 have come')}")
    look(browser, "cart-says")

    assert not browser.logs


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_a_question_is_one_tap_and_decides_how_the_study_closes(
    make_gate: MakeGate, browser: Browser, answer: str
) -> None:
    """Yes clears the low, and the study closes at one tap; no keeps it, and closing asks again."""
    gate = make_gate()
    gate.arrive(fault="contact", **LOW)
    gate.arrive(**HIGH)
    browser.go(f"http://127.0.0.1:{gate.port}/")
    browser.wait_for(f"{LIVE} && !!document.querySelector('.question')")
    look(browser, "question")

    browser.click(f"[data-key={answer}-2]")
    browser.wait_for("!document.querySelector('.question')")
    study = gate.do(gate.studies.get("1.2.3"))
    expected = "Ready to close" if answer == "yes" else "Not ready: 1 image to re-acquire"
    browser.wait_for(has(expected))
    look(browser, f"answered-{answer}")
    browser.click("[data-key=close]")
    if answer == "no":
        browser.wait_for("!!document.querySelector('dialog[open]')")
        browser.click("dialog button.strong")
    browser.wait_for(has("Closed."))
    browser.click(".tile:nth-child(1)")
    meaning = "Taken again" if answer == "yes" else "Take it again"
    badge = "document.querySelector('.badge .meaning').innerText"
    browser.wait_for(f"{KIND} === 'low' && {badge} === '{meaning}'")
    loud = browser.evaluate("document.querySelectorAll('.action:not(.calm)').length")
    look(browser, f"first-{answer}")

    assert ([] if answer == "yes" else [1]) == study.reacquire
    assert len(study.reacquire) == loud
    assert "closed" == gate.do(gate.studies.get("1.2.3")).status


def test_what_is_drawn_late_leaves_the_tile_under_the_finger(
    make_gate: MakeGate, browser: Browser
) -> None:
    """A drawing asked for before the press and due during it waits until the finger is lifted."""
    late = "globalThis.requestAnimationFrame = (draw) => setTimeout(draw, 400)"
    browser.call("Page.addScriptToEvaluateOnNewDocument", source=late)
    gate = make_gate()
    gate.arrive(**HIGH)
    gate.arrive(fault="contact", **LOW)
    browser.go(f"http://127.0.0.1:{gate.port}/")
    browser.wait_for("document.querySelector('.stage')?.dataset.kind === 'low'")
    gate.do(gate.studies.override("1.2.3.1", Ruling.LOW, "Wrong plane", "MK"))
    time.sleep(0.15)
    browser.hold(".tile:nth-child(1)")
    browser.evaluate("void (globalThis.tile = document.querySelector('.tile:nth-child(1)'))")
    time.sleep(1.5)
    is_there = browser.evaluate("tile.isConnected")
    browser.lift()

    assert is_there
    browser.wait_for("document.body.innerText.includes('Overruled by MK')")


def test_a_picture_without_a_study_has_the_whole_width(
    make_gate: MakeGate, browser: Browser
) -> None:
    """There is nothing to show beside it; a study's own panel keeps its place."""
    gate = make_gate()
    gate.arrive(study_uid=None, **LOW)
    edge = "document.querySelector('.stage').getBoundingClientRect().right / innerWidth"
    browser.go(f"http://127.0.0.1:{gate.port}/")
    browser.wait_for(LIVE)
    gate.arrive(study_uid=None, fault="contact", **LOW)
    browser.wait_for(f"{KIND} === 'low'")
    alone = browser.evaluate(edge)
    gate.arrive(**HIGH)
    browser.wait_for(f"{KIND} === 'high' && {has('ABDOMEN')}")
    beside = browser.evaluate(edge)

    assert alone > 0.97
    assert beside < 0.8
