"""Every language says everything that English says, in its own words."""

import re
from pathlib import Path

import pytest

import sonogate
from sonogate import messages
from sonogate.messages import LANGUAGE, LANGUAGES, Language, choose, written

OTHERS: list[Language] = [language for language in LANGUAGES if language != LANGUAGE]
SAME_EVERYWHERE = {  # words that are no English left behind
    "de": {"page.ok", "page.connection.live", "page.token.label", "page.list_comma"},
    "fr": {"page.ok", "page.image", "page.list_comma"},
    "es": {"page.list_comma", "page.questions.no"},
    "zh": set[str](),
}
SAME_EVERYWHERE_TOO = {"page.full_stop", "page.spoken", "page.reject.by_call"}
ENGLISH = re.compile(r"\b(the|this|image|probe|and|is|not|with|again|cart|gate)\b", re.IGNORECASE)
LOOKS_ENGLISH = {
    "de": {"gate"},  # "das Gate" is what German departments call such a thing
    "fr": {"image"},
    "es": set[str](),
    "zh": set[str](),
}
WEB = Path(sonogate.__file__).parent / "web"


def gaps(sentence: str) -> list[str]:
    """Return what a sentence asks for."""
    return sorted(re.findall(r"\{(\w*)\}", sentence))


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_exactly_the_sentences_of_english(language: Language) -> None:
    """What is missing would be read in English; what is too many is read by nobody."""
    theirs, ours = set(written(language)), set(written(LANGUAGE))

    assert [] == sorted(ours - theirs), f"{language}.toml lacks these"
    assert [] == sorted(theirs - ours), f"{language}.toml has these for nothing"


@pytest.mark.parametrize("language", OTHERS)
def test_a_sentence_has_the_gaps_of_the_english_one(language: Language) -> None:
    """A place, a number or a name that is left out would not be told."""
    theirs, ours = written(language), written(LANGUAGE)
    differ = {
        key: (gaps(ours[key]), gaps(theirs[key]))
        for key in ours.keys() & theirs.keys()
        if gaps(ours[key]) != gaps(theirs[key])
    }

    assert {} == differ


@pytest.mark.parametrize("language", OTHERS)
def test_nothing_is_left_in_english(language: Language) -> None:
    """Neither a whole sentence nor a word of one."""
    theirs, ours = written(language), written(LANGUAGE)
    allowed = SAME_EVERYWHERE[language] | SAME_EVERYWHERE_TOO
    copied = {key for key in ours.keys() & theirs.keys() if ours[key] == theirs[key]}
    mixed = {
        key
        for key, sentence in theirs.items()
        if set(map(str.lower, ENGLISH.findall(re.sub(r"\{\w+\}", "", sentence))))
        - LOOKS_ENGLISH[language]
    }

    assert set() == copied - allowed
    assert set() == mixed


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_counted_has_both_forms(language: Language) -> None:
    """One image, two images; where a language knows no difference, both are there still."""
    keys = written(language)
    counted = {key.removesuffix(".one") for key in keys if key.endswith(".one")}

    assert counted
    assert counted == {key.removesuffix(".other") for key in keys if key.endswith(".other")}


def test_every_word_that_the_page_says_exists_and_is_said() -> None:
    """The page's scripts name keys; a wrong one would break it in front of a patient."""
    script = "\n".join(path.read_text(encoding="utf-8") for path in sorted(WEB.glob("*.js")))
    frame = (WEB / "index.html").read_text(encoding="utf-8")
    keys = {key.removeprefix("page.") for key in written(LANGUAGE) if key.startswith("page.")}
    said = set(re.findall(r"\bsay\((?:\w+ \? )?\"([\w.]+)\"", script))
    said |= set(re.findall(r'data-say(?:-label)?="([\w.]+)"', frame))
    assert not re.search(
        r"(?:const|let|function) (?:say|count)\b",
        script.replace("export function say(", "").replace("export const count", ""),
    )
    counted = set(re.findall(r"\bcount\(\"([\w.]+)\"", script))

    assert len(said) > 40
    assert set() == said - keys
    assert counted == {key.removesuffix(".one") for key in keys if key.endswith(".one")}
    families = set(re.findall(r"[`\"]([\w.]+)\.\$\{", script))
    families |= {key.rpartition(".")[0] for key in re.findall(r"\"([\w.]+)\"", script)}
    unsaid = {
        key
        for key in keys - said
        if f'"{key}"' not in script and not any(key.startswith(f"{one}.") for one in families)
    }
    assert set() == unsaid - {f"closing.closed_by_{how}" for how in ("mpps", "quiet")}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, "fr"),
        ("", "fr"),
        ("de", "de"),
        ("de-CH,de;q=0.9,en;q=0.8", "de"),
        ("it,zh-TW;q=0.7,en;q=0.3", "zh"),
        ("en;q=0.2, es;q=0.9", "es"),
        ("it, pt", "fr"),
        ("*", "fr"),
        ("en;q=0, de;q=0.1", "de"),
        ("den, english", "fr"),
        ("de;q=high, es;q=0.1", "es"),
    ],
)
def test_the_reader_s_wish_chooses_the_language(asked: str | None, expected: str) -> None:
    """By weight, a region counting as its language; else the site's, here French."""
    assert expected == choose(asked, "fr")


def test_a_language_that_lacks_a_sentence_says_it_in_english(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rather one English line than none."""
    whole = written("en")
    monkeypatch.setattr(
        messages, "written", lambda language: whole if language == "en" else {"where.left": "x"}
    )
    messages.catalogue.cache_clear()
    try:
        assert whole["where.right"] == messages.text("where.right", "de")
        assert "x" == messages.text("where.left", "de")
    finally:
        messages.catalogue.cache_clear()
