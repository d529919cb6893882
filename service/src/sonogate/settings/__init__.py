"""Every knob of the gate, and how the knobs are set.

One commented TOML file plus environment variables (`SONOGATE_LISTENER__PORT=11113`); the
environment wins. Nothing reads settings at import time: `load` is called once, by `cli`, and the
result is handed down. `sections` and `listener` hold the knobs, made of `kinds`; `sources` reads
the file and the environment, `loading` joins and checks them, `reference` writes them out for
people.
"""

from sonogate.settings.advice import AdviceSettings
from sonogate.settings.audit import AuditRepositorySettings, AuditSettings
from sonogate.settings.forward import DestinationSettings, ForwardSettings
from sonogate.settings.kinds import GIB, KIB, LOOPBACK_HOSTS, MIB
from sonogate.settings.listener import ListenerSettings, SenderSettings
from sonogate.settings.loading import load
from sonogate.settings.network import CommitmentSettings, MppsServerSettings, MppsSettings
from sonogate.settings.results import ResultsSettings
from sonogate.settings.sections import (
    HttpSettings,
    JudgeSettings,
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
    "AdviceSettings",
    "AuditRepositorySettings",
    "AuditSettings",
    "CommitmentSettings",
    "DestinationSettings",
    "ForwardSettings",
    "HttpSettings",
    "JudgeSettings",
    "ListenerSettings",
    "LogSettings",
    "MppsServerSettings",
    "MppsSettings",
    "ResultsSettings",
    "ScoringSettings",
    "SenderSettings",
    "Settings",
    "SpoolSettings",
    "StoreSettings",
    "Threshold",
    "TrackSettings",
    "WebhookSettings",
    "load",
]
