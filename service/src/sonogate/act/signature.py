"""The signature of a webhook: who sent it, when, and that nothing was changed on the way.

`Sonogate-Signature: t=<unix seconds>,v1=<hex>`, where the hex is HMAC-SHA256 (RFC 2104) with the
webhook's secret over `<t>.<Idempotency-Key>.<body bytes>`. The key is signed too, so that a replay
can't pass for a new delivery.
"""

import hashlib
import hmac

HEADER = "Sonogate-Signature"
KEY_HEADER = "Idempotency-Key"
TOLERANCE_SECONDS = 300
"""A receiver refuses what is older; every attempt is signed afresh."""


def sign(secret: str, key: str, body: bytes, at_seconds: int) -> str:
    """Return the header's value.

    Args:
        secret: The webhook's secret, as in the settings.
        key: The Idempotency-Key header.
        body: The request's body, byte for byte.
        at_seconds: Unix time of the attempt.
    """
    return f"t={at_seconds},v1={_digest(secret, key, body, at_seconds)}"


def is_genuine(value: str, secret: str, key: str, body: bytes, now_seconds: int) -> bool:
    """What a receiver asks: is this header ours, for this very request, and fresh?"""
    at, digest = _parts(value)
    if at is None or abs(now_seconds - at) > TOLERANCE_SECONDS:
        return False
    return hmac.compare_digest(digest, _digest(secret, key, body, at))


def _parts(value: str) -> tuple[int | None, str]:
    fields = dict(field.partition("=")[::2] for field in value.split(","))
    at = fields.get("t", "")
    digest = fields.get("v1", "")
    if not (at.isascii() and at.isdecimal() and digest.isascii()):
        return None, ""
    return int(at), digest


def _digest(secret: str, key: str, body: bytes, at_seconds: int) -> str:
    signed = f"{at_seconds}.{key}.".encode() + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
