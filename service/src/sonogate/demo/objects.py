"""Find the DICOM objects under folders, as a sender or an offline scorer needs them.

The data set is never decoded here; what isn't DICOM is named with its reason, never dropped
silently.
"""

import hashlib
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pynetdicom.dsutils import split_dataset

HASH_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomFile:
    """One Part 10 file to send, known by its file meta information."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str  #: of the file meta, which counts where the data set has none
    transfer_syntax_uid: str
    study_uid: str  #: empty if the data set has none
    offset: int  #: of the data set's first byte

    def content_sha256(self) -> str:
        """Return the hash of the data set as it will be received."""
        digest = hashlib.sha256()
        with self.path.open("rb") as stream:
            stream.seek(self.offset)
            while chunk := stream.read(HASH_CHUNK_BYTES):
                digest.update(chunk)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What lay under the folders."""

    files: list[DicomFile] = field(default_factory=list)
    skipped: dict[Path, str] = field(default_factory=dict)  #: why, by path

    def by_study(self) -> Mapping[str, list[DicomFile]]:
        """Group the files by study, in the order in which each study was first met."""
        studies: dict[str, list[DicomFile]] = {}
        for file in self.files:
            studies.setdefault(file.study_uid, []).append(file)
        return studies


def files_under(paths: Iterable[Path]) -> Iterator[Path]:
    """Walk folders in a stable order; a file is itself."""
    for path in paths:
        if path.is_dir():
            yield from (below for below in sorted(path.rglob("*")) if below.is_file())
        else:
            yield path


def find_objects(paths: Iterable[Path]) -> Found:
    """Look for Part 10 files; everything else is skipped with its reason."""
    found = Found()
    for path in files_under(paths):
        try:
            found.files.append(open_file(path))
        except ValueError as error:
            found.skipped[path] = str(error)
    return found


def open_file(path: Path) -> DicomFile:
    """Read what is needed to send a file.

    Raises:
        ValueError: It can't be sent; the message says why in plain words.
    """
    try:
        meta, offset, study_uid = _head_of(path)
    except InvalidDicomError as error:
        raise ValueError("not a DICOM file") from error
    except OSError as error:
        raise ValueError(f"can't be read: {error.strerror or error}") from error
    except Exception as error:
        raise ValueError(f"damaged DICOM header ({type(error).__name__})") from error
    names = ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID", "TransferSyntaxUID")
    missing = [name for name in names if not meta.get(name)]
    if missing:
        raise ValueError(f"file meta information lacks {', '.join(missing)}")
    sop_class_uid, sop_instance_uid, transfer_syntax_uid = (str(meta[name].value) for name in names)
    return DicomFile(
        path=path,
        sop_class_uid=sop_class_uid,
        sop_instance_uid=sop_instance_uid,
        transfer_syntax_uid=transfer_syntax_uid,
        study_uid=study_uid,
        offset=offset,
    )


def _head_of(path: Path) -> tuple[Dataset, int, str]:
    with warnings.catch_warnings():
        # What a data set says of its characters or lengths is the receiver's to judge.
        warnings.simplefilter("ignore")
        meta, offset = split_dataset(path)
        ds = dcmread(path, specific_tags=["StudyInstanceUID"], stop_before_pixels=True)
        return meta, offset, str(ds.get("StudyInstanceUID") or "")
