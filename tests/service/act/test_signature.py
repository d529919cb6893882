"""The signature lets a receiver refuse what is forged, changed, replayed or stale."""

import re
import time
from pathlib import Path
from typing import Any

import pytest

from sonogate.act.signature import TOLERANCE_SECONDS, is_genuine, sign

SECRET = "a shared secret"  # noqa: S105 - of the test alone
KEY = "01JABCDEFGHJKMNPQRSTVWXYZ0"
BODY = b'{"id":1}'
AT = 1_790_000_000


def test_it_equals_what_openssl_says() -> None:
    """Its `dgst -sha256 -hmac` over 1790000000.01JABCDEFGHJKMNPQRSTVWXYZ0.{"id":1} is this."""
    digest = "dedb495eb2ed2077a2129aad4febd89fd1f307d987d9ed194bb5448cb8716eae"

    assert f"t=1790000000,v1={digest}" == sign(SECRET, KEY, BODY, AT)


@pytest.mark.parametrize(
    ("secret", "key", "body"),
    [
        ("another secret", KEY, BODY),
        (SECRET, "01JABCDEFGHJKMNPQRSTVWXYZ1", BODY),
        (SECRET, KEY, b'{"id":2}'),
    ],
)
def test_what_was_forged_or_changed_is_refused(secret: str, key: str, body: bytes) -> None:
    """The key is signed as well: a replay under a fresh key would count twice."""
    value = sign(SECRET, KEY, BODY, AT)

    assert is_genuine(value, SECRET, KEY, BODY, AT)
    assert not is_genuine(value, secret, key, body, AT)


@pytest.mark.parametrize("age", [-TOLERANCE_SECONDS - 1, TOLERANCE_SECONDS + 1])
def test_what_is_stale_is_refused(age: int) -> None:
    """A captured request is of no use later."""
    assert not is_genuine(sign(SECRET, KEY, BODY, AT), SECRET, KEY, BODY, AT + age)


@pytest.mark.parametrize(
    "value", ["", "t=,v1=", "t=x,v1=y", "v1=00", "t=²,v1=00", "t=1,v1=é", ",,="]
)
def test_a_malformed_header_is_refused_without_an_error(value: str) -> None:
    """The header comes from outside."""
    assert not is_genuine(value, SECRET, KEY, BODY, AT)


@pytest.mark.docs
def test_the_documented_check_takes_ours_and_nothing_else() -> None:
    """What a receiver copies from docs/reference/webhooks.md works."""
    page = Path(__file__).resolve().parents[3] / "docs" / "reference" / "webhooks.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - our own page
    check = names["is_from_the_gate"]
    now = int(time.time())
    headers = {"Idempotency-Key": KEY, "Sonogate-Signature": sign(SECRET, KEY, BODY, now)}
    stale = headers | {"Sonogate-Signature": sign(SECRET, KEY, BODY, now - 301)}

    assert check(headers, BODY, SECRET) is True
    assert check(headers, BODY + b" ", SECRET) is False
    assert check(headers | {"Idempotency-Key": "X"}, BODY, SECRET) is False
    assert check(stale, BODY, SECRET) is False
