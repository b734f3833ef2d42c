"""What hypothesis draws for dating: people of one pool or two."""

from hypothesis import strategies as st

from dating.pairing import Person

AGES = st.integers(18, 40)
CITIES = st.sampled_from(["Lyon", "Lille", "Nice"])
MANUAL_SCORES = st.integers(1, 3)


@st.composite
def people(draw, *, two_pools: bool, largest: int = 24) -> list[Person[int]]:
    size = draw(st.integers(0, largest))
    kinds = draw(st.lists(st.tuples(AGES, CITIES, MANUAL_SCORES), min_size=size, max_size=size))
    pools = draw(st.lists(st.integers(0, 1 if two_pools else 0), min_size=size, max_size=size))
    return [Person(number, pool, *kind) for number, (pool, kind) in enumerate(zip(pools, kinds, strict=True))]


def pools(first: int, second: int) -> list[Person[int]]:
    """People who are all alike."""
    return [Person(number, int(number >= first), 30, "Lyon", 2) for number in range(first + second)]
