"""What an adviser's settings must name before it is switched on."""

import pytest
from pydantic import ValidationError

from sonogate.settings import AdviceSettings


@pytest.mark.parametrize(
    "facts",
    [
        {"url": "http://127.0.0.1:8000/v1"},
        {"model": "tiny"},
        {"kind": "local", "python": "/usr/bin/python3"},
        {"url": "ftp://127.0.0.1", "model": "tiny"},
        {"url": "http://user:secret@127.0.0.1/v1", "model": "tiny"},
        {"url": "http://127.0.0.1/v1", "model": "tiny", "bands": []},
        {"url": "http://127.0.0.1/v1", "model": "tiny", "bands": ["high"]},
        {"url": "http://127.0.0.1/v1", "model": "tiny", "bands": ["low", "low"]},
    ],
)
def test_half_an_adviser_is_none(facts: dict[str, object]) -> None:
    """The gate does not start with it; nothing of the value is repeated."""
    with pytest.raises(ValidationError) as caught:
        AdviceSettings.model_validate({"enabled": True} | facts)

    assert "secret" not in str(caught.value)


def test_it_is_off_by_default_and_its_key_is_not_shown() -> None:
    """Switched off it needs nothing."""
    settings = AdviceSettings.model_validate({"api_key": "s3cret"})

    assert not AdviceSettings().enabled
    assert "s3cret" not in repr(settings)
