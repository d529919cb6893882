"""Does each destination answer: a C-ECHO, a request, a folder that may be written to?"""

import os
from collections.abc import Iterator

import httpx

from sonogate.demo.sender import Peer, echo
from sonogate.doctor.check import Check, fail, ok, warn
from sonogate.errors import GateError, SettingFileError
from sonogate.receive.tls import destination_context
from sonogate.settings import DestinationSettings, Settings

DICOM_SECONDS = 5.0
HTTP_SECONDS = 5.0


def checks(settings: Settings) -> Iterator[Check]:
    """Look at each destination of the settings."""
    for destination in settings.forward.destinations:
        yield _check(settings, destination)


def _check(settings: Settings, destination: DestinationSettings) -> Check:
    name = f"destination {destination.name}"
    try:
        if destination.kind == "dicom":
            return _echoed(settings, destination, name)
        if destination.kind == "stow":
            return _asked(destination, name)
    except SettingFileError as error:
        return fail(name, str(error), "give the file that the setting asks for")
    return _looked_at(destination, name)


def _echoed(settings: Settings, destination: DestinationSettings, name: str) -> Check:
    peer = Peer(
        host=destination.host or "",
        port=destination.port or 0,
        called_ae=destination.ae_title or "",
        calling_ae=settings.listener.ae_title,
        tls=destination_context(destination),
        answer_seconds=DICOM_SECONDS,
    )
    try:
        seconds = echo(peer)
    except (GateError, OSError) as error:
        return warn(name, f"no C-ECHO: {error}", "see that it runs and knows our AE title")
    return ok(name, f"{peer} answered a C-ECHO after {seconds * 1000:.0f} ms")


def _asked(destination: DestinationSettings, name: str) -> Check:
    """Any answer will do: what may be asked without storing differs between servers."""
    headers = {}
    if destination.token:
        headers["Authorization"] = f"Bearer {destination.token.get_secret_value()}"
    url = f"{(destination.url or '').rstrip('/')}/studies?limit=1"
    try:
        answer = httpx.get(
            url,
            headers=headers,
            timeout=HTTP_SECONDS,
            trust_env=False,
            verify=destination_context(destination) or True,
        )
    except httpx.HTTPError as error:
        return warn(name, f"no answer ({type(error).__name__})", "see that it runs, and its url")
    if answer.status_code in (401, 403):
        return warn(name, f"it answers {answer.status_code}", "give its token")
    return ok(name, f"it answers over HTTP ({answer.status_code})")


def _looked_at(destination: DestinationSettings, name: str) -> Check:
    folder = destination.folder
    if folder is None or not folder.is_dir():
        return warn(name, f"{folder} is no folder", "make it, or mount its disk")
    if not os.access(folder, os.W_OK | os.X_OK):
        return warn(name, f"{folder} may not be written to", "give the gate's user the right to")
    return ok(name, f"{folder} may be written to")
