"""What the doctor says of the DICOM door's lock, and whether it gets through it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sonogate.doctor import doors, lock
from sonogate.doctor.check import Level
from sonogate.settings import ListenerSettings
from tests.service.receive.keys import Authority
from tests.service.receive.keys import lock as locked
from tests.service.test_doctor import named, settings_with

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def listener(**settings: object) -> ListenerSettings:
    """A listener on a free port."""
    return ListenerSettings.model_validate({"port": 0, **settings})


@pytest.mark.parametrize(
    ("left", "level", "words"),
    [
        (timedelta(days=31), Level.OK, "holds until 2026-12-23"),
        (timedelta(days=29, hours=5), Level.WARN, "expires on 2026-12-21, in 29 days"),
        (timedelta(0), Level.FAIL, "has expired on 2026-11-22: no sender accepts it"),
    ],
)
def test_the_end_of_a_certificate_is_told_a_month_before(
    left: timedelta, level: Level, words: str
) -> None:
    """Thirty days before, and when it is too late; the remedy needs no restart."""
    check = lock.expiry_check(NOW + left, NOW)

    assert level == check.level
    assert words in check.said


def test_an_open_door_beyond_loopback_is_told() -> None:
    """What the network can read is said plainly; on this machine it is nobody's harm."""
    outside = lock.open_door_check(listener(host="0.0.0.0"))  # noqa: S104 - never bound here

    assert Level.WARN == outside.level
    assert "listener.tls_certificate" in outside.remedy
    assert Level.OK == lock.open_door_check(listener()).level


def test_broken_files_are_told_and_end_nothing(tmp_path: Path) -> None:
    """The examination goes on after them."""
    pair = Authority(tmp_path).door()
    pair.key.write_text("no key", "utf-8")
    checks = list(doors.checks(settings_with(tmp_path, listener=listener(**locked(pair)))))

    assert Level.FAIL == named(iter(checks), "DICOM TLS").level
    assert Level.FAIL == named(iter(checks), "C-ECHO").level


@pytest.mark.integration
@pytest.mark.parametrize(("days", "level"), [(90, Level.OK), (-1, Level.FAIL)])
def test_the_doctor_goes_through_the_locked_door(tmp_path: Path, days: int, level: Level) -> None:
    """A C-ECHO over TLS with the door's own certificate, if that still holds."""
    authority = Authority(tmp_path)
    pair = authority.vouch("door", "gate.hospital.example", for_days=days)
    senders = [{"ae_title": "CART", "certificate": "cart"}]
    own = listener(senders=senders, **locked(pair, authority))
    check = named(doors.checks(settings_with(tmp_path, listener=own)), "C-ECHO")

    assert level == check.level
    assert ("answered over TLS" if level is Level.OK else "certificate has expired") in check.said


@pytest.mark.parametrize(
    ("sender", "title"),
    [
        ({"ae_title": "CART"}, "CART"),
        ({"ae_title": "CART", "addresses": ["192.0.2.1"]}, ""),
        ({"ae_title": "CART", "addresses": ["127.0.0.1"]}, "CART"),
    ],
)
def test_the_doctor_knows_whether_it_is_let_in(sender: dict[str, object], title: str) -> None:
    """Under a listed name that this machine may use, else it does not knock at the gate."""
    own = listener(senders=[sender])

    assert title == lock.own_ae_title(own)
    assert bool(title) == lock.admits_us(own)
