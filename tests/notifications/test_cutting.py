"""A text that is cut keeps its links whole, or loses them."""

import pytest

from notifications.channels.transport.plain_text import cut
from notifications.cutting import before_link
from notifications.messages.compiled import MAX_BODY, Compiled, Text, clean_body

LINK = "https://tocsin.example.com/dating/invitations/abc.ics"


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        (3, "See"),
        (4, "See "),
        (5, "See"),
        (4 + len(LINK) - 1, "See"),
        (4 + len(LINK), f"See {LINK}"),
        (4 + len(LINK) + 3, f"See {LINK} or"),
        (1000, f"See {LINK} or not"),
    ],
)
def test_a_link_is_kept_whole_or_left_out(kept: int, expected: str) -> None:
    assert before_link(f"See {LINK} or not", kept) == expected


def test_whatever_cuts_a_message_keeps_to_that() -> None:
    text = Compiled("k", "en", "", "file", Text("t", "{{ a|truncatechars:20 }}"))
    assert text.render({"a": f"See {LINK}"}).body == "See…"
    assert cut(f"\U0001f514 See {LINK}", 20) == "\U0001f514 See…"
    assert clean_body(f"{'x' * (MAX_BODY - 10)} {LINK}") == f"{'x' * (MAX_BODY - 10)}…"
