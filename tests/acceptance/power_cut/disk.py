"""Rebuild a disk from a record of writes and syncs, as a strict file system would after a cut.

Nothing survives but what was synced: a file's bytes at its last fsync, a name once its folder was
synced after the name appeared. Removals and renames, too, wait for the folder's sync. A disk may
also write early what nobody synced: files can be named whose bytes survive as they were written.
"""

import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

HEAD = struct.Struct("<BiqI")


@dataclass(frozen=True, slots=True)
class Entry:
    """One recorded call."""

    op: str
    fd: int
    at: int
    body: bytes
    end: int = 0  #: of the entry in the record, in bytes: a clock


def read_record(path: Path) -> list[Entry]:
    """Read a record; a torn last entry is dropped."""
    data = path.read_bytes()
    entries, position = [], 0
    while position + HEAD.size <= len(data):
        op, fd, at, length = HEAD.unpack_from(data, position)
        position += HEAD.size
        if position + length > len(data):
            break
        end = position + length
        entries.append(Entry(chr(op), fd, at, data[position:end], end))
        position = end
    return entries


@dataclass(eq=False)
class File:
    """Bytes as written and as synced."""

    now: bytearray = field(default_factory=bytearray)
    synced: bytes = b""


@dataclass(eq=False)
class Folder:
    """Names as they are and as synced."""

    now: dict[str, "File | Folder"] = field(default_factory=dict)
    synced: dict[str, "File | Folder"] = field(default_factory=dict)


@dataclass
class Open:
    """An open descriptor."""

    node: File | Folder
    path: str
    position: int = 0
    append: bool = False


class Disk:
    """What a disk holds, call by call."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.tree = Folder()
        self._open: dict[int, Open] = {}
        self._apply: dict[str, Callable[[Entry], None]] = {
            "O": self._opened,
            "C": lambda entry: self._close(entry.fd),
            "W": self._written,
            "L": self._sought,
            "T": self._truncated,
            "F": self._synced,
            "R": self._renamed,
            "K": self._linked,
            "U": self._unlinked,
            "M": self._made,
        }

    def apply(self, entry: Entry) -> None:
        """Take one call into account; answers on sockets change nothing."""
        if entry.op in self._apply:
            self._apply[entry.op](entry)

    def path_of(self, fd: int) -> str:
        """Return the path below the root of what a descriptor has open; folders end in "/"."""
        opened = self._open.get(fd)
        if opened is None:
            return ""
        return opened.path + "/" * isinstance(opened.node, Folder)

    def rebuild(self, target: Path, early: str = "") -> None:
        """Write what is durable below `target`.

        Args:
            target: A folder.
            early: Pattern of paths whose bytes the disk wrote before it was asked to.
        """
        target.mkdir(parents=True, exist_ok=True)
        write_synced(self.tree, target, early)

    def settle(self) -> None:
        """Sync everything, as if the power had not failed."""
        _settle(self.tree)

    def _parts(self, body: bytes) -> list[str]:
        return list(Path(os.fsdecode(body)).relative_to(self._root).parts)

    def _parent(self, parts: list[str]) -> Folder:
        node: File | Folder = self.tree
        for part in parts[:-1]:
            assert isinstance(node, Folder)
            node = node.now[part]
        assert isinstance(node, Folder)
        return node

    def _opened(self, entry: Entry) -> None:
        parts, flags = self._parts(entry.body), entry.at
        if not parts:
            self._open[entry.fd] = Open(self.tree, "")
            return
        parent = self._parent(parts)
        if flags & os.O_CREAT and parts[-1] not in parent.now:
            parent.now[parts[-1]] = File()
        node = parent.now.get(parts[-1])
        if node is None:
            return
        if flags & os.O_TRUNC and isinstance(node, File):
            node.now.clear()
        self._open[entry.fd] = Open(node, "/".join(parts), append=bool(flags & os.O_APPEND))

    def _close(self, fd: int) -> None:
        self._open.pop(fd, None)

    def _written(self, entry: Entry) -> None:
        opened = self._open.get(entry.fd)
        if opened is None or not isinstance(opened.node, File):
            return
        content = opened.node.now
        at = entry.at if entry.at >= 0 else len(content) if opened.append else opened.position
        content.extend(b"\0" * max(0, at - len(content)))
        content[at : at + len(entry.body)] = entry.body
        if entry.at < 0:
            opened.position = at + len(entry.body)

    def _sought(self, entry: Entry) -> None:
        if entry.fd in self._open:
            self._open[entry.fd].position = entry.at

    def _truncated(self, entry: Entry) -> None:
        opened = self._open.get(entry.fd)
        if opened is not None and isinstance(opened.node, File):
            content = opened.node.now
            del content[entry.at :]
            content.extend(b"\0" * (entry.at - len(content)))

    def _synced(self, entry: Entry) -> None:
        opened = self._open.get(entry.fd)
        if opened is None:
            return
        if isinstance(opened.node, File):
            opened.node.synced = bytes(opened.node.now)
        else:
            opened.node.synced = dict(opened.node.now)

    def _renamed(self, entry: Entry) -> None:
        old, new = entry.body.split(b"\0")
        old_parts, new_parts = self._parts(old), self._parts(new)
        node = self._parent(old_parts).now.pop(old_parts[-1])
        self._parent(new_parts).now[new_parts[-1]] = node

    def _linked(self, entry: Entry) -> None:
        old, new = entry.body.split(b"\0")
        old_parts, new_parts = self._parts(old), self._parts(new)
        self._parent(new_parts).now[new_parts[-1]] = self._parent(old_parts).now[old_parts[-1]]

    def _unlinked(self, entry: Entry) -> None:
        parts = self._parts(entry.body)
        self._parent(parts).now.pop(parts[-1], None)

    def _made(self, entry: Entry) -> None:
        parts = self._parts(entry.body)
        if parts:
            self._parent(parts).now.setdefault(parts[-1], Folder())


def _settle(node: "File | Folder") -> None:
    if isinstance(node, File):
        node.synced = bytes(node.now)
        return
    node.synced = dict(node.now)
    for each in node.now.values():
        _settle(each)


class KindDisk(Disk):
    """A disk on which a file's sync makes its name durable too, as ext4 and XFS do in practice."""

    def _synced(self, entry: Entry) -> None:
        super()._synced(entry)
        opened = self._open.get(entry.fd)
        if opened is None:
            return
        folder: File | Folder = self.tree
        for part in opened.path.split("/"):
            if not isinstance(folder, Folder) or part not in folder.now:
                return
            folder.synced[part] = folder.now[part]
            folder = folder.now[part]


def write_synced(folder: Folder, target: Path, early: str, path: str = "") -> None:
    """Write a folder's synced names and their synced bytes."""
    for name, node in folder.synced.items():
        if isinstance(node, File):
            is_early = bool(early) and fnmatch(f"{path}{name}", early)
            (target / name).write_bytes(node.now if is_early else node.synced)
        else:
            (target / name).mkdir()
            write_synced(node, target / name, early, f"{path}{name}/")


def answers(entries: Sequence[Entry]) -> Iterator[tuple[int, bytes]]:
    """Yield (index, PDU bytes) of every answer that was sent on a DICOM association."""
    for index, entry in enumerate(entries):
        if entry.op == "S":
            yield index, entry.body
