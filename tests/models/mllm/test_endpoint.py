"""A model behind a server: both ways to log-probabilities, and what goes wrong on the way."""

import math

import numpy as np
import pytest

from sonoquality.arrays import Luma
from sonoquality.mllm.chat import Chat
from sonoquality.mllm.endpoint import FIRST_TOKEN, FORCED, EndpointMultimodal
from sonoquality.mllm.port import MultimodalError, turns
from tests.models.mllm.chat_server import KEY, Behaviour, logprob, serve

pytestmark = pytest.mark.integration

PROMPT = "Rate it: high, medium or low.\nThe quality is"
BANDS = (" high", " medium", " low")
BRIGHT: Luma = np.full((20, 30), 204, np.uint8)


def model(url: str, **more: object) -> EndpointMultimodal:
    """A model that is asked without patience."""
    chat = {"url": url, "model": "echo", "first_wait_seconds": 0.01, **more}
    return EndpointMultimodal(Chat(**chat))  # type: ignore[arg-type]


def test_a_given_answer_is_scored_token_by_token() -> None:
    """The mean over a candidate's own tokens: ` medium` has two, and none is the prompt's."""
    behaviour = Behaviour()
    with serve(behaviour) as url:
        asked = model(url)
        found = asked.logprobs([BRIGHT], PROMPT, BANDS)

    assert [logprob(word, 0.8) for word in ("high", "mediu", "low")] == pytest.approx(found)
    assert FORCED == asked.way
    assert all(each["continue_final_message"] for each in behaviour.asked)
    assert not any(each["add_generation_prompt"] for each in behaviour.asked)
    said = [each["messages"][1]["content"] for each in behaviour.asked]
    assert ["The quality is", *(f"The quality is{band}" for band in BANDS)] == said


def test_the_opening_is_counted_once_for_pictures_of_a_size() -> None:
    """Three candidates are three calls from then on; another size is counted anew."""
    behaviour = Behaviour()
    with serve(behaviour) as url:
        asked = model(url)
        for image, n_calls in ((BRIGHT, 4), (BRIGHT // 2, 7), (BRIGHT[:10], 11)):
            asked.logprobs([image], PROMPT, BANDS)
            assert n_calls == len(behaviour.asked)


def test_a_prompt_without_an_opening_is_scored_too() -> None:
    """The candidate begins the answer, so it is known by its letters."""
    with serve(Behaviour()) as url:
        found = model(url).logprobs([BRIGHT], "High or low?", (" high", " low"))

    assert [logprob("high", 0.8), logprob("low", 0.8)] == pytest.approx(found)


def test_another_server_is_asked_for_its_likeliest_words() -> None:
    """What is not listed has at most the least that is; the way is told."""
    behaviour = Behaviour(scores_prompts=False, continues=False)
    with serve(behaviour) as url:
        asked = model(url)
        found = asked.logprobs([BRIGHT], PROMPT, BANDS)
        again = asked.logprobs([BRIGHT], PROMPT, BANDS)

    assert [logprob("high", 0.8), logprob("low", 0.8)] == pytest.approx([found[0], found[2]])
    assert logprob("low", 0.8) == pytest.approx(found[1])
    assert found == again
    assert FIRST_TOKEN == asked.way
    assert 4 == len(behaviour.asked), "each refused form is tried once"


def test_words_that_are_not_listed_have_no_chance_of_their_own() -> None:
    """All missing: no answer, rather than a fair-looking tie."""
    with serve(Behaviour(scores_prompts=False)) as url:
        found = model(url).logprobs([BRIGHT], PROMPT, (" red", " green"))

    assert all(math.isnan(value) for value in found)


def test_a_token_that_begins_two_candidates_tells_neither() -> None:
    """`high` could go on as `highest`; what is left to tell them apart is nothing."""
    with serve(Behaviour(scores_prompts=False)) as url:
        found = model(url).logprobs([BRIGHT], PROMPT, (" high", " highest"))

    assert all(math.isnan(value) for value in found)


def test_a_server_without_log_probabilities_is_refused_with_the_remedy() -> None:
    """Nothing is made up."""
    behaviour = Behaviour(scores_prompts=False, gives_logprobs=False)
    with serve(behaviour) as url, pytest.raises(MultimodalError, match="serve the model with vLLM"):
        model(url).logprobs([BRIGHT], PROMPT, BANDS)


def test_pictures_come_in_order_before_the_text() -> None:
    """The server prefers A for a bright first picture."""
    dark = np.full((20, 30), 51, np.uint8)
    with serve(Behaviour()) as url:
        asked = model(url)
        first, second = (
            asked.logprobs(both, "Which?\nThe answer is", (" A", " B"))
            for both in ([BRIGHT, dark], [dark, BRIGHT])
        )

    assert first[0] > first[1]
    assert second[0] < second[1]


def test_what_passes_is_tried_again_and_what_stays_is_not() -> None:
    """Two refusals of a busy server cost nothing; after four tries it is said."""
    with serve(Behaviour(failures=2)) as url:
        assert "The quality is high." == model(url).generate([BRIGHT], PROMPT, 8)
    behaviour = Behaviour(failures=99)
    with (
        serve(behaviour) as url,
        pytest.raises(MultimodalError, match="failed 4 times: status 503"),
    ):
        model(url).generate([BRIGHT], PROMPT, 8)
    assert 4 == len(behaviour.asked)


def test_a_silent_server_is_left() -> None:
    """The message names the option."""
    with serve(Behaviour(slow_seconds=1.0)) as url:
        asked = model(url, timeout_seconds=0.1, n_tries=2)
        with pytest.raises(MultimodalError, match=r"no answer within 0.1 s \(--timeout-seconds\)"):
            asked.generate([BRIGHT], PROMPT, 8)


def test_a_server_that_is_down_is_said_to_be() -> None:
    """Not with a traceback."""
    with serve(Behaviour()) as url:
        pass
    with pytest.raises(MultimodalError, match="is the server up"):
        model(url, n_tries=2).generate([BRIGHT], PROMPT, 8)


def test_the_key_is_sent_and_never_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It comes from the variable of that name; without it the message names the variable."""
    behaviour = Behaviour(asks_for_key=True)
    with serve(behaviour) as url:
        asked = model(url, key_variable="BENCH_KEY")
        with pytest.raises(MultimodalError, match="BENCH_KEY") as refused:
            asked.generate([BRIGHT], PROMPT, 8)
        monkeypatch.setenv("BENCH_KEY", "a-wrong-key")
        with pytest.raises(MultimodalError, match="BENCH_KEY") as wrong:
            asked.generate([BRIGHT], PROMPT, 8)
        monkeypatch.setenv("BENCH_KEY", KEY)
        asked.generate([BRIGHT], PROMPT, 8)

    assert ["", "Bearer a-wrong-key", f"Bearer {KEY}"] == behaviour.keys
    said = str(refused.value) + str(wrong.value) + repr(vars(asked)) + "".join(capsys.readouterr())
    assert "a-wrong-key" not in said
    assert KEY not in said


def test_a_wrong_address_and_another_protocol_are_told_apart() -> None:
    """404: the version is missing, or the model's name is wrong; a page isn't an answer."""
    with serve(Behaviour()) as url, pytest.raises(MultimodalError, match="ends with the version"):
        model(url.removesuffix("/v1")).generate([BRIGHT], PROMPT, 8)
    with (
        serve(Behaviour(nonsense=True)) as url,
        pytest.raises(MultimodalError, match="OpenAI-compatible server"),
    ):
        model(url).generate([BRIGHT], PROMPT, 8)


def test_a_prompt_is_parted_at_its_last_line() -> None:
    """What follows begins the answer."""
    assert ("Rate it: high, medium or low.", "The quality is") == turns(PROMPT)
    assert ("One line", "") == turns("One line")
