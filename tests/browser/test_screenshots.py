"""The pictures of the page in the docs: phantoms through a real gate, as a newcomer sees them.

`SONOGATE_SCREENSHOTS=docs/images` makes them again.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sonogate.demo.exam import EXAM, make_exam
from tests.browser.looks import look

if TYPE_CHECKING:
    from tests.browser.conftest import Browser

pytestmark = [pytest.mark.integration, pytest.mark.slow]

CUT_OFF = """[...document.querySelectorAll('p, button, b, h1, h2, label, li')]
  .filter((one) => one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0
    && getComputedStyle(one).display !== 'inline')
  .map((one) => one.innerText)"""

HOLDS_ITS_BUTTONS = """[...document.querySelectorAll('.question button')].every((one) =>
  one.getBoundingClientRect().right < one.closest('section').getBoundingClientRect().right)"""
ONE_AFTER_THE_OTHER = {"SONOGATE_SCORING__WORKERS": "1"}
SHOWN = "document.getElementById('stage').innerText"
DRAWN = """!document.querySelector('.tile img:not([src]), .question img:not([src])')
  && document.querySelector('.view canvas').width > 300"""


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[str]:
    """Send the phantom exam up to the kidney by the demo; return its page's address."""
    exam = tmp_path / "exam"
    exam.mkdir()
    for number, ds in enumerate(islice(make_exam(datetime.now(UTC), shots=EXAM[:4]), 4), start=1):
        ds.save_as(exam / f"{number}.dcm", enforce_file_format=True)
    command = [sys.executable, "-m", "sonogate", "demo", "--dicom-port", "0", "--http-port", "0"]
    running = subprocess.Popen(
        [*command, "--from", str(exam), "--data-dir", str(tmp_path / "data")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "160", **ONE_AFTER_THE_OTHER},
    )
    try:
        said = iter(running.stdout or ())
        yield next(found[1] for line in said if (found := re.match(r"Serving (\S+) until", line)))
    finally:
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)


def test_the_page_after_the_first_half_of_the_phantom_exam(demo: str, browser: Browser) -> None:
    """It asks whether the muscle was taken again; a yes leaves the kidney. No text is cut off."""
    browser.go(demo)
    browser.wait_for("document.querySelectorAll('.tile').length === 4")
    browser.wait_for("document.body.innerText.includes('Still to re-acquire (2)')")
    browser.click(".tile:nth-child(3)")
    browser.wait_for("document.querySelector('.question')?.innerText.includes('replaces image 2?')")
    browser.wait_for(f"{SHOWN}.includes('Image 3') && {DRAWN}")
    look(browser, "page-question")
    assert [] == browser.evaluate(CUT_OFF)
    assert browser.evaluate(HOLDS_ITS_BUTTONS)

    browser.click(".question .strong")
    browser.wait_for("document.body.innerText.includes('Still to re-acquire (1)')")
    browser.click(".list .row")
    stage = browser.wait_for(f"{SHOWN}.includes('skin down') && {DRAWN} && {SHOWN}")
    look(browser, "page-low")

    for words in ("LOW", "dark from the skin down", "Add gel"):
        assert words in stage
    assert [] == browser.evaluate(CUT_OFF)
