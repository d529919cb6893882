"""Low images held back: each way they are let go, and that nothing is withheld for ever."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from sonogate.domain.instance import Kept, ReceivedInstance
from sonogate.domain.verdict import Band, Ruling, Status
from sonogate.store.forward_records import (
    Destination,
    Destinations,
    ForwardState,
    Release,
    Standing,
)
from sonogate.store.records import DeliveryTargets
from sonogate.store.transaction import Transaction
from sonogate.track import retention
from tests.service.track.conftest import STUDY, Clinic

HOLD_SECONDS = 1800.0
HOLDING = Destinations(all=(Destination(name="pacs", holds=True, hold_seconds=HOLD_SECONDS),))

pytestmark = pytest.mark.integration


async def hold(clinic: Clinic) -> ReceivedInstance:
    """Receive an object that a destination holds until it is decided."""
    received = await clinic.receive()
    kept = [Kept(object_id=received.object_id)]
    await clinic.database.write(
        lambda tx: tx.forwards.enqueue_received([received], kept, HOLDING, [STUDY])
    )
    return received


async def standing(
    clinic: Clinic, received: ReceivedInstance, later_seconds: float = 0, holding: str = "pacs"
) -> Standing:
    """Return where an object stands after a look at what is decided."""
    now = clinic.now + timedelta(seconds=later_seconds)
    await clinic.database.write(lambda tx: tx.forward_holds.release(now, [holding]))
    (found,) = (await clinic.database.read(lambda tx: tx.forwards.standings([received.object_id])))[
        received.object_id
    ]
    return found


def until(clinic: Clinic, received: ReceivedInstance) -> datetime:
    """Return when an object goes at the latest."""
    return received.provenance.received_at + timedelta(seconds=HOLD_SECONDS)


async def test_an_object_without_a_verdict_and_a_low_one_are_held(clinic: Clinic) -> None:
    """Until its verdict anything is held; a low one beyond it; the end of it is known."""
    low = await hold(clinic)
    unread = await standing(clinic, low)
    await clinic.judge(low, Band.LOW)
    judged = await standing(clinic, low)

    assert [ForwardState.HELD] * 2 == [unread.state, judged.state]
    assert until(clinic, low) == judged.hold_until
    assert not await clinic.database.read(lambda tx: tx.forward_holds.decided(clinic.now, ["pacs"]))


@pytest.mark.parametrize("status", [Status.UNSCORABLE, Status.NOT_APPLICABLE])
async def test_what_has_no_quality_goes_with_its_verdict(clinic: Clinic, status: Status) -> None:
    """`unscorable` and `not_applicable` are not low: nothing could be taken again."""
    received = await hold(clinic)
    await clinic.judge(received, None, status=status)
    found = await standing(clinic, received)

    assert (ForwardState.OWED, Release.VERDICT) == (found.state, found.release)


@pytest.mark.parametrize("band", [Band.HIGH, Band.MEDIUM])
async def test_a_good_image_goes_with_its_verdict(clinic: Clinic, band: Band) -> None:
    """The verdict decides it."""
    received = await hold(clinic)
    await clinic.judge(received, band)
    found = await standing(clinic, received)

    assert (ForwardState.OWED, Release.VERDICT) == (found.state, found.release)


async def test_a_re_acquisition_lets_the_earlier_low_go(clinic: Clinic) -> None:
    """The good image of the same view stands for it."""
    low = await hold(clinic)
    await clinic.judge(low, Band.LOW, view="SCT:1", seed=1)
    await clinic.judge(await clinic.receive(), Band.HIGH, view="SCT:1", seed=1)
    found = await standing(clinic, low)

    assert (ForwardState.OWED, Release.SUPERSEDED) == (found.state, found.release)


@pytest.mark.parametrize("band", Ruling)
async def test_a_person_s_word_lets_it_go(clinic: Clinic, band: Ruling) -> None:
    """Whatever the person says: the image was looked at and decided on."""
    low = await hold(clinic)
    await clinic.judge(low, Band.LOW)
    await clinic.studies.override(low.sop_instance_uid or "", band, "seen", "RS")
    found = await standing(clinic, low)

    assert (ForwardState.OWED, Release.OVERRIDE) == (found.state, found.release)


async def test_the_study_s_close_lets_everything_go(clinic: Clinic) -> None:
    """Nothing more will be taken again."""
    low = await hold(clinic)
    await clinic.judge(low, Band.LOW)
    await clinic.studies.close(STUDY, "RS")
    found = await standing(clinic, low)

    assert (ForwardState.OWED, Release.CLOSED) == (found.state, found.release)


@pytest.mark.parametrize("is_judged", [True, False])
async def test_nothing_is_withheld_for_ever(clinic: Clinic, *, is_judged: bool) -> None:
    """After `hold_seconds` it goes, judged or not: a dead scorer withholds nothing."""
    low = await hold(clinic)
    if is_judged:
        await clinic.judge(low, Band.LOW)
    before = await standing(clinic, low, HOLD_SECONDS - 60)
    after = await standing(clinic, low, HOLD_SECONDS + 60)

    assert ForwardState.HELD is before.state
    assert (ForwardState.OWED, Release.TIMED_OUT) == (after.state, after.release)


async def test_a_destination_that_holds_no_more_lets_everything_go(clinic: Clinic) -> None:
    """The mode was changed in the settings: what was held under the old one is owed."""
    low = await hold(clinic)
    await clinic.judge(low, Band.LOW)
    found = await standing(clinic, low, holding="another")

    assert (ForwardState.OWED, Release.SETTINGS) == (found.state, found.release)


@pytest.mark.parametrize("state", ForwardState)
async def test_pixels_stay_while_a_destination_may_ask_for_them(
    clinic: Clinic, state: ForwardState
) -> None:
    """Held, owed and refused objects are never let go of, however old; the others are."""
    clinic.targets = DeliveryTargets()
    received = await hold(clinic)
    await clinic.judge(received, Band.LOW)
    if state is not ForwardState.HELD:
        await settle_as(clinic, received, state)
    year = clinic.now + timedelta(days=365)
    expired = await clinic.database.read(lambda tx: retention.expired(tx, year, 7))
    left = {ForwardState.DONE, ForwardState.DROPPED}

    assert ([received.object_id] if state in left else []) == [each.object_id for each in expired]


async def settle_as(clinic: Clinic, received: ReceivedInstance, state: ForwardState) -> None:
    """Bring a held object to where it is asked for."""
    now, later = clinic.now, clinic.now + timedelta(days=1)
    await clinic.studies.close(STUDY, "RS")
    await standing(clinic, received)
    owed = await clinic.database.read(lambda tx: tx.forwards.next_of_lane("pacs", STUDY, later, 1))
    ways: dict[ForwardState, Callable[[Transaction], object]] = {
        ForwardState.DONE: lambda tx: tx.forwards.done(owed[0].id, now, "stored"),
        ForwardState.REFUSED: lambda tx: tx.forwards.refused(owed[0].id, now, "context"),
        ForwardState.DROPPED: lambda tx: tx.forwards.drop_owed_to_others([], later, now),
    }
    if state in ways:
        await clinic.database.write(ways[state])
