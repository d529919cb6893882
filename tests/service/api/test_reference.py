"""The reference names every route and every error code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sonogate.api import problems
from sonogate.domain.verdict import Verdict

if TYPE_CHECKING:
    from tests.service.api.conftest import Door

pytestmark = pytest.mark.docs

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/reference/http.md").read_text()
API = ROOT / "service/src/sonogate/api"


def test_every_route_is_in_the_reference(door: Door) -> None:
    """A new route can't be forgotten, and none that is gone stays."""
    schema = door.app.openapi()["paths"]
    routes = {f"{method.upper()} {path}" for path, item in schema.items() for method in item}
    described = set(re.findall(r"^\| `((?:GET|POST|DELETE) [^`]+)` \|", TEXT, re.MULTILINE))

    assert routes | {"GET /"} == described


def test_every_error_code_is_in_the_reference() -> None:
    """What a program may meet is written down."""
    codes = {answer.code for answer in problems.ANSWERS.values()}
    codes |= {code for code, _ in problems.ROUTING.values()} - {"http_error"}
    for file in API.glob("*.py"):
        codes |= set(re.findall(r'Problem\(\s*\d{3},\s*"(\w+)"', file.read_text()))

    assert not sorted(code for code in codes if f"`{code}`" not in TEXT)


def test_every_field_of_the_verdict_is_in_the_reference() -> None:
    """The one JSON is described in full."""
    assert not [name for name in Verdict.model_fields if f"`{name}`" not in TEXT]
