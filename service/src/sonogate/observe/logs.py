"""Structured logs with an allow-list of fields, so that no patient text can slip in."""

import json
import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO, cast

import structlog

from sonogate.observe.unasked import take_over
from sonogate.settings import LogSettings

ALLOWED_FIELDS = frozenset(
    {
        "event",
        "level",
        "timestamp",
        "logger",
        "object_id",
        "calling_ae",
        "called_ae",
        "peer_address",
        "reason",
        "error",
        "band",
        "status",
        "seconds",
        "size_bytes",
        "n_objects",
        "port",
        "host",
        "provider",
        "model",
        "version",
        "worker",
        "exit_code",
        "attempt",
        "study_key",
        "url_host",
        "sop_class_uid",
        "transfer_syntax_uid",
        "closed_by",
        "path",
        "route",
        "code",
        "result",
        "stage",
        "exception_type",
        "destination",
        "door",
        "origin",
        "frames",
    }
)
"""Everything else is dropped before a line is written. `path` is ours, never the sender's;
`destination` is a name from the settings; `origin` and `frames` are places in code."""


CHATTY_LIBRARIES = ("httpx", "httpcore", "pynetdicom", "pydicom")
"""They log whole addresses, or values of a data set, at their lower levels."""


class CurrentStderr:
    """Standard error as it is at the moment of writing, not as it was when a logger was made.

    A full disk behind it, or a reader that left, costs lines and nothing else: whoever logs is in
    the middle of a cart's association.
    """

    def __init__(self) -> None:
        self.n_lost = 0  #: since the last line that was written

    def write(self, text: str) -> int:
        """Write text, and first how much was lost, if something was."""
        try:
            if self.n_lost:
                said = {"event": "log lines lost", "level": "warning", "n_objects": self.n_lost}
                sys.stderr.write(f"{json.dumps(said)}\n")
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError):
            self.n_lost += 1
        else:
            self.n_lost = 0
        return len(text)

    def flush(self) -> None:
        """Do nothing: each line was passed on."""


def keep_allowed(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> Mapping[str, Any]:
    """Drop every field that is not allowed."""
    return {key: value for key, value in event.items() if key in ALLOWED_FIELDS}


def configure(settings: LogSettings) -> None:
    """Set structlog up for this process; called once, by the entry point.

    What libraries log, and what ends a thread or the process, is said from then on by its type and
    its place in code alone.
    """
    for library in CHATTY_LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if settings.form == "json"
        else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            keep_allowed,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelName(settings.level.upper())
        ),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, CurrentStderr())),
        cache_logger_on_first_use=True,
    )
    take_over(get_logger().log)


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """Return a logger; event names are past-tense phrases."""
    return cast(structlog.typing.FilteringBoundLogger, structlog.get_logger())
