"""Keep what a page looks like."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.browser.conftest import Browser

AT_REST = "Promise.allSettled(document.getAnimations().map((one) => one.finished)).then(() => true)"


def look(browser: Browser, name: str) -> None:
    """Keep a screenshot if a folder for them is named in the environment."""
    if folder := os.environ.get("SONOGATE_SCREENSHOTS"):
        browser.evaluate(AT_REST)
        browser.screenshot(Path(folder) / f"{name}.png")
