"""Where a patient's name is after a day with one, and where it is not, whatever goes wrong.

Item 6 of issue 4. Two lives and a start of a real gate (`sonogate serve`, debug log), with crashes
that only a process of its own can have: some twenty seconds, once. All claims are about what they
left behind.
"""

import asyncio
import os
import re
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance.canary import png_texts, seen_in, seen_in_files
from tests.acceptance.patient_day import PatientDay
from tests.acceptance.patient_lives import (
    FAULTS,
    TOML,
    Left,
    database_files,
    listening,
    live,
    slow_over,
)
from tests.acceptance.serving import Served
from tests.integration.forwarding import archive
from tests.ports import free_port

pytestmark = [
    pytest.mark.integration,
    pytest.mark.acceptance,
    pytest.mark.slow,
    pytest.mark.timeout(300),
]
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "patient-data.md"


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    """Live twice and die of it twice; look at everything that stayed."""
    folder, faults = tmp_path_factory.mktemp("patient"), tmp_path_factory.mktemp("faults")
    (faults / "sitecustomize.py").write_text(FAULTS)
    (folder / "tmp").mkdir()
    environment = {
        "PYTHONPATH": os.pathsep.join((str(faults), os.environ.get("PYTHONPATH", ""))),
        "TMPDIR": str(folder / "tmp"),
        "HOME": str(folder),
    }
    served = Served(folder, environment=environment)
    with ExitStack() as stack:
        ear = stack.enter_context(listening())
        day, over = PatientDay(served), threading.Event()
        pacs = stack.enter_context(archive(answer=slow_over(day, over)))
        stack.callback(over.set)
        served.extra_toml = TOML.format(ear=ear.server_port, dead=free_port(), pacs=pacs.port)
        stack.callback(served.stop)
        return asyncio.run(live(day, ear))


def declared() -> dict[str, set[str]]:
    """Read the places and what they hold off the page."""
    rows = re.findall(r"^\| `([\w./]+)` \| ([^|]+) \|", PAGE.read_text(), re.MULTILINE)
    return {place.rstrip("/"): {each.strip() for each in kinds.split(",")} for place, kinds in rows}


def test_the_day_was_as_bad_as_it_was_meant(left: Left) -> None:
    """A worker and the gate crashed, errors were told by type, refusals were answered."""
    log = (left.folder / "gate.log").read_text()
    statuses = {status for _what, status, _all in left.day.answers}

    for event in (
        "crashed",
        "thread crashed",
        "warning withheld",
        "library message withheld",
        "worker broke",
        "judging failed",
        "http_request_failed",
        "delivery failed",
        "forwarding failed",
        "mpps_server_failed",
        "protocol_violated",
    ):
        assert f'"event": "{event}"' in log, event
    assert {200, 404, 422, 500} <= statuses


def test_nothing_but_the_data_folder_holds_anything(left: Left) -> None:
    """Neither log, at its lowest level, nor temporary file, nor core; nor any file's name."""
    places = seen_in_files(left.folder, except_for=database_files())

    assert {"data"} == set(places)
    assert [] == list((left.folder / "tmp").iterdir())
    assert {("0", "0")} == set(left.core_limits)
    assert not [path for path in left.folder.rglob("*core*") if path.is_file()]


def test_no_metric_no_address_and_no_error_repeats_it(left: Left) -> None:
    """What Prometheus is shown, what the gate calls, what it answers to wrong requests."""
    refused = [each for each in left.day.answers if each[1] >= 400]

    assert set() == seen_in(left.metrics)
    assert 'exam_type="other"' in left.metrics.decode()
    assert left.heard
    assert [] == [line for line in left.heard if seen_in(line.encode())]
    assert [] == [what for what, _status, whole in refused if seen_in(whole)]
    assert [] == [each for each in left.day.comments if seen_in(each.encode())]


def test_no_answer_but_a_result_names_the_patient(left: Left) -> None:
    """Lists, studies, verdicts and pictures are without name, id and birth date."""
    assert [] == [what for what, _status, whole in left.day.answers if "patient" in seen_in(whole)]
    for png in left.day.pngs:
        assert set() == seen_in(png)
        assert all(re.fullmatch(rb"sonogate-region\0[\d,]+", text) for text in png_texts(png))


@pytest.mark.parametrize("form", ["json", "dicom"])
def test_an_export_holds_the_accession_number_in_its_field_alone(left: Left, form: str) -> None:
    """It is taken out of the field declared to hold it; then nothing is left."""
    said = left.exported[form]
    field = {"json": r'"accession_number": "[^"]*"', "dicom": r'<Accession Number="[^"]*"'}[form]

    bare, n_fields = re.subn(field, "", said)

    assert n_fields > 3
    assert {"accession number"} == seen_in(said.encode())
    assert set() == seen_in(bare.encode())


def test_the_page_names_every_place_and_no_other(left: Left) -> None:
    """Each folder and each column of the database, with what it may hold."""
    assert declared() == left.files | left.columns


def test_what_was_under_way_is_gone_after_a_start(left: Left) -> None:
    """Uploads and objects decoded to be sent do not outlive the crash by more than a start."""
    assert {"uploads", "outgoing"} <= set(left.files)
    assert {"uploads", "outgoing"}.isdisjoint(left.files_at_last)
