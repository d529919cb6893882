"""The bedside page while its network fails, or answers late."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import pytest

from tests.browser.looks import look
from tests.browser.test_page import HIGH, KIND, LIVE, LOW, MakeGate, has

if TYPE_CHECKING:
    from tests.browser.conftest import Browser

pytestmark = [pytest.mark.integration, pytest.mark.slow]

STYLED = "getComputedStyle(document.body).display === 'grid'"


def test_a_lost_connection_is_never_stale_green(make_gate: MakeGate, browser: Browser) -> None:
    """The gate goes: colour goes too, words say since when. It returns: the missed is shown."""
    gate = make_gate()
    gate.arrive(**HIGH)
    browser.go(f"http://127.0.0.1:{gate.port}/")
    browser.wait_for(f"{LIVE} && {KIND} === 'high'")

    gate.do(gate.stop())
    browser.wait_for(has("Connection lost"))
    look(browser, "lost")
    grey = browser.evaluate("getComputedStyle(document.querySelector('.stage')).filter")
    disabled = browser.evaluate("document.querySelector('[data-key=overrule]').disabled")
    gate.arrive(fault="contact", **LOW)
    gate.do(gate.start())
    browser.wait_for(f"{LIVE} && {KIND} === 'low'", seconds=25)

    assert "grayscale(1)" in grey
    assert disabled is True


def test_a_page_cut_off_while_it_loads_loads_again(make_gate: MakeGate, browser: Browser) -> None:
    """One of its scripts does not come, then its style; nobody presses anything."""
    gate = make_gate()
    gate.arrive(**HIGH)
    for lost in ("words.js", "app.css"):
        browser.call("Network.setBlockedURLs", urls=[f"*/web/{lost}"])
        browser.go(f"http://127.0.0.1:{gate.port}/?{lost}")
        time.sleep(0.5)
        assert not browser.evaluate(f"!!({STYLED}) && {KIND} === 'high'")
        browser.call("Network.setBlockedURLs", urls=[])

        browser.wait_for(f"{STYLED} && {KIND} === 'high' && {LIVE}")


def test_a_script_that_never_comes_is_asked_for_ever_more_seldom(
    make_gate: MakeGate, browser: Browser
) -> None:
    """A gate is not called every second by each page that something keeps from its scripts."""
    gate = make_gate()
    browser.call("Network.setBlockedURLs", urls=["*/web/words.js"])
    browser.go(f"http://127.0.0.1:{gate.port}/")
    browser.wait_for("sessionStorage.getItem('sonogate.cut_off') === '3'")
    began = time.monotonic()
    browser.wait_for("sessionStorage.getItem('sonogate.cut_off') === '4'")
    assert time.monotonic() - began > 3

    browser.call("Network.setBlockedURLs", urls=[])
    browser.wait_for(f"{LIVE} && sessionStorage.getItem('sonogate.cut_off') === null", 40)


def test_a_reading_begun_before_a_verdict_does_not_take_it_back(
    make_gate: MakeGate, browser: Browser
) -> None:
    """The study is being read when the next verdict comes; the answer knows nothing of it."""
    gate = make_gate()
    gate.arrive(**HIGH)
    browser.go(f"http://127.0.0.1:{gate.port}/")
    browser.wait_for(f"{KIND} === 'high' && {LIVE}")
    time.sleep(0.5)  # two readings lie 400 ms apart
    browser.evaluate(
        """void (() => {
          const ask = globalThis.fetch;
          globalThis.fetch = async (path, options) => {
            const answer = await ask(path, options);
            if (/studies\\/[^/]+$/.test(path) && !globalThis.held) {
              globalThis.held = true;
              await new Promise((release) => { globalThis.release = release });
            }
            return answer;
          };
          globalThis.kinds = [];
          new MutationObserver(() => kinds.push(document.querySelector('.stage').dataset.kind))
            .observe(document.querySelector('.stage'), { attributes: true, childList: true });
        })()"""
    )
    gate.arrive(fault="contact", **LOW)
    browser.wait_for(f"{KIND} === 'low' && !!globalThis.release")
    gate.arrive(**HIGH)
    browser.wait_for(f"{KIND} === 'high'")
    browser.evaluate("release()")
    time.sleep(1)

    kinds = browser.evaluate("kinds")
    assert ["low", "high"] == [kind for kind, _same in itertools.groupby(kinds)]


def test_the_stream_is_read_however_it_is_cut(make_gate: MakeGate, browser: Browser) -> None:
    """Server-sent events come out whole, whatever the network's pieces and line ends are."""
    gate = make_gate()
    browser.go(f"http://127.0.0.1:{gate.port}/")
    browser.wait_for(LIVE)
    events = browser.evaluate(
        r"""import('/web/stream.js').then(({parser}) => {
          const text = ': ping\r\n\r\nid: 7\r\nevent: verdict\r\ndata: {"a":1}\r\n\r\n' +
            'id: 8\ndata: x\ndata: y\n\n';
          const outcomes = new Set();
          for (let size = 1; size <= text.length; size++) {
            const seen = [];
            const take = parser((event) => seen.push(event));
            for (let at = 0; at < text.length; at += size) take(text.slice(at, at + size));
            outcomes.add(JSON.stringify(seen.map(({id, event, data}) => [id, event, data])));
          }
          return [...outcomes];
        })"""
    )

    assert ['[["7","verdict","{\\"a\\":1}"],["8","message","x\\ny"]]'] == events
