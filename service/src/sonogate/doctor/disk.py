"""Is there room, and does the disk keep what it says it keeps?"""

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from sonogate.doctor.check import Check, fail, ok, warn
from sonogate.settings import GIB, Settings

N_SYNCS = 15
OBJECT_BYTES = 84_000
"""A usual JPEG still."""
SLOW_SECONDS = 0.025
MOUNTS = Path("/proc/mounts")
IN_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs"})
OVER_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"})


def checks(settings: Settings) -> Iterator[Check]:
    """Look at the disk under `data_dir`."""
    folder = _existing(settings.data_dir)
    yield _room(settings, folder)
    yield file_system_check(settings, folder)
    yield _sync(settings, folder)


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    while not folder.is_dir():
        folder = folder.parent
    return folder


def _room(settings: Settings, folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    least = settings.spool.min_free_bytes
    said = f"{free / GIB:.1f} GiB free under {settings.data_dir}"
    if free < least:
        return fail(
            "disk room",
            f"{said}; below {least / GIB:.1f} GiB the gate answers carts with 0xA700",
            "free disk space, move data_dir, or lower spool.min_free_bytes",
        )
    if free < 3 * least:
        return warn("disk room", said, "free disk space before it runs out")
    return ok("disk room", said)


def file_system_check(settings: Settings, folder: Path, mounts: Path = MOUNTS) -> Check:
    """Judge the kind of file system that holds the data."""
    kind = file_system_of(folder, mounts)
    if kind in IN_MEMORY:
        return warn(
            "file system",
            f"{settings.data_dir} lies in memory ({kind}): a restart of the machine loses it",
            "set data_dir to a folder on a disk",
        )
    if kind in OVER_NETWORK:
        return warn(
            "file system",
            f"{settings.data_dir} lies on a network share ({kind}), where SQLite can't lock safely",
            "set data_dir to a local disk, or set store.url to a PostgreSQL database",
        )
    return ok("file system", f"{kind or 'unknown kind'}, on a disk")


def file_system_of(folder: Path, mounts: Path = MOUNTS) -> str:
    """Return the kind of file system that holds a folder; empty if the system does not say."""
    best, kind = "", ""
    lines = mounts.read_text("utf-8", "replace").splitlines() if mounts.exists() else []
    for line in lines:
        _device, point, found, *_rest = line.split(" ")
        if folder.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, found
    return kind


def _sync(settings: Settings, folder: Path) -> Check:
    try:
        seconds = sync_seconds(folder)
    except OSError as error:
        return fail(
            "fsync",
            f"can't write in {folder}: {error.strerror}",
            f"give this user write access to {settings.data_dir}, or set another data_dir",
        )
    said = f"an image is safe on disk after {seconds * 1000:.1f} ms (median of {N_SYNCS})"
    if seconds > SLOW_SECONDS:
        return warn(
            "fsync", said, "a cart waits so long after each image; use an SSD with power-loss guard"
        )
    return ok("fsync", said)


def sync_seconds(folder: Path) -> float:
    """Time writing an object and syncing the file and its folder, as the gate does."""
    took = []
    with tempfile.TemporaryDirectory(prefix=".sonogate-doctor-", dir=folder) as place:
        for number in range(N_SYNCS):
            started = time.perf_counter()
            with (Path(place) / str(number)).open("wb") as stream:
                stream.write(bytes(OBJECT_BYTES))
                stream.flush()
                os.fsync(stream.fileno())
            handle = os.open(place, os.O_RDONLY)
            os.fsync(handle)
            os.close(handle)
            took.append(time.perf_counter() - started)
    return statistics.median(took)
