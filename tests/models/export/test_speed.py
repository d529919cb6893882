"""All graphs take turns in every round, and the entry is timed with and without its pooling."""

from pathlib import Path

import pytest

from sonoquality.zoo import HUMBLE, MODEL_FILE, SHIPPED, default_zoo
from tests.conftest import need_extra

pytestmark = pytest.mark.train
need_extra("torch", "train")

from sonoquality.export import speed  # noqa: E402 - needs torch
from sonoquality.export.sizes import SIDES  # noqa: E402
from sonoquality.results.encoder_speed import SHIPS, WHOLE  # noqa: E402


def test_all_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Round by round, size by size; the first rounds warm up and are not told."""
    monkeypatch.setattr(speed, "SIDES", {1: SIDES[1], 4: SIDES[4]})
    monkeypatch.setattr(speed, "TRIES", 1)
    entry = default_zoo() / HUMBLE
    ours = default_zoo() / SHIPPED
    rows = list(speed.measure({("a", "fp32"): entry / MODEL_FILE, ("b", SHIPS): ours}, 2, 1))
    keys = [(row.repeat, row.windows, row.network, row.precision) for row in rows]
    turn = [("a", "fp32"), ("b", SHIPS), ("b", WHOLE)]

    assert [(k, n, *key) for k in (0, 1) for n in (1, 4) for key in turn] == keys
    assert all(row.milliseconds > 0 for row in rows)


def test_an_entry_is_weighed_whole_beside_a_process_without_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once for each number of threads."""
    asked: list[tuple[Path | None, int, int]] = []

    def footprint(path: Path | None, n_windows: int, threads: int) -> float:
        asked.append((path, n_windows, threads))
        return 1.0

    monkeypatch.setattr(speed, "footprint", footprint)
    entry = default_zoo() / SHIPPED
    rows = list(speed.weigh({("nrq", SHIPS): entry}, (1, 2)))

    assert [(None, 9, 1), (entry, 9, 1), (None, 9, 2), (entry, 9, 2)] == asked
    assert ["", WHOLE] * 2 == [row.precision for row in rows]
