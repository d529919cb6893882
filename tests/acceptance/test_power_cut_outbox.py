"""What was told and made is told and made once, at whatever moment the power is cut.

A gate that judges, tells a webhook receiver, and makes reports for an archive is recorded. The
receiver stands outside: it keeps what it was told before the cut, and is asked again by the gate
that starts on what the disk kept. Its log and the archive's files are counted, no table of ours.
"""

import asyncio
import os
import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import UltrasoundImageStorage

from sonogate.act.forward.book import ForwardBook
from sonogate.settings import (
    DestinationSettings,
    ForwardSettings,
    HttpSettings,
    ListenerSettings,
    ResultsSettings,
    ScoringSettings,
    Settings,
    SpoolSettings,
    WebhookSettings,
)
from sonogate.testing import Gate, make_instance, running_gate
from tests.acceptance.cart import Cart
from tests.acceptance.killing import wait_while_it_falls
from tests.acceptance.power_cut.disk import Entry, read_record
from tests.acceptance.power_cut.recording import RECORD, acknowledged, cutting, recorded
from tests.acceptance.power_cut.syncs import OF_SQLITE, SYNCS, Sync, Whim, label, without
from tests.acceptance.receiver import (
    Receiver,
    Request,
    effects,
    keys_of_many_bodies,
    receiving,
)
from tests.acceptance.serving import Served
from tests.acceptance.test_kill_results import ask

N_STUDIES, OF_EACH = 2, 6
ARCHIVE = "archive"
PATIENCE_SECONDS = 60.0
MODEL = "dct-manifold/1.0.0"
TOML = """
[scoring]
model = "{model}"
workers = 1
[results]
enabled = true
delay_seconds = 0.05
[[webhooks]]
url = "http://127.0.0.1:{port}/hook"
events = ["verdict"]
[[forward.destinations]]
name = "files"
kind = "folder"
folder = "{folder}"
results = true
"""

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


@dataclass
class Recording:
    """What a gate did to its disk and to others; times are lengths of the record."""

    data_dir: Path
    receiver: Receiver
    entries: list[Entry] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    closed_at: dict[str, int] = field(default_factory=dict)  #: when a close was answered, by study

    def cut_after(self, at: int) -> int:
        """Return the cut point right after a time."""
        return bisect_right([entry.end for entry in self.entries], at)


@pytest.fixture(scope="module")
def recording(
    tmp_path_factory: pytest.TempPathFactory, need_tool: Callable[[str], str]
) -> Iterator[Recording]:
    """Push, tell, close and report, every disk call recorded."""
    folder = tmp_path_factory.mktemp("power-cut-outbox")
    record = folder / RECORD

    def now() -> int:
        return record.stat().st_size

    compiler = need_tool("gcc")
    with receiving(folder / "receiver.log", clock=now) as receiver:
        archive = folder / "data" / ARCHIVE
        toml = TOML.format(model=MODEL, port=receiver.port, folder=archive)
        served = recorded(compiler, folder, toml)
        archive.mkdir()
        done = Recording(served.data_dir, receiver)
        served.start()
        try:
            studies = push(served)
            n_objects = len(studies) * OF_EACH
            wait_while_it_falls(lambda: n_objects - len(effects(receiver.requests())))
            for uid in studies:
                ask(served, "POST", f"/v1/studies/{uid}/close")
                done.closed_at[uid] = now()
            wait_while_it_falls(lambda: n_objects + N_STUDIES - len(list(archive.rglob("*.dcm"))))
        finally:
            served.stop()
        receiver.clock = lambda: 0
        done.entries, done.requests = read_record(record), receiver.requests()
        yield done


def push(served: Served) -> list[str]:
    """Push a few studies; return their UIDs."""
    studies = []
    for number in range(N_STUDIES):
        exam = [make_instance(seed=10 * number, height=64, width=64)]
        studies.append(str(exam[0].StudyInstanceUID))
        exam += [
            make_instance(seed=10 * number + more, height=64, width=64, study_uid=studies[-1])
            for more in range(1, OF_EACH)
        ]
        assert Cart(served.dicom_port).push(exam)
    return studies


def settings_on(folder: Path, port: int) -> Settings:
    """The recorded gate's settings on a rebuilt disk."""
    return Settings(
        data_dir=folder,
        listener=ListenerSettings(port=0),
        http=HttpSettings(port=0),
        spool=SpoolSettings(min_free_bytes=1),
        scoring=ScoringSettings(workers=1, model=MODEL),
        results=ResultsSettings(enabled=True, delay_seconds=0.05),
        webhooks=(WebhookSettings(url=f"http://127.0.0.1:{port}/hook", events=("verdict",)),),
        forward=ForwardSettings(
            destinations=(
                DestinationSettings(
                    name="files", kind="folder", folder=folder / ARCHIVE, results=True
                ),
            )
        ),
    )


async def n_open(gate: Gate) -> int:
    """Count what is not judged, reported, told or passed on yet, in the order of the flow."""
    late, book = datetime.now(UTC) + timedelta(days=1), ForwardBook(gate.database, gate.forwarder)
    n = (await gate.studies.queue()).n_objects
    n += len(await gate.database.read(lambda tx: tx.results.due(late, 10)))
    n += (await gate.database.read(lambda tx: tx.deliveries.backlog()))[0]
    return n + sum(each.owed for each in await book.destinations())


async def wrong_after(recording: Recording, folder: Path, cut: int) -> list[str]:
    """Let a gate finish what a cut left; return what is lost, torn or there twice."""
    receiver, at = recording.receiver, recording.entries[cut - 1].end
    n_before = len(receiver.requests())
    async with running_gate(settings_on(folder, receiver.port)) as gate:
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while await n_open(gate):  # noqa: ASYNC110 - the gate tells nobody that it is done
                    await asyncio.sleep(0.05)
    told_anew = receiver.requests()[n_before:]
    acks = [uid for index, uid in acknowledged(recording.entries) if index < cut]
    closed = [uid for uid, closed_at in recording.closed_at.items() if closed_at <= at]
    surely = [each for each in recording.requests if each.at < at]
    maybe = [each for each in recording.requests if each.at == at]
    return [
        *wrong_effects(acks, surely + told_anew, surely + maybe + told_anew),
        *wrong_files(acks, closed, folder / ARCHIVE),
    ]


def wrong_effects(
    acks: Sequence[str], surely: list[Request], at_most: list[Request]
) -> Iterator[str]:
    """Yield what the receiver lacks, and what took effect twice or came with two bodies."""
    yield from (f"untold: {uid}" for uid in set(acks) - set(effects(surely)))
    yield from (f"{n} effects of {uid}" for uid, n in effects(at_most).items() if n > 1)
    yield from (f"two bodies of {key}" for key in keys_of_many_bodies(at_most))


def wrong_files(acks: Sequence[str], closed: Sequence[str], archive: Path) -> Iterator[str]:
    """Yield images and reports that the archive lacks, has torn, or has twice."""
    images: Counter[str] = Counter()
    reports: Counter[str] = Counter()
    for path in archive.rglob("*.dcm"):
        try:
            ds = dcmread(path)
            is_image = ds.SOPClassUID == UltrasoundImageStorage
            whole = len(ds.PixelData) == 64 * 64 if is_image else len(ds.ContentSequence) > 0
        except Exception as error:  # noqa: BLE001 - boundary: a torn file may make it raise anything
            yield f"torn: {type(error).__name__}"
            continue
        if not whole:
            yield "torn"
        (images if is_image else reports)[
            str(ds.SOPInstanceUID if is_image else ds.StudyInstanceUID)
        ] += 1
    yield from (f"not archived: {uid}" for uid in set(acks) - set(images))
    yield from (f"no report of {uid}" for uid in set(closed) - set(reports))
    yield from (f"{n} files of {uid}" for uid, n in (images + reports).items() if n > 1)


async def faults(recording: Recording, cuts: Sequence[int], target: Path, whim: Whim) -> list[str]:
    """Cut the power at these points until something is wrong afterwards; return what."""
    data_dir, entries = recording.data_dir, recording.entries
    for cut in cutting(data_dir, entries, cuts, target, whim=whim, given=[ARCHIVE]):
        if wrong := await wrong_after(recording, target, cut):
            return wrong
    return []


def outbox_cuts(recording: Recording, n_cuts: int) -> list[int]:
    """Choose moments: after what was told, around closes and reports, and anywhere."""
    rng = random.Random(5)
    told = [recording.cut_after(each.at) for each in recording.requests]
    first = acknowledged(recording.entries)[0][0]
    first_close = recording.cut_after(min(recording.closed_at.values()))
    end = len(recording.entries)
    late = [rng.randrange(first_close, end + 1) for _ in range(n_cuts // 3)]
    anywhere = [rng.randrange(first, end + 1) for _ in range(n_cuts - 2 * (n_cuts // 3))]
    return sorted(rng.choices(told, k=n_cuts // 3) + late + anywhere)


def cuts_at_reports(recording: Recording) -> list[int]:
    """Return the moments when a report is known to the database, and not yet to the archive."""
    first_close = recording.cut_after(min(recording.closed_at.values()))
    return [
        number
        for number, each in enumerate(recording.entries)
        if number >= first_close and each.op == "O" and b"/archive/" in each.body + b"/"
        and each.body.endswith(b".part")
    ]  # fmt: skip


async def test_a_power_cut_leaves_one_effect_and_one_report_of_each(
    recording: Recording, tmp_path: Path
) -> None:
    """At every cut point: one effect for each verdict, one file for each image and closed study."""
    n_cuts = int(os.environ.get("SONOGATE_OUTBOX_CUTS", "4"))
    cuts = outbox_cuts(recording, n_cuts)

    assert N_STUDIES * OF_EACH == len(acknowledged(recording.entries))
    assert N_STUDIES == len(cuts_at_reports(recording))
    assert [] == await faults(recording, cuts, tmp_path / "rebuilt", Whim())
    print(f"{len(cuts)} cut points, one effect and one report of each")  # noqa: T201


SHOWN = [
    pytest.param(sync, id=label(sync), marks=[] if sync.is_quick else [pytest.mark.proof])
    for sync in SYNCS
    if sync.shown_by == "outbox"
]


@pytest.mark.parametrize("sync", SHOWN)
async def test_a_forgotten_fsync_of_a_report_is_noticed(
    recording: Recording, tmp_path: Path, sync: Sync
) -> None:
    """The same proof fails when the syncs of one place in the code are swallowed."""
    cuts = cuts_at_reports(recording)

    assert await faults(recording, cuts, tmp_path / "rebuilt", without(sync))


async def test_a_forgotten_log_of_the_database_is_noticed(
    recording: Recording, tmp_path: Path
) -> None:
    """What was told is in the database alone: without its log each verdict takes effect twice."""
    cuts = [recording.cut_after(max(each.at for each in recording.requests))]
    whim = Whim(forgotten="*-wal", place=OF_SQLITE)

    wrong = await faults(recording, cuts, tmp_path / "rebuilt", whim)

    assert [each for each in wrong if each.startswith("2 effects")]
