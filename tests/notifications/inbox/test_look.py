"""How much of what is new is written to a stream at once, and where it goes on."""

import pytest

from notifications.inbox.look import PAGE, News


def news(count: int, last_number: int, size: int = 10) -> News:
    return News(last_number, unread=0, notices=[(number, b"x" * size) for number in range(1, count + 1)])


def test_all_of_it_leads_to_where_the_inbox_is() -> None:
    assert news(2, last_number=7).part(1000) == ([b"x" * 10] * 2, 7)
    assert news(0, last_number=7).part(1000) == ([], 7)


def test_a_full_page_leads_to_its_last_item() -> None:
    chosen, after = news(PAGE, last_number=500).part(1000)
    assert (len(chosen), after) == (PAGE, PAGE)


@pytest.mark.parametrize(("most_bytes", "count"), [(20, 2), (29, 2), (30, 3), (10, 1)])
def test_no_more_is_written_than_fits(most_bytes: int, count: int) -> None:
    chosen, after = news(5, last_number=7).part(most_bytes)
    assert (len(chosen), after) == (count, count)


@pytest.mark.slow
def test_an_item_that_never_fits_is_written_alone() -> None:
    assert news(3, last_number=3, size=100).part(10) == ([b"x" * 100], 1)
