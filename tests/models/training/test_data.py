"""What a shipped model may learn from is decided in one place."""

from pathlib import Path

import pytest

from sonoquality.training.data import (
    ForbiddenDataError,
    Row,
    allowed,
    calibrates,
    read_index,
    training_rows,
)


def row(**changes: object) -> Row:
    """Return a training row, changed."""
    fields = {
        "path": Path("a.webp"),
        "source": "s",
        "organ": "o",
        "group": "g",
        "split": "train",
        "licence": "CC BY 4.0",
        "non_commercial": False,
        "quality_label": "",
        "sha256": "00ff00ff",
    }
    return Row(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("changes", [{"split": "val"}, {"split": "eval"}, {"non_commercial": True}])
def test_other_rows_stop_a_fit(changes: dict[str, object]) -> None:
    """Validation, evaluation and non-commercial rows are refused, not skipped in silence."""
    with pytest.raises(ForbiddenDataError):
        list(allowed([row(), row(**changes)]))


def test_the_collection_gives_only_what_is_allowed(shared_dir: Path) -> None:
    """1585 images of six sources, none of the graded hearts; whole groups calibrate."""
    rows = training_rows(read_index(shared_dir / "data"))
    groups: dict[bool, set[tuple[str, str]]] = {True: set(), False: set()}
    for one in rows:
        groups[calibrates(one)].add((one.source, one.group))

    assert 1585 == len(list(allowed(rows)))
    assert "camus_heart" not in {one.source for one in rows}
    assert not groups[True] & groups[False]
    assert len({source for source, _ in groups[True]}) >= 4
