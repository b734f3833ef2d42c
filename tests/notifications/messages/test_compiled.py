"""A text is rendered into one line of title and a bounded body, or says why it can't be."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.messages.compiled import (
    MAX_BODY,
    MAX_TITLE,
    Compiled,
    Faulty,
    Text,
    clean_body,
    clean_title,
)


def text(title: str, body: str = "") -> Compiled:
    return Compiled("k", "en", "", "file", Text(title, body))


def render(title: str, body: str = "", **variables: Any) -> Text:
    return text(title, body).render(variables)


def test_a_title_is_one_line_without_control_characters() -> None:
    assert render("{{ a }} b", a="x\r\nBcc: y\x00\x1b[0m\u2028\u202e z\t").title == "x Bcc: y [0m z b"


def test_a_title_is_cut_to_what_is_stored() -> None:
    title = render("{{ a }}", a="x" * 500).title
    assert title == "x" * (MAX_TITLE - 1) + "…"
    assert render("{{ a }}", a="x" * MAX_TITLE).title == "x" * MAX_TITLE


def test_a_body_keeps_its_lines_and_loses_what_an_if_left_empty() -> None:
    source = "\n\na  \n{% if no %}\nb\n{% endif %}\n\n\n\nc\td\x00\r\n"
    assert render("t", source).body == "a\n\nc\td"


def test_a_body_is_bounded() -> None:
    body = render("t", "{% for x in xs %}{{ x }}{% endfor %}", xs=["y" * 300] * 100).body
    assert len(body) == MAX_BODY
    assert body.endswith("…")


@given(st.text())
def test_whatever_comes_out_can_be_stored(anything: str) -> None:
    for cleaned in (clean_title(anything), clean_body(anything)):
        assert "\x00" not in cleaned
        assert "\r" not in cleaned
        cleaned.encode()
    assert "\n" not in clean_title(anything)


def test_half_a_character_is_left_out() -> None:
    assert clean_title("a\ud800b") == "a b"
    assert clean_body("a\ud800b") == "ab"


def test_a_title_that_comes_out_empty_is_a_fault() -> None:
    with pytest.raises(Faulty, match="title is empty"):
        render("{{ missing }}  ", "body")


def test_a_text_that_does_not_compile_says_where_and_is_a_fault_only_when_rendered() -> None:
    broken = text("fine", "one\ntwo {% if a %}\nthree")
    assert str(broken.fault) == "body, line 2: Unclosed tag: 'if'. Looking for one of: elif, else, endif."
    with pytest.raises(Faulty, match="line 2"):
        broken.render({})


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("{% load x %}", "title, line 1: Invalid block tag: 'load'"),
        ("{{ a|nope }}", "title, line 1: Invalid filter: 'nope'"),
        ("{{ a b }}", "title, line 1: Could not parse the remainder: ' b' from 'a b'"),
        ("{{ }}", "title, line 1: Empty variable tag"),
    ],
)
def test_faults_are_in_words_for_whoever_wrote_it(source: str, error: str) -> None:
    assert str(text(source).fault) == error


def test_a_text_nested_too_deep_is_a_fault_and_nothing_worse() -> None:
    assert text("t", "{% if a %}" * 3000 + "{% endif %}" * 3000).fault


def test_whatever_fails_while_rendering_is_a_fault() -> None:
    with pytest.raises(Faulty, match="ValueError"):
        render("t", "{% for a, b in xs %}{% endfor %}", xs=[[1]])


def test_a_fault_does_not_spoil_the_next_rendering() -> None:
    compiled = text("t", "{% for a, b in xs %}{{ a }}{% endfor %}")
    with pytest.raises(Faulty):
        compiled.render({"xs": [[1]]})
    assert compiled.render({"xs": [[1, 2]]}).body == "1"


def test_a_text_is_known_by_its_wording() -> None:
    assert text("a", "b").digest == text("a", "b").digest
    assert text("a", "b").digest != text("ab", "").digest
