"""What follows a change made by a person: count it, and wake whoever tells others."""

from sonogate.api.dependencies import ApiPorts
from sonogate.domain.study import Study, StudyStatus
from sonogate.domain.verdict import Verdict


def tell(ports: ApiPorts) -> None:
    """Wake the event streams and the delivery; the change itself is committed already."""
    ports.events.notify()
    ports.on_change()


def _word(verdict: Verdict) -> str:
    return verdict.effective_band.value if verdict.effective_band else "none"


def count_override(ports: ApiPorts, before: Verdict, after: Verdict) -> None:
    """Count an override by what counted before and what counts now."""
    ports.metrics.overrides.labels(from_band=_word(before), to_band=_word(after)).inc()


def count_close(ports: ApiPorts, before: StudyStatus, study: Study) -> None:
    """Count a study that a person closed; closing it twice counts once."""
    if before is StudyStatus.CLOSED:
        return
    state = "ready" if study.ready_to_close else "not_ready"
    ports.metrics.studies_closed.labels(closed_by="rest", state=state).inc()
    ports.metrics.unscored_at_close.inc(study.pending + len(study.unscored))


def count_replaced(ports: ApiPorts) -> None:
    """Count an earlier low that a person says is replaced."""
    ports.metrics.reacquired.labels(how="person").inc()
