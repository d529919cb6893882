"""A message as a syslog line (RFC 5424), as PS3.15 A.6 asks: PRI 85, MSGID DICOM+RFC3881."""

import os
import re
from typing import Final

from sonogate.act.audit.codes import MEANINGS, UNKNOWN, Outcome
from sonogate.act.audit.message import to_xml
from sonogate.store.audit import Noted

_FACILITY: Final = 10  # security/authorization messages
_NOTICE, _WARNING = 5, 4
_BOM: Final = "\ufeff"  # MSG-UTF8 (RFC 5424 6.4)
_NOT_PRINTABLE = re.compile(r"[^\x21-\x7e]")


def to_line(noted: Noted, source: str, host: str) -> str:
    """Write an entry as one syslog message, without a line's end.

    Args:
        noted: The entry.
        source: Who we are, in the message.
        host: Our host name, in the header.
    """
    meaning = MEANINGS.get(noted.entry.action, UNKNOWN)
    severity = _NOTICE if meaning.outcome is Outcome.SUCCESS else _WARNING
    at = noted.entry.at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    name = _NOT_PRINTABLE.sub("-", host)[:255] or "-"
    head = f"<{_FACILITY * 8 + severity}>1 {at} {name} sonogate {os.getpid()} DICOM+RFC3881 -"
    return f"{head} {_BOM}{to_xml(noted, source)}"


def framed(line: str) -> bytes:
    """Put a message's length before it, for a stream (octet counting, RFC 5425 4.3, RFC 6587)."""
    content = line.encode("utf-8")
    return b"%d %s" % (len(content), content)
