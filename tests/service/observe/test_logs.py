"""Logs hold what the catalogue allows and nothing of a patient."""

import errno
import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from sonogate.observe import logs
from sonogate.settings import LogSettings

CANARY = "CANARY^PATIENT^NAME"


@pytest.fixture(autouse=True)
def _restore_structlog() -> Iterator[None]:
    """Leave structlog as other tests expect it."""
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_patient_name_in_a_field_that_is_not_allowed_is_never_written(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The list says what may pass, so a new field is dropped until someone decides on it."""
    logs.configure(LogSettings.model_validate({"form": form}))
    log = logs.get_logger().bind(PatientName=CANARY)

    log.info("instance judged", object_id="01J", patient_name=CANARY, dataset={"name": CANARY})
    log.warning("delivery failed", url=f"https://receiver/{CANARY}", band="low")

    written = capsys.readouterr()
    assert "instance judged" in written.err
    assert "low" in written.err
    assert CANARY not in written.err + written.out


def test_an_exception_s_text_and_traceback_are_never_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Libraries put values of a data set into their messages; a traceback would carry them out."""
    logs.configure(LogSettings())
    try:
        raise ValueError(CANARY)
    except ValueError as error:
        logs.get_logger().exception("reading failed", exception_type=type(error).__name__)

    line = json.loads(capsys.readouterr().err)
    assert {"event": "reading failed", "exception_type": "ValueError"}.items() <= line.items()
    assert CANARY not in str(line)


def test_libraries_that_log_addresses_and_values_are_kept_quiet() -> None:
    """A webhook's address may hold a key, and httpx logs every address at level info."""
    logging.getLogger("httpx").setLevel(logging.DEBUG)

    logs.configure(LogSettings(level="debug"))

    assert all(
        not logging.getLogger(library).isEnabledFor(logging.INFO)
        for library in logs.CHATTY_LIBRARIES
    )


def test_no_allowed_field_names_a_patient_or_an_instance() -> None:
    """UIDs lead back to a patient as surely as a name; our own object id does not."""
    forbidden = ("patient", "name", "birth", "accession", "instance_uid", "study_uid", "url")

    assert {"url_host"} == {
        field for field in logs.ALLOWED_FIELDS if any(word in field for word in forbidden)
    }


class FullDisk:
    """A standard error whose disk is full for so many lines."""

    def __init__(self, n_refused: int) -> None:
        self.n_refused = n_refused
        self.lines: list[str] = []

    def write(self, text: str) -> int:
        """Refuse, or take it."""
        if self.n_refused:
            self.n_refused -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        self.lines.append(text)
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""


def test_a_log_that_can_not_be_written_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever logs is in the middle of an association; how much was lost is said later."""
    disk = FullDisk(n_refused=2)
    monkeypatch.setattr(sys, "stderr", disk)
    logs.configure(LogSettings())
    log = logs.get_logger()
    for event in ("first", "second", "third"):
        log.info(event)

    events = [json.loads(line)["event"] for line in disk.lines]
    assert ["log lines lost", "third"] == events
    assert 2 == json.loads(disk.lines[0])["n_objects"]
