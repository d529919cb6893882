"""A door's TLS context in force, made anew when its files change."""

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sonogate.errors import SettingFileError
from sonogate.observe.health import Check
from sonogate.observe.logs import get_logger
from sonogate.receive.certificate import expires_at, next_update
from sonogate.receive.tls import make_context
from sonogate.settings import HttpSettings, ListenerSettings

KEYS: Final = ("tls_certificate", "tls_key", "tls_client_ca", "tls_client_crl")

log = get_logger()


class Certificates:
    """The TLS context in force; made anew when its files change, kept while new ones are broken."""

    def __init__(
        self,
        settings: ListenerSettings | HttpSettings,
        door: str = "listener",
        peers: str = "senders",
    ) -> None:
        """Read them.

        Args:
            settings: Of the door.
            door: Their section, for errors and the log.
            peers: Who comes to it, in plain words.

        Raises:
            SettingFileError: One of the files is not what it must be.
        """
        self._settings, self._door, self._peers = settings, door, peers
        self.context: ssl.SSLContext | None = None
        self.problem = ""  #: why the newest files are not in use
        self._expires_at = datetime.max.replace(tzinfo=UTC)
        self._lists_end_at = datetime.max.replace(tzinfo=UTC)
        self._seen = self._stamps()
        self._read()

    async def look(self) -> None:
        """Take the files anew if one changed."""
        if self.context is not None:
            await asyncio.to_thread(self._look)

    def _look(self) -> None:
        if self._stamps() != self._seen:
            self.reload()

    def reload(self) -> None:
        """Take the files anew; if they are broken, keep what is in force and say so."""
        if self.context is None:
            return
        self._seen = self._stamps()
        try:
            self._read()
        except SettingFileError as error:
            self.problem = str(error)
            log.error("certificates_not_reloaded", door=self._door, reason=self.problem)
        else:
            self.problem = ""
            log.info("certificates_reloaded", door=self._door)

    def _read(self) -> None:
        self.context = make_context(self._settings, self._door)
        if self._settings.tls_certificate:
            self._expires_at = expires_at(self._settings.tls_certificate)
        if self._settings.tls_client_crl:
            self._lists_end_at = next_update(self._settings.tls_client_crl)

    def check(self) -> Check:
        """Say whether the door's certificate holds; not required, since peers may still come."""
        if self.problem:
            return Check(ok=False, detail=f"old certificate in use: {self.problem}", required=False)
        if self._expires_at <= datetime.now(UTC):
            return Check(ok=False, detail="the certificate has expired", required=False)
        if self._lists_end_at <= datetime.now(UTC):
            detail = f"the revocation list is out of date: {self._peers} are refused"
            return Check(ok=False, detail=detail, required=False)
        detail = f"the certificate holds until {self._expires_at:%Y-%m-%d}"
        return Check(ok=True, detail=detail, required=False)

    def _stamps(self) -> tuple[tuple[int, int, int] | None, ...]:
        """Return what changes with each file: identity, time and size."""
        return tuple(_stamp(getattr(self._settings, key)) for key in KEYS)


def _stamp(path: Path | None) -> tuple[int, int, int] | None:
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size) if found else None
