"""A stored verdict is said anew in the reader's language."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sonogate.domain.job import Outcome
from sonogate.domain.verdict import Override, Ruling, Verdict
from sonogate.judge.policy import Policy
from sonogate.judge.wording import reworded
from sonogate.messages import LANGUAGES, Language, text
from sonogate.settings import JudgeSettings
from tests.service.judge.make import NOW, RECEIVED, examination, frame, judge, refused


def doubtful() -> Verdict:
    """A low that may be a spectrum."""
    answer = examination([frame(1, 10, too_dark=0.6)])
    assert answer.scores is not None
    return judge(replace(answer, scores=replace(answer.scores, doubt="spectral_doppler")))


VERDICTS = {
    "high": judge(examination([frame(1, 90, noisy=0.5)])),
    "finding": judge(examination([frame(1, 20, shadowed=0.7, noisy=0.5)])),
    "band": judge(examination([frame(1, 20)])),
    "doubt": doubtful(),
    "unscorable": judge(refused(Outcome.UNSCORABLE, "undecodable", "JPEG 2000 is broken.")),
    "not_applicable": judge(refused(Outcome.NOT_APPLICABLE, "report_page")),
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", VERDICTS)
def test_every_sentence_is_as_if_made_in_that_language_and_no_code_changes(
    name: str, language: Language
) -> None:
    """English stored, then read: the same as judged in the reader's language; and back."""
    stored = VERDICTS[name]
    read = reworded(stored, language)

    said = [read.reason, read.action, *(each.label for each in read.findings)]
    assert (language == "en") == (
        said == [stored.reason, stored.action, *(each.label for each in stored.findings)]
    )
    assert stored == reworded(read, "en")
    spoken = {"reason", "action", "findings", "doubt"}
    assert read.model_dump(exclude=spoken) == stored.model_dump(exclude=spoken)


def test_a_site_s_own_language_is_what_is_stored() -> None:
    """Judged in German it reads as the English one read in German."""
    german = Policy.from_settings(75, 45, JudgeSettings(), "de")
    answer = examination([frame(1, 20, shadowed=0.7, noisy=0.5)])

    stored = german.judge(answer, RECEIVED, NOW)

    assert stored == reworded(VERDICTS["finding"], "de")
    assert stored.policy_version == VERDICTS["finding"].policy_version


def test_what_the_reader_found_stays_behind_the_sentence() -> None:
    """Technicians read it; it is no sentence for a sonographer."""
    read = reworded(VERDICTS["unscorable"], "de")

    assert f"{text('reason.undecodable', 'de')} (JPEG 2000 is broken)" == read.reason


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (text("page.because.trace", "zh"), text("page.because.trace", "de")),
        ("Dr. Weiß kennt den Fall", "Dr. Weiß kennt den Fall"),
    ],
)
def test_a_picked_reason_is_translated_and_a_typed_one_never(reason: str, expected: str) -> None:
    """Both as the override's reason and where it is the verdict's."""
    override = Override(band=Ruling.NOT_APPLICABLE, reason=reason, by="ab", at=datetime.now(UTC))
    read = reworded(VERDICTS["band"].told(override), "de")

    assert read.override is not None
    assert [expected, expected, None] == [read.override.reason, read.reason, read.action]


def test_a_settled_doubt_speaks_of_the_image_in_the_reader_s_language() -> None:
    """The words that were kept for then."""
    override = Override(band=Ruling.LOW, reason="x", by="ab", at=datetime.now(UTC))
    read = reworded(VERDICTS["doubt"].told(override), "fr")

    assert text("finding.too_dark.sentence", "fr") == read.reason
    assert text("finding.too_dark.action", "fr") == read.action


@pytest.mark.parametrize("code", [None, "finding.of_a_later_release", "reason.unheard_of"])
def test_a_verdict_without_known_codes_stays_as_it_was_written(code: str | None) -> None:
    """Of an earlier release, or of a later one before a way back."""
    stored = VERDICTS["finding"].model_copy(
        update={"reason_code": code, "reason": "Said long ago", "findings": []}
    )

    assert stored == reworded(stored, "de")
