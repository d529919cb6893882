"""Every class of docs/reference/hostile-input.md names a test that exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_class_names_a_test_that_exists() -> None:
    """A test that is renamed takes its line along."""
    page = (ROOT / "docs/reference/hostile-input.md").read_text(encoding="utf-8")
    rows = [row for row in page.splitlines() if row.startswith("| ") and "---" not in row]
    classes = [row for row in rows if not row.startswith("| What comes")]
    named = [re.findall(r"`(test_\w+)`", row.rsplit(" | ", 1)[-1]) for row in classes]
    sources = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    defined = set(re.findall(r"def (test_\w+)\(", sources))

    assert len(classes) > 30
    assert [] == [row for row, names in zip(classes, named, strict=True) if not names]
    assert set() == {name for names in named for name in names} - defined
