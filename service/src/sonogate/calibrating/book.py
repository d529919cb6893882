"""Let a calibration hold, or no more: in the database, in one transaction with the audit entry."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from sonogate.calibrating.preview import N_VERDICTS, Preview, preview
from sonogate.domain.calibration import Calibration, id_of, parse
from sonogate.errors import CalibrationError
from sonogate.judge.policy import Policy
from sonogate.score.identity import entry_of
from sonogate.settings import Settings
from sonogate.store.calibrations import AppliedCalibration
from sonogate.store.database import Database
from sonogate.store.records import AuditEntry
from sonogate.store.transaction import Transaction
from sonoquality.card import ModelCard

T = TypeVar("T")


def write(settings: Settings, work: Callable[[Transaction], T]) -> T:
    """Change something in the gate's database; the gate may run meanwhile."""
    return asyncio.run(_in_database(settings, lambda database: database.write(work)))


def read(settings: Settings, work: Callable[[Transaction], T]) -> T:
    """Look something up there; a running gate is not held up."""
    return asyncio.run(_in_database(settings, lambda database: database.read(work)))


async def _in_database(settings: Settings, act: Callable[[Database], Awaitable[T]]) -> T:
    database = Database(settings.database_url)
    await database.open()
    try:
        return await act(database)
    finally:
        await database.close()


def apply(content: str, calibration: Calibration, by: str) -> Callable[[Transaction], str | None]:
    """Return the work that lets a calibration hold; it answers the id of the one it replaces.

    Raises:
        CalibrationError: (the work) it holds already.
    """
    name, scope = id_of(content), calibration.scope

    def work(tx: Transaction) -> str | None:
        now = datetime.now(UTC)
        if name in {each.calibration for each in tx.calibrations.active()}:
            raise CalibrationError(f"Calibration {name} is in force already.")
        replaced = tx.calibrations.apply(
            AppliedCalibration(
                calibration=name,
                content=content,
                exam_type=scope.exam_type,
                view=scope.view,
                applied_at=now,
                applied_by=by,
                ended_at=None,
                ended_by=None,
            )
        )
        _note(tx, now, by, "apply_calibration", {"calibration": name, "replaces": replaced})
        return replaced

    return work


def revoke(wanted: str, by: str) -> Callable[[Transaction], str]:
    """Return the work that ends a calibration; it answers its id.

    Raises:
        CalibrationError: (the work) none in force has that id.
    """

    def work(tx: Transaction) -> str:
        now = datetime.now(UTC)
        active = [each.calibration for each in tx.calibrations.active()]
        found = [name for name in active if name.startswith(wanted)]
        if len(found) != 1 or not wanted:
            told = ", ".join(active) or "none"
            raise CalibrationError(f"{wanted!r} names no calibration in force; these are: {told}.")
        tx.calibrations.revoke(found[0], now, by)
        _note(tx, now, by, "revoke_calibration", {"calibration": found[0]})
        return found[0]

    return work


def _note(
    tx: Transaction, now: datetime, by: str, action: str, body: dict[str, str | None]
) -> None:
    tx.audit.append(
        AuditEntry(at=now, by=by, action=action, study_uid=None, object_id=None, body=body)
    )


def look_ahead(
    settings: Settings, content: str, calibration: Calibration
) -> Callable[[Transaction], Preview]:
    """Return the work that counts what a calibration would change."""
    card = ModelCard.read(entry_of(settings.scoring))
    name = id_of(content)
    policy = Policy.from_settings(card.high_from, card.medium_from, settings.judge)

    def work(tx: Transaction) -> Preview:
        held = {each.calibration: each for each in tx.calibrations.active()}
        others = {
            key: parse(each.content)
            for key, each in held.items()
            if (each.exam_type, each.view) != own
        }
        judged = replace(policy, calibrations={**others, name: calibration})
        return preview(tx.calibrations.graded(N_VERDICTS), name, calibration, judged)

    own = (calibration.scope.exam_type, calibration.scope.view)
    return work
