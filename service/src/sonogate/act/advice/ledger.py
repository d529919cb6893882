"""The adviser's transactions: claimed and audited before a picture leaves, kept when it spoke."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sonogate.act.advice.exhibits import Exhibit, exhibit_of
from sonogate.domain.advice import Advice, AdviceKind, AdviceReason
from sonogate.settings import AdviceSettings
from sonogate.store.advices import Claim, Settled
from sonogate.store.records import AuditEntry, DeliveryTargets, EventKind
from sonogate.store.transaction import Transaction

CLAIM_MARGIN_SECONDS = 120.0
"""A claim outlasts an answer's time by so much: waiting for its turn, drawing, writing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """On whose behalf a picture goes out."""

    by: str = "sonogate"  #: the gate itself, unasked
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What is done to the database, by the settings."""

    settings: AdviceSettings

    def due(self, tx: Transaction, now: datetime, limit: int) -> list[Claim]:
        """Return whom to ask about."""
        return tx.advices.due(
            now, self._since(now), self.settings.bands, self.settings.max_attempts, limit
        )

    def claim(self, tx: Transaction, due: list[Claim], now: datetime) -> list[Exhibit]:
        """Claim, and note in the trail that a picture is about to go out."""
        taken = []
        for claim in due:
            if not tx.advices.claim(claim, now, self._until(now)):
                continue
            exhibit = exhibit_of(tx, claim.object_id, claim.attempts)
            if exhibit is None:
                nothing = Advice(kind=AdviceKind.REMARK, reason=AdviceReason.NO_PICTURE, at=now)
                self.settle(tx, claim.object_id, nothing, 0.0)
                continue
            self.note(tx, exhibit, AdviceKind.REMARK, Asker(), now)
            taken.append(exhibit)
        return taken

    def take(self, tx: Transaction, object_id: str, now: datetime) -> int | None:
        """Claim for a person, whatever came of earlier attempts; None if it is being asked now."""
        return tx.advices.take(object_id, now, self._until(now))

    def note(
        self, tx: Transaction, exhibit: Exhibit, kind: AdviceKind, asker: Asker, now: datetime
    ) -> None:
        """Note that a picture goes to the adviser, and who had it go there."""
        body = {"destination": self.settings.host, "kind": kind.value}
        if asker.address:
            body["address"] = asker.address
        tx.audit.append(
            AuditEntry(
                at=now,
                by=asker.by,
                action="advise",
                study_uid=exhibit.study_uid,
                object_id=exhibit.object_id,
                body=body,
            )
        )

    def postpone(
        self, tx: Transaction, object_id: str, reason: AdviceReason, again_at: datetime
    ) -> None:
        """Plan the next attempt."""
        tx.advices.postpone(object_id, reason, again_at)

    def settle(self, tx: Transaction, object_id: str, advice: Advice, seconds: float) -> None:
        """Keep what came of a remark, and tell it if there is one; what was said before stays."""
        said = advice.model_dump(mode="json")
        at = advice.at
        if at is None:
            raise ValueError("What is kept has its time.")
        settled = Settled(
            body={"said": said["advice"], "agrees": said["agrees"]} if advice.advice else None,
            reason=advice.reason,
            adviser=self.settings.host,
            model=advice.model,
            seconds=round(seconds, 3),
        )
        if tx.advices.settle(object_id, settled, at) and advice.advice:
            _tell(tx, object_id, said, at)

    def give_up(self, tx: Transaction, now: datetime) -> int:
        """End what nobody will be asked about any more; return how many."""
        return tx.advices.give_up(self._since(now), self.settings.max_attempts, now)

    def _since(self, now: datetime) -> datetime:
        return now - timedelta(seconds=self.settings.max_age_seconds)

    def _until(self, now: datetime) -> datetime:
        return now + timedelta(seconds=self.settings.timeout_seconds + CLAIM_MARGIN_SECONDS)


def _tell(tx: Transaction, object_id: str, said: dict[str, object], at: datetime) -> None:
    """Tell the pages; no webhook is owed one."""
    found = tx.objects.get(object_id)
    tx.events.append(
        EventKind.ADVICE,
        at,
        {"object_id": object_id, "number": found.number if found else None, "advice": said},
        DeliveryTargets(),
        study_uid=found.study_instance_uid if found else None,
        object_id=object_id,
    )
