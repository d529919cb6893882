"""Waits grow, are spread by chance, and end at fifteen minutes."""

from sonogate.act.backoff import Backoff


def test_waits_double_up_to_the_maximum_and_never_pass_it() -> None:
    """However often a receiver failed, it is asked again within fifteen minutes."""
    waits = [Backoff().seconds(n, chance=lambda: 1.0) for n in (1, 2, 3, 11, 500, 10**6)]

    assert [1.0, 2.0, 4.0, 900.0, 900.0, 900.0] == waits


def test_half_of_a_wait_is_chance() -> None:
    """What failed together does not come back together."""
    assert 2.0 == Backoff().seconds(3, chance=lambda: 0.0)
    assert 3.0 == Backoff().seconds(3, chance=lambda: 0.5)
    assert 1 < len({Backoff().seconds(3) for _ in range(10)})
