"""What is told after a change: an event with its deliveries, in the transaction of the change."""

from dataclasses import dataclass, replace
from datetime import datetime

from sonogate.domain.study import StudyStatus
from sonogate.store.records import (
    DeliveryTargets,
    EventKind,
    Link,
    StoredVerdict,
    StudyRow,
)
from sonogate.store.transaction import Transaction
from sonogate.track.summary import summarise


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """Tells what happens in one transaction; each method returns the id of its event."""

    tx: Transaction
    now: datetime
    targets: DeliveryTargets  #: receivers outside to whom each event is owed

    def tell_verdict(self, kind: EventKind, stored: StoredVerdict) -> int:
        """Tell a verdict, or what an override made of it."""
        body = {
            "object_id": stored.object_id,
            "number": stored.number,
            "verdict": stored.verdict.model_dump(mode="json"),
        }
        return self.tx.events.append(
            kind,
            self.now,
            body,
            self.targets,
            study_uid=stored.study_instance_uid,
            object_id=stored.object_id,
        )

    def tell_study(self, study: StudyRow) -> int:
        """Tell where a study stands."""
        summary = summarise(self.tx, study)
        if summary.pending != study.told_pending:
            self.tx.studies.save(replace(study, told_pending=summary.pending))
        self._ask_for_results(study)
        body = summary.model_dump(mode="json")
        return self.tx.events.append(
            EventKind.STUDY, self.now, body, self.targets, study_uid=study.study_instance_uid
        )

    def _ask_for_results(self, study: StudyRow) -> None:
        """What changes in a closed study is to be said to the archive too, once it is quiet."""
        after_seconds = self.targets.results_after_seconds
        if after_seconds is not None and study.status is StudyStatus.CLOSED:
            self.tx.results.ask(study.study_instance_uid, self.now, after_seconds)

    def tell_question(self, question: Link) -> int:
        """Tell a question, or what became of it."""
        body = {
            "newer": self._number(question.object_id),
            "older": self._number(question.other_id),
            "similarity": question.similarity,
            "answer": question.answer.value if question.answer else None,
        }
        return self.tx.events.append(
            EventKind.QUESTION,
            self.now,
            body,
            self.targets,
            study_uid=question.study_instance_uid,
            object_id=question.object_id,
        )

    def _number(self, object_id: str) -> int | None:
        found = self.tx.objects.get(object_id)
        return found.number if found else None
