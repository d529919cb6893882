"""Whom the adviser was asked about, and which calibration holds, whenever the power is cut.

A gate that asks an adviser is recorded, then the commands that apply, replace and revoke a
calibration. The adviser stands outside: what it was sent before a cut must stand in the database
that the disk kept, claimed and in the trail; what was said or answered before it must be there too.
"""

import json
import os
import random
import subprocess
import sys
import urllib.error
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from sonogate.domain.calibration import id_of
from sonogate.settings import Settings
from sonogate.store.database import Database
from sonogate.store.transaction import Transaction
from sonogate.testing import make_instance, speckle
from tests.acceptance.cart import Cart
from tests.acceptance.killing import wait_while_it_falls
from tests.acceptance.power_cut.disk import Entry, read_record
from tests.acceptance.power_cut.recording import RECORD, acknowledged, cutting, recorded
from tests.acceptance.power_cut.syncs import OF_SQLITE, Whim
from tests.acceptance.serving import Served
from tests.advice_server import GOOD, AdviceServer, Handler, says
from tests.service.calibrating.make import calibration

N_IMAGES = 4
TOML = """
[scoring]
workers = 1
model = "dct-manifold/1.0.0"
[advice]
enabled = true
url = "{url}"
model = "tiny"
"""
CHANGE = """
import sys
from pathlib import Path
from sonogate.calibrating import book
from sonogate.domain.calibration import id_of, parse
from sonogate.settings import Settings
what, folder, content = sys.argv[1:]
work = book.apply(content, parse(content), "physicist")
if what == "revoke":
    work = book.revoke(id_of(content), "physicist")
book.write(Settings(data_dir=Path(folder)), work)
"""
"""What `sonogate calibrate apply` and `revoke` write, without their tables of grades."""


def as_toml(value: Any) -> str:
    """Write a value as TOML, tables in one line."""
    if isinstance(value, dict):
        inside = (f"{key} = {as_toml(each)}" for key, each in value.items() if each is not None)
        return f"{{ {', '.join(inside)} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(as_toml, value))}]"
    return json.dumps(value)


def file_of(high_from: float) -> str:
    """Write a calibration's file."""
    made = calibration(bands={"high_from": high_from, "medium_from": 45})
    return "".join(
        f"{key} = {as_toml(each)}\n" for key, each in made.model_dump(mode="json").items() if each
    )


FIRST, SECOND = file_of(75), file_of(80)
CHANGES = (("apply", FIRST), ("apply", SECOND), ("revoke", SECOND))

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


@dataclass
class Recording:
    """What was done to the disk and told to others; times are lengths of the record."""

    data_dir: Path
    entries: list[Entry] = field(default_factory=list)
    asked_at: list[int] = field(default_factory=list)  #: pictures that reached the adviser
    given_at: dict[str, int] = field(default_factory=dict)  #: advice that was shown, by image
    changed_at: list[int] = field(default_factory=list)  #: changes that were answered

    def cut_after(self, at: int) -> int:
        """Return the cut point right after a time."""
        return bisect_right([entry.end for entry in self.entries], at)


@pytest.fixture(scope="module")
def recording(
    tmp_path_factory: pytest.TempPathFactory, need_tool: Callable[[str], str]
) -> Recording:
    """Push, be advised, end; apply, replace and revoke: every disk call recorded."""
    folder = tmp_path_factory.mktemp("power-cut-rows")
    record = folder / RECORD
    with AdviceServer() as server:
        served = recorded(need_tool("gcc"), folder, TOML.format(url=server.url))
        done = Recording(served.data_dir)

        def note(handler: Handler) -> None:
            done.asked_at.append(record.stat().st_size)
            says(GOOD)(handler)

        server.act = note
        served.start()
        try:
            images = [weak(seed) for seed in range(N_IMAGES)]
            assert Cart(served.dicom_port).push(images)
            uids = [str(each.SOPInstanceUID) for each in images]
            wait_while_it_falls(lambda: n_unadvised(served, uids, done, record))
        finally:
            served.stop()
    for what, content in CHANGES:
        subprocess.run(
            (sys.executable, "-c", CHANGE, what, str(served.data_dir), content),
            env=os.environ | dict(served.environment),
            check=True,
        )
        done.changed_at.append(record.stat().st_size)
    done.entries = read_record(record)
    return done


def weak(seed: int) -> Dataset:
    """Make an image that is dark on the left, so that the adviser is asked about it."""
    ds = make_instance(seed=seed)
    grey = speckle(240, 320, seed)
    grey[:, :160] //= 16
    ds.PixelData = grey.tobytes()
    return ds


def n_unadvised(served: Served, uids: Sequence[str], done: Recording, record: Path) -> int:
    """Look which images have their advice, and note since when it is shown."""
    for uid in set(uids) - set(done.given_at):
        with suppress(urllib.error.HTTPError):  # not entered yet
            if served.get(f"/v1/instances/{uid}/advice")["advice"]:
                done.given_at[uid] = record.stat().st_size
    return len(uids) - len(done.given_at)


@dataclass(frozen=True)
class Kept:
    """What a database holds."""

    actions: Counter[str]
    asked_about: int
    given: frozenset[str]
    history: tuple[tuple[str, bool], ...]  #: calibrations and whether they ended, in their order


async def kept_on(folder: Path, uids: Sequence[str]) -> Kept:
    """Open the database that a cut left, as a gate does, and read it."""
    database = Database(Settings(data_dir=folder).database_url)
    await database.open()
    try:
        return await database.read(lambda tx: look(tx, uids))
    finally:
        await database.close()


def look(tx: Transaction, uids: Sequence[str]) -> Kept:
    """Read the rows."""
    found = {uid: tx.objects.current(uid) for uid in uids}
    known = {
        uid: tx.advices.get(str(each.received.object_id)) for uid, each in found.items() if each
    }
    rows = {uid: advice for uid, advice in known.items() if advice is not None}
    return Kept(
        actions=Counter(entry.action for entry in tx.audit.all()),
        asked_about=len(rows),
        given=frozenset(uid for uid, advice in rows.items() if advice.advice is not None),
        history=tuple(
            (each.calibration, each.ended_at is not None) for each in tx.calibrations.all()
        ),
    )


def wrong_with(kept: Kept, recording: Recording, at: int) -> Iterator[str]:
    """Yield what is missing, or told by one table and not by the other."""
    n_asked = sum(each <= at for each in recording.asked_at)
    given = {uid for uid, shown_at in recording.given_at.items() if shown_at <= at}
    n_noted, n_changed = kept.actions["advise"], sum(each <= at for each in recording.changed_at)
    if n_noted < n_asked:
        yield f"{n_asked} pictures went out, the trail has {n_noted}"
    if n_noted != kept.asked_about:
        yield f"the trail has {n_noted} pictures, {kept.asked_about} images are claimed"
    yield from (f"advice is gone: {uid}" for uid in given - kept.given)
    n_applied, n_ended = len(kept.history), kept.actions["revoke_calibration"]
    if n_applied != kept.actions["apply_calibration"] or n_ended != (kept.history == HISTORIES[-1]):
        yield "the trail and the calibrations differ"
    if kept.history not in HISTORIES[n_changed : n_changed + 2]:
        yield f"after {n_changed} changes the calibrations are {kept.history}"


A, B = id_of(FIRST), id_of(SECOND)
HISTORIES = ((), ((A, False),), ((A, True), (B, False)), ((A, True), (B, True)))
"""What may stand after each change: a cut may come before its answer."""


async def faults(recording: Recording, cuts: Sequence[int], target: Path, whim: Whim) -> list[str]:
    """Cut the power at these points until something is wrong afterwards; return what."""
    for cut in cutting(recording.data_dir, recording.entries, cuts, target, whim=whim):
        kept = await kept_on(target, list(recording.given_at))
        if wrong := list(wrong_with(kept, recording, recording.entries[cut - 1].end)):
            return wrong
    return []


def moments(recording: Recording, n_anywhere: int) -> list[int]:
    """Choose cuts: as a picture arrives, as advice is shown, as a change is answered, anywhere."""
    told = [*recording.asked_at, *recording.given_at.values(), *recording.changed_at]
    first, end = acknowledged(recording.entries)[0][0], len(recording.entries)
    rng = random.Random(3)
    anywhere = [rng.randrange(first, end + 1) for _ in range(n_anywhere)]
    before = [recording.cut_after(each) - 1 for each in recording.changed_at]
    return sorted([recording.cut_after(each) for each in told] + before + anywhere)


async def test_a_power_cut_forgets_no_picture_that_went_out_and_no_calibration(
    recording: Recording, tmp_path: Path
) -> None:
    """At every cut point the claims, the trail, the advice and the calibrations agree."""
    cuts = moments(recording, int(os.environ.get("SONOGATE_ROW_CUTS", "8")))

    assert N_IMAGES == len(recording.asked_at) == len(recording.given_at)
    assert [] == await faults(recording, cuts, tmp_path / "rebuilt", Whim())
    print(f"{len(cuts)} cut points, each picture and calibration known")  # noqa: T201


@pytest.mark.parametrize("what", ["asked_at", "changed_at"])
async def test_a_forgotten_log_of_the_database_is_noticed(
    recording: Recording, tmp_path: Path, what: str
) -> None:
    """Without its log the database forgets a picture that went out, or what was applied."""
    cuts = [recording.cut_after(max(getattr(recording, what)))]
    whim = Whim(forgotten="sonogate.db*", place=OF_SQLITE)

    assert await faults(recording, cuts, tmp_path / "rebuilt", whim)
