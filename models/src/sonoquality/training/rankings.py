"""Rankings on disk: the one that saw every source, and one without each."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonoquality.errors import WeightsError
from sonoquality.metrics.ranker import Ranker

RANKINGS_FILE = "rankings.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rankings:
    """One ranking that saw every source, and one without each."""

    encoder_sha256: str
    all: Ranker
    without: Mapping[str, Ranker]

    def save(self, path: Path) -> None:
        """Write them to one file."""
        arrays: dict[str, NDArray[Any]] = {
            "encoder_sha256": np.array(self.encoder_sha256),
            "sources": np.array(sorted(self.without)),
            **self.all.arrays("all"),
        }
        for source, ranker in self.without.items():
            arrays.update(ranker.arrays(f"without_{source}"))
        np.savez(path, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, folder: Path) -> "Rankings":
        """Read the rankings of a run.

        Raises:
            WeightsError: the folder has none.
        """
        path = folder / RANKINGS_FILE
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {key: file[key] for key in file.files}
            return cls(
                encoder_sha256=str(arrays["encoder_sha256"]),
                all=Ranker.from_arrays(arrays, "all"),
                without={
                    str(source): Ranker.from_arrays(arrays, f"without_{source}")
                    for source in arrays["sources"]
                },
            )
        except (OSError, KeyError, ValueError) as error:
            raise WeightsError(
                f"{path} holds no rankings ({error!r}); run sonoquality train ranker."
            ) from error
