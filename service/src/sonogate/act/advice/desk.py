"""Put the adviser of the settings together."""

import ssl
from collections.abc import Callable

from sonogate.act.advice.adviser import Adviser
from sonogate.act.advice.asking import Asking
from sonogate.act.advice.endpoint import Endpoint
from sonogate.act.advice.local import LocalModel
from sonogate.act.advice.ports import Oracle
from sonogate.observe.metrics import Metrics
from sonogate.settings import AdviceSettings
from sonogate.store.database import Database

MakeTls = Callable[[AdviceSettings], ssl.SSLContext]


def make_adviser(
    settings: AdviceSettings,
    database: Database,
    metrics: Metrics,
    make_tls: MakeTls,
    on_given: Callable[[], None],
) -> Adviser | None:
    """Return who asks; None where it is switched off.

    Args:
        settings: of the adviser.
        database: an open database, by the time it runs.
        metrics: counts questions.
        make_tls: reads the authorities that vouch for the endpoint.
        on_given: called after advice was kept.
    """
    if not settings.enabled:
        return None
    oracle: Oracle = (
        LocalModel(settings=settings)
        if settings.kind == "local"
        else Endpoint(settings=settings, make_tls=make_tls)
    )
    asking = Asking(settings=settings, oracle=oracle, metrics=metrics)
    return Adviser(database=database, settings=settings, asking=asking, on_given=on_given)
