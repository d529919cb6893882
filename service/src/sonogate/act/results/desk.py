"""All that belongs to results, as the gate starts and stops it."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from sonogate.act.results.archive import Archive
from sonogate.act.results.maker import Maker
from sonogate.act.results.published import PublishedResults
from sonogate.act.results.rejecting import rejected
from sonogate.act.results.shelf import Shelf
from sonogate.domain.instance import Span
from sonogate.domain.rejection import Rejection
from sonogate.observe.metrics import Metrics
from sonogate.settings import Settings
from sonogate.store.database import Database
from sonogate.store.forward_records import Destinations
from sonogate.store.transaction import Transaction


class ResultsDesk:
    """Makes results, shows them, and tells an archive of rejections.

    Args:
        settings: of the whole gate.
        database: an open database, by the time of `recover`.
        place_of: where a kept object's bytes are.
        metrics: counts what is made.
        on_made: called when there is something to send.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        place_of: Callable[[str], tuple[Path, Span | None]],
        metrics: Metrics,
        on_made: Callable[[], None],
    ) -> None:
        self._database = database
        self._settings = settings.results
        self._shelf = Shelf(settings.results_dir)
        self._on_made = on_made
        rejections_by = settings.results.rejections_by
        self._archive = (
            Archive(database=database, settings=settings.results, metrics=metrics)
            if rejections_by and settings.results.dcm4chee_url
            else None
        )
        self.published = PublishedResults(database, self._shelf, rejections_by=rejections_by)
        self._maker = Maker(
            database=database,
            shelf=self._shelf,
            place_of=place_of,
            settings=settings.results,
            device=settings.results.device_name or settings.listener.ae_title,
            destinations=Destinations.from_settings(settings.forward.destinations),
            metrics=metrics,
            retention_days=settings.spool.retention_days,
            on_made=self._made,
        )

    @property
    def after_seconds(self) -> float | None:
        """How long after a change a closed study's results are due; None: never."""
        return self._settings.delay_seconds if self._settings.enabled else None

    def rejected(self, tx: Transaction, study_uid: str) -> Mapping[str, Rejection]:
        """Return the rejections that hold in a study, by object id; none where nobody rejects."""
        by = self._settings.rejections_by
        return rejected(tx, study_uid, by) if by else {}

    def notify(self) -> None:
        """A study may have asked."""
        self._maker.notify()

    async def recover(self) -> None:
        """Make the folder; what a crash left in it without a row goes."""
        wanted = await self._database.read(lambda tx: tx.results.file_names())
        await asyncio.to_thread(self._shelf.prepare, wanted)

    async def run(self) -> None:
        """Work until cancelled; nothing to do if results are off."""
        if not self._settings.enabled:
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._maker.run())
            if self._archive is not None:
                tasks.create_task(self._archive.run())

    def _made(self) -> None:
        if self._archive is not None:
            self._archive.notify()
        self._on_made()
