"""Every place in our code that syncs, and which proof fails without it, or why none does."""

from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Final

from tests.acceptance.power_cut.disk import Disk, Entry

SEGMENT: Final = "sonogate.receive.spool.segment:Segment"
FILE: Final = "sonogate.receive.spool.files:SpoolFile"
SPOOL: Final = "sonogate.receive.spool.folder:Spool"
SHELF: Final = "sonogate.act.results.shelf:Shelf"
FOLDER: Final = "sonogate.act.forward.folder:FolderCarrier"
DATABASE: Final = "sonogate.store.database:Database"
OF_SQLITE: Final = ""
"""What SQLite syncs is marked with no place."""
THREE: Final = "three places sync the data folder before the port opens; all three forgotten lose"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """One call."""

    place: str  #: as `marked.py` says it
    path: str  #: pattern of what it syncs, below the data folder; folders end in "/"
    shown_by: str = ""  #: the proof that fails without it
    why_not: str = ""  #: why nothing is lost without it alone
    is_quick: bool = False  #: whether CI shows it too


SYNCS: Final = (
    Sync(
        place=f"{SEGMENT}.append/fdatasync", path="spool/segments/*",
        shown_by="receive", is_quick=True,
    ),
    Sync(
        place=f"{SEGMENT}.__init__/sync_folder", path="spool/segments/",
        shown_by="receive",
    ),
    Sync(
        place=f"{SEGMENT}.__init__/fsync", path="spool/segments/*",
        why_not="a record's own sync covers the opening before it",
    ),
    Sync(
        place=f"{SEGMENT}._write_tail_again/fdatasync", path="spool/segments/*",
        why_not="only after a sync that failed: `tests/faults` has the disks that do",
    ),
    Sync(place=f"{FILE}.finish/fsync", path="spool/files/*", shown_by="receive"),
    Sync(place=f"{FILE}.finish/sync_folder", path="spool/files/", shown_by="receive"),
    Sync(
        place=f"{FILE}._append/fdatasync", path="spool/files/*",
        why_not="it only spreads the work: the sync at the end covers the whole file",
    ),
    Sync(place=f"{SPOOL}.prepare/sync_folder", path="spool/", shown_by="receive"),
    Sync(place=f"{SPOOL}.prepare/sync_folder", path="/", why_not=THREE),
    Sync(place=f"{DATABASE}._prepare/_sync_folder", path="/", why_not=THREE),
    Sync(place=f"{SHELF}.prepare/_sync", path="/", why_not=THREE),
    Sync(place=f"{SHELF}.keep/fsync", path="results/*", shown_by="outbox", is_quick=True),
    Sync(place=f"{SHELF}.keep/_sync", path="results/", shown_by="outbox"),
    Sync(place=f"{FOLDER}._write/fsync", path="archive/*", shown_by="forward", is_quick=True),
    Sync(place=f"{FOLDER}._write/_sync", path="archive/*/", shown_by="forward", is_quick=True),
    Sync(place=f"{FOLDER}._write/_sync", path="archive/", shown_by="forward"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Whim:
    """What a disk does beside the record; paths are patterns below the data folder."""

    forgotten: str = ""  #: syncs of these paths are swallowed: the seeded fault
    place: str = "*"  #: ... where these places asked
    early: str = ""  #: bytes that reach the disk before anybody asks for a sync

    def swallows(self, disk: Disk, entry: Entry) -> bool:
        """Whether the seeded fault swallows this sync."""
        return (
            entry.op == "F"
            and bool(self.forgotten)
            and fnmatch(disk.path_of(entry.fd), self.forgotten)
            and fnmatch(entry.body.decode(), self.place)
        )


def without(sync: Sync) -> Whim:
    """Return the disk as it is if our code lacked this call."""
    return Whim(forgotten=sync.path, place=sync.place)


def label(sync: Sync) -> str:
    """Return a short name for test reports."""
    return f"{sync.place.rpartition(':')[2]} of {sync.path}"
