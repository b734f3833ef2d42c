"""Numbers in queries, forms and headers are held to their bounds, however they are spelled."""

import pytest

from config.digits import whole


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("7", 7), ("007", 7), ("200", 200)])
def test_a_number_within_its_bound_is_read(text: str, number: int) -> None:
    assert whole(text, most=200) == number


TEXTS = ["", " 7", "+7", "-7", "7.0", "1_0", "٧", "²", "201", "0007", "000001000000", "0" * 5000, "9" * 5000]


@pytest.mark.parametrize("text", TEXTS)
def test_nothing_else_is(text: str) -> None:
    assert whole(text, most=200) is None
