"""SPEC 3.3: AMQP topic wildcards; no database."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.events import topics

WORDS = ("a", "b", "stage", "x-1", "x_1")
keys = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(".".join)
patterns = st.lists(st.sampled_from([*WORDS, "*", "#"]), min_size=1, max_size=6).map(".".join)


def naive(pattern: list[str], words: list[str]) -> bool:
    """The rules as AMQP 0-9-1 states them, word for word, with no thought for speed."""
    if not pattern:
        return not words
    first, rest = pattern[0], pattern[1:]
    if first == "#":
        return any(naive(rest, words[n:]) for n in range(len(words) + 1))
    return bool(words) and first in ("*", words[0]) and naive(rest, words[1:])


@given(patterns, keys)
def test_it_agrees_with_the_rules_spelt_out(pattern: str, key: str) -> None:
    assert topics.matches(pattern, key) == naive(pattern.split("."), key.split("."))


@given(patterns, keys)
def test_the_regular_expression_matches_the_same_keys(pattern: str, key: str) -> None:
    assert (re.search(topics.as_regex(pattern), key) is not None) == topics.matches(pattern, key)


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        ("student.created", "student.created", True),
        ("student.created", "student.updated", False),
        ("student.*", "student.created", True),
        ("student.*", "student", False),
        ("student.*", "student.profile.created", False),
        ("*.created", "student.created", True),
        ("*", "student", True),
        ("*", "student.created", False),
        ("student.#", "student", True),
        ("student.#", "student.profile.created", True),
        ("student.#", "students.created", False),
        ("#", "anything.at.all", True),
        ("#.created", "created", True),
        ("#.created", "auth.user.created", True),
        ("auth.#.created", "auth.created", True),
        ("auth.#.created", "auth.user.deleted", False),
        ("#.#", "one", True),
        ("*.#", "one", True),
        ("#.*", "one", True),
        ("*.#.*", "one", False),
        # RabbitMQ's own examples.
        ("*.orange.*", "quick.orange.rabbit", True),
        ("*.*.rabbit", "quick.orange.rabbit", True),
        ("*.orange.*", "quick.orange.new.rabbit", False),
        ("lazy.#", "lazy.orange.new.rabbit", True),
        # Case matters, and no character but * and # alone is anything but itself.
        ("Student.*", "student.created", False),
        ("st*.created", "student.created", False),
        ("a.b", "axb", False),
    ],
)
def test_these_match_and_these_do_not(pattern: str, key: str, expected: bool) -> None:
    assert topics.matches(pattern, key) is expected


def test_a_pattern_made_to_take_long_does_not() -> None:
    # By backtracking it would take longer than the universe has: the test would not end.
    key = ".".join(["a"] * 127)
    assert not topics.matches(".".join(["#", "a"] * 60 + ["b"]), key)


@pytest.mark.parametrize("key", ["a", "a.b", "auth.user.created", "A-1_b.2", "x" * 255])
def test_these_are_routing_keys(key: str) -> None:
    assert topics.is_routing_key(key)


@pytest.mark.parametrize(
    "key",
    ["", ".", "a.", ".a", "a..b", "a b", "a.*", "#", "é", "a\n", "a\x00", "a/b", "x" * 256, "٣"],
)
def test_these_are_none(key: str) -> None:
    assert not topics.is_routing_key(key)


@pytest.mark.parametrize("pattern", ["#", "*", "a.*", "#.a.*.b", "a"])
def test_these_are_patterns(pattern: str) -> None:
    assert topics.is_pattern(pattern)


@pytest.mark.parametrize("pattern", ["", "a*", "**", "a.##", "a..*", "*.", "a.*\n", "a b", "#" * 256])
def test_these_are_no_patterns(pattern: str) -> None:
    assert not topics.is_pattern(pattern)
