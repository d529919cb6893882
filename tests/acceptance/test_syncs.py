"""No sync comes into our code without a proof that fails without it, or a reason why none does."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import sonogate
from tests.acceptance.power_cut.marked import HELPERS
from tests.acceptance.power_cut.syncs import SYNCS, Sync, label

PACKAGE = Path(sonogate.__file__).parent
CALLS = {"fsync", "fdatasync", *HELPERS}
NOTHING_KEPT = {"doctor"}
"""The doctor syncs a file of its own to time the disk."""


def places_in(path: Path) -> Iterator[str]:
    """Yield the place of every call that syncs, as the record names it."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    yield from _calls(ast.parse(path.read_text(encoding="utf-8")), f"{module}:", "")


def _calls(node: ast.AST, module: str, function: str) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if child.name not in HELPERS:
                yield from _calls(child, module, f"{function}.{child.name}".lstrip("."))
            continue
        if isinstance(child, ast.Call):
            name = getattr(child.func, "attr", getattr(child.func, "id", ""))
            if name in CALLS:
                yield f"{module}{function}/{name}"
        yield from _calls(child, module, function)


def test_every_sync_is_in_the_table() -> None:
    """What the code has and what the proofs know is the same, call by call."""
    found = [
        place
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).parts[0] not in NOTHING_KEPT
        for place in places_in(path)
    ]

    assert Counter(each.place for each in SYNCS) == Counter(found)


@pytest.mark.parametrize("sync", SYNCS, ids=label)
def test_every_sync_is_shown_or_explained(sync: Sync) -> None:
    """A proof or a reason, never both, never neither."""
    assert bool(sync.shown_by) != bool(sync.why_not)
