"""The scribe writes in a process of its own, and a hostile header costs that process alone."""

from pathlib import Path

import pytest

from sonogate.act.results.scribe import ScribeError, write_all
from sonogate.testing import make_instance
from tests.service.act.results.said import low, order, write

pytestmark = [pytest.mark.integration, pytest.mark.slow]  # it loads highdicom anew


async def test_a_scribe_writes_what_this_process_would(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The same bytes; of garbage it says that there is no source; it writes nothing elsewhere."""
    source, garbage = tmp_path / "source.dcm", tmp_path / "garbage"
    make_instance(study_uid="1.2.3").save_as(source, enforce_file_format=True)
    garbage.write_bytes(b"\x08\x00\x05\x00\xff\xff\xff\xff" * 5000)
    good = order("report", source, "1.2.3", low())
    bad = order("advice", garbage, "1.2.3", low())
    answers = await write_all((good, bad), 60)

    assert write(good) == answers[0].written
    assert "no_source" == answers[1].refused
    assert ("", "") == capfd.readouterr()


async def test_a_scribe_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """Its orders may be tried again."""
    with pytest.raises(ScribeError):
        await write_all((order("report", tmp_path / "gone", "1.2.3", low()),), 0.05)
