"""Whether the settings in force are those of the last start, told without keeping any value.

Of each value only a salted digest is kept. One that may hold a secret is digested slowly (scrypt),
so that the trail is no help in guessing it.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from sonogate.settings import Settings
from sonogate.settings.sources import all_knobs

_MAY_HOLD_SECRETS = frozenset({"store.url"})


def digests_of(settings: Settings, salt: str) -> dict[str, str]:
    """Return a digest of each value in force, by key; slow: some 50 ms for each secret."""
    return {
        knob.key: _digest(knob.key, _value_at(settings, knob.path), salt) for knob in all_knobs()
    }


def new_salt() -> str:
    """Return a salt for digests."""
    return secrets.token_hex(16)


def changed_keys(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the keys whose values differ, with those that came or went."""
    return sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))


def _value_at(settings: Settings, path: tuple[str, ...]) -> Any:
    value: Any = settings
    for name in path:
        value = getattr(value, name, None)
    return value


def _digest(key: str, value: Any, salt: str) -> str:
    said = json.dumps(_plain(value), sort_keys=True, default=str).encode()
    seed = f"{salt}{key}".encode()
    if value and (key in _MAY_HOLD_SECRETS or _is_guarded(value)):
        return hashlib.scrypt(said, salt=seed, n=2**14, r=8, p=1, dklen=8).hex()
    return hashlib.sha256(seed + said).hexdigest()[:16]


def _is_guarded(value: Any) -> bool:
    tables = isinstance(value, tuple) and any(isinstance(item, BaseModel) for item in value)
    return isinstance(value, SecretStr) or tables


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
