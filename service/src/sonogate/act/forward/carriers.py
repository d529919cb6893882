"""Makes what brings objects to a destination, by its kind."""

import ssl
from collections.abc import Callable

from sonogate.act.forward.association import Peer
from sonogate.act.forward.carrier import Carrier, Decode
from sonogate.act.forward.dicom import DicomCarrier
from sonogate.act.forward.folder import FolderCarrier
from sonogate.act.forward.stow import StowCarrier
from sonogate.errors import SettingsError
from sonogate.settings import DestinationSettings

MakeTls = Callable[[DestinationSettings], ssl.SSLContext | None]


def make_carrier(
    settings: DestinationSettings, own_ae: str, make_tls: MakeTls, decode: Decode
) -> Carrier:
    """Make the carrier of one destination.

    Args:
        settings: the destination's.
        own_ae: our AE title.
        make_tls: reads its TLS files; called anew for each association, so that new ones count.
        decode: writes an object in another transfer syntax.

    Raises:
        SettingsError: it does not name its place.
    """
    kind = settings.kind
    if kind == "dicom" and settings.host and settings.port and settings.ae_title:
        return DicomCarrier(
            peer=Peer(
                host=settings.host,
                port=settings.port,
                ae_title=settings.ae_title,
                answer_seconds=settings.answer_seconds,
            ),
            own_ae=own_ae,
            calls_as_sender=settings.calling_ae == "original",
            may_decode=settings.decompress == "lossless",
            make_tls=lambda: make_tls(settings),
            decode=decode,
        )
    if kind == "stow" and settings.url:
        return StowCarrier(
            url=settings.url,
            token=settings.token.get_secret_value() if settings.token else None,
            answer_seconds=settings.answer_seconds,
            may_decode=settings.decompress == "lossless",
            make_tls=lambda: make_tls(settings),
            decode=decode,
        )
    if kind == "folder" and settings.folder:
        return FolderCarrier(folder=settings.folder)
    raise SettingsError(f"destination {settings.name} names no place; see `settings docs`")
