"""Where results are kept: one durable file each, named by its content; the file names a patient."""

import os
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

SUFFIX: Final = ".dcm"
FILE_MODE: Final = 0o640


class Shelf:
    """A folder of results; every method is blocking."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self, wanted: AbstractSet[str]) -> None:
        """Make the folder, and remove what no row speaks of: a crash came before the row."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        _sync(self._folder.parent)
        for path in self._folder.iterdir():
            if path.name not in wanted:
                path.unlink(missing_ok=True)

    def keep(self, content: bytes, content_sha256: str) -> str:
        """Write a file durably and return its name; equal contents are one file."""
        name = f"{content_sha256}{SUFFIX}"
        unfinished = self._folder / f"{content_sha256}.part"
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        unfinished.replace(self._folder / name)
        _sync(self._folder)
        return name

    def path_of(self, file_name: str) -> Path:
        """Return where a result is.

        Raises:
            ValueError: the name is not one of ours.
        """
        if not (file_name.endswith(SUFFIX) and file_name.removesuffix(SUFFIX).isalnum()):
            raise ValueError(f"{file_name!r} is not a name of a result")
        return self._folder / file_name

    def read(self, file_name: str) -> bytes:
        """Return the bytes of a result.

        Raises:
            OSError: it is gone.
        """
        return self.path_of(file_name).read_bytes()

    def remove(self, file_name: str) -> None:
        """Remove a result; nothing happens if it is gone already."""
        self.path_of(file_name).unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
