"""How many associations may be open, and how often one may be opened."""

import pytest

from sonogate.receive import quota as quotas
from sonogate.receive.admission import REJECTIONS, Rule
from sonogate.receive.quota import Quota
from sonogate.settings import ListenerSettings

CART, OTHER = ("CART", "192.0.2.1"), ("CART", "192.0.2.2")


class Clock:
    """Time that stands still until it is told."""

    now = 0.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock at zero."""
    return Clock()


def quota(clock: Clock, **limits: int) -> Quota:
    """A quota with these limits and room in all else."""
    return Quota(ListenerSettings.model_validate(limits), clock)


def test_the_total_limit_is_transient(clock: Clock) -> None:
    """One association too many is told to come again, (2, 3, 2); a place given back is free."""
    places = quota(clock, max_associations=2)

    assert [None, None, Rule.ASSOCIATIONS] == [places.open(who) for who in (CART, OTHER, CART)]
    assert (2, 3, 2) == REJECTIONS[Rule.ASSOCIATIONS].value
    places.close(OTHER)
    assert places.open(CART) is None


def test_one_sender_leaves_room_for_the_others(clock: Clock) -> None:
    """The limit of a sender counts its own; the same AE title elsewhere is another sender."""
    places = quota(clock, max_sender_associations=1)

    assert [None, Rule.SENDER_ASSOCIATIONS, None] == [
        places.open(who) for who in (CART, CART, OTHER)
    ]
    assert (2, 3, 2) == REJECTIONS[Rule.SENDER_ASSOCIATIONS].value
    places.close(CART)
    assert places.open(CART) is None


def test_a_burst_passes_and_a_loop_does_not(clock: Clock) -> None:
    """A minute's worth may come at once; then one comes for each that time has earned."""
    places = quota(clock, sender_associations_per_minute=60)

    def knock(n_times: int) -> list[Rule | None]:
        answers = []
        for _ in range(n_times):
            answers.append(places.open(CART))
            if answers[-1] is None:
                places.close(CART)
        return answers

    assert [None] * 60 + [Rule.SENDER_RATE] == knock(61)
    assert (2, 3, 1) == REJECTIONS[Rule.SENDER_RATE].value
    assert places.open(OTHER) is None
    clock.now = 2.0
    assert [None, None, Rule.SENDER_RATE] == knock(3)
    clock.now = 10_000.0
    assert [None] * 60 + [Rule.SENDER_RATE] == knock(61)


def test_senders_that_owe_nothing_are_forgotten(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made-up AE titles fill no memory; whoever is inside or went too fast stays known."""
    monkeypatch.setattr(quotas, "MAX_REMEMBERED", 10)
    places = quota(clock)
    places.open(CART)
    for number in range(1000):
        clock.now += 0.05  # what one association costs at 1200 a minute
        places.open((f"AE{number}", "127.0.0.1"))
        places.close((f"AE{number}", "127.0.0.1"))

    assert len(places._accounts) <= 12
    assert CART in places._accounts
