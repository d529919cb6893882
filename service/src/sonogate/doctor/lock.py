"""Is the DICOM door locked, and does its certificate still hold?"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from sonogate.doctor.check import Check, fail, ok, warn
from sonogate.errors import SettingFileError
from sonogate.receive.certificate import expires_at
from sonogate.receive.tls import make_context
from sonogate.settings import ListenerSettings, Settings

SOON = timedelta(days=30)
_US = ip_address("127.0.0.1")


def checks(settings: Settings) -> Iterator[Check]:
    """Look at TLS and at the certificate's end."""
    listener = settings.listener
    if listener.tls_certificate is None:
        yield open_door_check(listener)
        return
    try:
        make_context(listener)
        until = expires_at(listener.tls_certificate)
    except SettingFileError as error:
        yield fail("DICOM TLS", str(error), "the gate does not start until this is right")
        return
    asks = "asks" if listener.tls_client_ca else "does not ask"
    yield ok("DICOM TLS", f"the door is locked, and {asks} senders for a certificate")
    yield expiry_check(until, datetime.now(UTC))


def open_door_check(listener: ListenerSettings) -> Check:
    """Judge a door without TLS."""
    if listener.is_loopback:
        return ok("DICOM TLS", "off; nothing leaves this machine")
    return warn(
        "DICOM TLS",
        f"off, and {listener.host} is reachable from other machines: whoever can listen on the "
        "network sees patients' images",
        "set listener.tls_certificate and tls_key if the carts speak TLS, else keep them on a "
        "network of their own",
    )


def expiry_check(until: datetime, now: datetime) -> Check:
    """Judge when the listener's certificate ends."""
    name, day = "certificate", f"{until:%Y-%m-%d}"
    remedy = "put a new one in place of listener.tls_certificate and tls_key; no restart is needed"
    if until <= now:
        return fail(name, f"the listener's has expired on {day}: no sender accepts it", remedy)
    if until - now < SOON:
        days = (until - now).days
        return warn(name, f"the listener's expires on {day}, in {days} days", remedy)
    return ok(name, f"the listener's holds until {day}")


def admits_us(listener: ListenerSettings) -> bool:
    """Whether the doctor, without a certificate and from this machine, would be let in."""
    return not listener.tls_client_ca and (not listener.senders or bool(own_ae_title(listener)))


def own_ae_title(listener: ListenerSettings) -> str:
    """Return a listed AE title under which this machine may come; empty if there is none."""
    for sender in listener.senders:
        is_here = not sender.addresses or any(_US in network for network in sender.addresses)
        if is_here and sender.certificate is None:
            return sender.ae_title
    return ""
