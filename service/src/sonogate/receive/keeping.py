"""The last step both doors share: the row of a durable file is committed, or the file goes."""

from sonogate.domain.instance import Kept, ReceivedInstance
from sonogate.domain.ports import Keeper
from sonogate.errors import ReceiveError
from sonogate.receive.spool import Spool


async def keep_row(spool: Spool, keeper: Keeper, instance: ReceivedInstance) -> Kept:
    """Commit the row of a spooled object; only then may its sender be told Success.

    A duplicate's new file is removed once the keeper has said so. After a failure nobody expected
    the row may exist or not, so the file stays; the sweep at boot settles it.

    Raises:
        ReceiveError: The keeper refused the object; its file is gone.
    """
    try:
        kept = await keeper.keep(instance)
    except ReceiveError:
        await spool.run(spool.remove, instance.spool_name)
        raise
    if kept.duplicate:
        await spool.run(spool.remove, instance.spool_name)
    return kept


def result_of(kept: Kept) -> str:
    """Return the label of `Metrics.received` for what became of an object."""
    if kept.duplicate:
        return "duplicate"
    return "conflict" if kept.conflict else "kept"
