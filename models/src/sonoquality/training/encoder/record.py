"""The record of a run: what went in and what came out, so that a person can repeat it."""

import json
import platform
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from sonoquality.networks.identity import sha256_of
from sonoquality.networks.vit import VisionTransformer
from sonoquality.training.data import Row
from sonoquality.training.encoder.bank import TRAINED
from sonoquality.training.encoder.config import EncoderConfig
from sonoquality.training.held_out import HELD_OUT

RECORD_FILE = "record.json"


@dataclass(frozen=True)
class Earlier:
    """What a finished run hands to the run that goes on from it."""

    encoder_sha256: str
    n_windows_seen: int


def earlier(folder: Path) -> Earlier:
    """Return what a finished run came to.

    Raises:
        ValueError: the folder holds no run that took all its steps.
    """
    found = _read(folder)
    if "n_windows_seen" not in found:
        raise ValueError(f"{folder} holds no finished run; train it to its end first.")
    return Earlier(found["encoder_sha256"], found["n_windows_seen"])


def begin(
    out: Path,
    config: EncoderConfig,
    rows: Sequence[Row],
    bank_sha256: str,
    before_it: Earlier | None = None,
) -> None:
    """Write what goes in; a folder in which another run began is refused.

    Args:
        out: folder of the run.
        config: of the run.
        rows: images it may see.
        bank_sha256: of the degraded images.
        before_it: the run whose weights it goes on from.

    Raises:
        ValueError: the folder's record names another configuration or other images.
    """
    used = [row for row in rows if row.source not in config.without_sources]
    entered = {
        "config": config.model_dump(mode="json"),
        "operators": list(TRAINED),
        "held_out": list(HELD_OUT),
        "images": dict(Counter(row.source for row in used)),
        "images_sha256": sha256("\n".join(row.sha256 for row in used).encode()).hexdigest(),
        "bank_sha256": bank_sha256,
    }
    if before_it:
        entered["goes_on_from"] = asdict(before_it)
    before = _read(out)
    if before and _as_read_now(before["entered"]) != entered:
        raise ValueError(f"{out} holds a run of another configuration or images; name another.")
    sittings = [*before.get("sittings", []), _sitting()]
    _write(out, {**before, "entered": entered, "sittings": sittings})


def _as_read_now(entered: dict[str, Any]) -> dict[str, Any]:
    """Give keys that a configuration had not yet when its run began their defaults."""
    config = EncoderConfig.model_validate(entered["config"])
    return {**entered, "config": config.model_dump(mode="json")}


def finish(out: Path, encoder: VisionTransformer, config: EncoderConfig) -> None:
    """Add what came out; the windows are those of the run and of what it went on from."""
    found = _read(out)
    seen = found["entered"].get("goes_on_from", {}).get("n_windows_seen", 0) + config.n_windows
    came_out = {"encoder_sha256": sha256_of(encoder), "n_windows_seen": seen}
    _write(out, {**found, **came_out})


def is_finished(out: Path) -> bool:
    """Whether a run took all its steps; an encoder alone may be that of a checkpoint."""
    return "n_windows_seen" in _read(out)


def _sitting() -> dict[str, Any]:
    return {
        "git_commit": _git_commit(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
    }


def _git_commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        found = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


def _read(out: Path) -> dict[str, Any]:
    path = out / RECORD_FILE
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _write(out: Path, content: dict[str, Any]) -> None:
    unfinished = out / (RECORD_FILE + ".part")
    unfinished.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    unfinished.replace(out / RECORD_FILE)
