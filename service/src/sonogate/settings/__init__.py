"""Every knob of the gate, and how the knobs are set.

One commented TOML file plus environment variables (`SONOGATE_LISTENER__PORT=11113`); the
environment wins. Nothing reads settings at import time: `load` is called once, by `cli`, and the
result is handed down. `sections` holds the knobs, `sources` the file and the environment,
`loading` joins and checks them, `reference` writes them out for people.
"""

from sonogate.settings.loading import load
from sonogate.settings.sections import (
    GIB,
    KIB,
    LOOPBACK_HOSTS,
    MIB,
    HttpSettings,
    JudgeSettings,
    ListenerSettings,
    LogSettings,
    ScoringSettings,
    Settings,
    SpoolSettings,
    StoreSettings,
    Threshold,
    TrackSettings,
    WebhookSettings,
)

__all__ = [
    "GIB",
    "KIB",
    "LOOPBACK_HOSTS",
    "MIB",
    "HttpSettings",
    "JudgeSettings",
    "ListenerSettings",
    "LogSettings",
    "ScoringSettings",
    "Settings",
    "SpoolSettings",
    "StoreSettings",
    "Threshold",
    "TrackSettings",
    "WebhookSettings",
    "load",
]
