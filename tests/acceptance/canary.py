"""A patient who can be told anywhere, in whatever coding; and where such a one was seen."""

import base64
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from sonogate.testing import make_instance

NAME, PATIENT_ID, BORN, ADDRESS = "Canaryname^Yellow", "CANARYID77", "19110213", "Canaryhouse 1"
ACCESSION, TYPED, REASON = "CANARYACC5", "Canarytext", "Canaryreason"
TOKENS: Mapping[str, tuple[str, ...]] = {
    "patient": ("Canaryname", PATIENT_ID, BORN, "Canaryhouse"),
    "accession number": (ACCESSION,),
    "cart's texts": (TYPED,),
    "reasons": (REASON,),
}
"""What is looked for, by kind: who it is; the number of the order; what a cart says of an exam in
free text; why a person overruled the gate."""


def sick(seed: int = 0, **changes: object) -> Dataset:
    """Make an image of the canary."""
    ds = make_instance(seed=seed, height=120, width=160, patient_name=NAME)
    ds.PatientID, ds.PatientBirthDate, ds.PatientAddress = PATIENT_ID, BORN, ADDRESS
    ds.AccessionNumber = ACCESSION
    ds.StudyDescription, ds.StationName, ds.ViewName = f"{TYPED} described", TYPED, TYPED
    ds.Manufacturer = ds.ManufacturerModelName = TYPED
    ds.Laterality = TYPED.upper()
    modifier = Dataset()
    modifier.CodeValue, modifier.CodingSchemeDesignator = TYPED, "99X"
    ds.ViewModifierCodeSequence = Sequence([modifier])
    ds.ImageComments = ds.PatientComments = f"{NAME} {BORN}"
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    return ds


def _codings(token: str) -> Iterator[bytes]:
    for text in (token, token.upper(), token.lower()):
        plain = text.encode()
        yield plain
        yield text.encode("utf-16-le")
        yield plain.hex().encode()
        for n_before in range(3):
            whole = base64.b64encode(b"\0" * n_before + plain)
            first = -(-n_before * 8 // 6)  # digits that also hold bits of what stands before
            yield whole[first : (n_before + len(plain)) * 8 // 6]


CODINGS = {
    kind: [coding for token in tokens for coding in _codings(token)]
    for kind, tokens in TOKENS.items()
}


def seen_in(octets: bytes) -> set[str]:
    """Return which kinds of the canary's marks some bytes hold."""
    return {kind for kind, codings in CODINGS.items() if any(each in octets for each in codings)}


def seen_in_files(folder: Path, except_for: frozenset[str] = frozenset()) -> dict[str, set[str]]:
    """Look into every file below a folder; return the kinds seen, by the first name in its path."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in except_for:
            found[path.relative_to(folder).parts[0]] |= seen_in(path.read_bytes())
            found[path.relative_to(folder).parts[0]] |= seen_in(str(path).encode())
    return {name: kinds for name, kinds in found.items() if kinds}


def seen_in_database(path: Path) -> dict[str, set[str]]:
    """Look into every value of every table; return the kinds seen, by `table.column`."""
    found: dict[str, set[str]] = defaultdict(set)
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            rows = database.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - its own name
            columns = [each[0] for each in rows.description]
            for row in rows:
                for column, value in zip(columns, row, strict=True):
                    octets = value if isinstance(value, bytes) else str(value).encode()
                    found[f"{table}.{column}"] |= seen_in(octets)
    return {name: kinds for name, kinds in found.items() if kinds}


def png_texts(png: bytes) -> list[bytes]:
    """Return what a PNG holds beside its pixels: its other chunks' contents."""
    at, texts = 8, []
    while at < len(png):
        size = int.from_bytes(png[at : at + 4], "big")
        if png[at + 4 : at + 8] not in (b"IHDR", b"IDAT", b"IEND"):
            texts.append(png[at + 8 : at + 8 + size])
        at += 12 + size
    return texts
