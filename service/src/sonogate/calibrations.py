"""The calibrations that hold in a running gate: read from the database, taken over as they change.

The database says what holds, so a restart forgets nothing, and every gate on it follows. Verdicts
that are being made keep the policy they began with.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sonogate.domain.calibration import Calibration, parse
from sonogate.errors import CalibrationError
from sonogate.judge.policy import Policy
from sonogate.observe.health import Check
from sonogate.observe.logs import get_logger
from sonogate.score.identity import named_model
from sonogate.settings import ScoringSettings
from sonogate.store.calibrations import AppliedCalibration
from sonogate.store.database import Database

log = get_logger()


@dataclass
class CalibrationsInForce:
    """Looks at the database now and then, and gives the pipeline a policy to match.

    Args:
        database: holds what was applied.
        scoring: names the model that a calibration has to be of.
    """

    database: Database
    scoring: ScoringSettings
    refused: dict[str, str] = field(default_factory=dict)  #: why, by id
    _seen: tuple[str, ...] | None = None
    _held: dict[str, Calibration] = field(default_factory=dict)

    async def look(self, policy: Policy, take: Callable[[Policy], None]) -> None:
        """Take a policy with what holds now, if that has changed."""
        active = await self.database.read(lambda tx: tx.calibrations.active())
        ids = tuple(each.calibration for each in active)
        if ids == self._seen:
            return
        self._held, self.refused = {}, {}
        for each in active:
            self._take_or_refuse(each)
        take(replace(policy, calibrations=dict(self._held)))
        self._seen = ids
        log.info("calibrations in force", result=" ".join(self._held) or "none")

    def _take_or_refuse(self, applied: AppliedCalibration) -> None:
        try:
            calibration = parse(applied.content)
            calibration.check_model(named_model(self.scoring))
        except CalibrationError as error:
            self.refused[applied.calibration] = str(error)
            log.error("calibration refused", code=applied.calibration, reason=str(error))
        else:
            self._held[applied.calibration] = calibration

    def check(self) -> Check:
        """Say which hold, and which can't."""
        if self.refused:
            told = "; ".join(f"{name}: {reason}" for name, reason in self.refused.items())
            return Check(ok=False, detail=told, required=False)
        names = ", ".join(self._held) or "none: bands as shipped"
        return Check(ok=True, detail=names, required=False)
