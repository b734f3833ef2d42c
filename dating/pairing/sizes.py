"""How many people go into each group: as even as can be, and nobody without a partner."""


def split_two_pools(first: int, second: int, users_limit: int) -> tuple[list[int], list[int]]:
    """The sizes of the groups in each pool: as few groups as hold everyone, each with people of both.

    There can't be more groups than the smaller pool has people. What the groups can't hold then is left
    out of the larger pool.
    """
    _check(users_limit)
    if not first or not second:
        return [], []
    if first < second:
        return split_two_pools(second, first, users_limit)[::-1]
    number = min(-(-(first + second) // users_limit), second)
    first = min(first, number * users_limit - second)
    # Those pools' larger groups lie at opposite ends, so that no group is larger than it must be.
    return _even(first, number), _even(second, number)[::-1]


def split_one_pool(people: int, users_limit: int) -> list[int]:
    """The sizes of the groups, two people at least in each."""
    _check(users_limit)
    if people < 2:
        return []
    number = min(-(-people // users_limit), people // 2)
    return _even(min(people, number * users_limit), number)


def _even(people: int, number: int) -> list[int]:
    return [people // number + (place < people % number) for place in range(number)]


def _check(users_limit: int) -> None:
    if users_limit < 2:
        raise ValueError(f"A group holds at least 2 people, not {users_limit}.")
