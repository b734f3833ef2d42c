"""Whoever may edit a text can do nothing with it but write texts."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.template import TemplateSyntaxError
from django.utils import translation

from notifications.messages.sandbox import (
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_TEXT,
    Budgeted,
    PlainTemplate,
    TooMuch,
    plain,
)


def render(source: str, **variables: Any) -> str:
    return PlainTemplate(source).render(Budgeted(plain(variables)))


@pytest.mark.parametrize(
    "source",
    [
        "{% load static %}",
        "{% include 'admin/index.html' %}",
        "{% extends 'admin/index.html' %}",
        "{% block a %}{% endblock %}",
        "{% debug %}",
        "{% url 'admin:index' %}",
        "{% csrf_token %}",
        "{% now 'Y' %}",
        "{% lorem 100000 %}",
        "{% autoescape on %}{% endautoescape %}",
        "{% filter upper %}{% endfilter %}",
        "{% cycle 'a' 'b' %}",
        "{{ a|safe }}",
        "{{ a|pprint }}",
        "{{ a|ljust:1000000000 }}",
        "{{ a|stringformat:'1000000000d' }}",
        "{{ a|floatformat:1000000000 }}",
        "{{ a|make_list }}",
        "{{ a|dictsort:'b' }}",
        "{{ a._private }}",
        "{{ _private }}",
        "{{ a.__class__ }}",
    ],
)
def test_what_reaches_further_than_the_text_does_not_compile(source: str) -> None:
    with pytest.raises(TemplateSyntaxError):
        PlainTemplate(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ name.upper }}",
        "{{ name.format }}",
        "{{ name.encode }}",
        "{{ items.pop }}",
        "{{ items.clear }}",
        "{{ items.copy }}",
        "{{ person.items }}",
        "{{ person.clear }}",
        "{{ person.keys }}",
        "{{ number.real }}",
        "{{ number.bit_length }}",
        "{% for each in person.values %}{{ each }}{% endfor %}",
        "{% if name.upper %}yes{% endif %}",
        "{% with a=items.copy %}{{ a }}{% endwith %}",
        "{% with a=name.upper %}{{ a }}{% endwith %}",
        "{{ ''|default:name.upper }}",
    ],
)
def test_attributes_and_methods_are_as_if_they_were_not_there(source: str) -> None:
    known = {"name": "ana", "items": [1], "person": {"a": 1}, "number": 7}
    variables = plain(known)
    assert PlainTemplate(source).render(Budgeted(variables)) in ("", "None")
    assert variables == known


def test_keys_that_are_named_like_methods_are_found() -> None:
    assert render(
        "{{ a.items }} {{ a.title }} {{ a.b.0.count }}", a={"items": 1, "title": "T", "b": [{"count": 3}]}
    ) == ("1 T 3")


def test_texts_are_plain_and_nothing_is_escaped() -> None:
    assert render("{{ a }} & <b>", a="<i> & 'x'") == "<i> & 'x' & <b>"


def test_a_missing_name_is_an_empty_text() -> None:
    assert render("a{{ b.c.d }}{% if b %}!{% endif %}{% for x in b %}x{% empty %}-{% endfor %}z") == "a-z"


def test_the_language_of_texts_is_djangos() -> None:
    numbered = "{% for x in xs %}{{ forloop.counter }}{{ x.n|upper }}{% if not forloop.last %}, {% endif %}"
    assert render(numbered + "{% endfor %}", xs=[{"n": "a"}, {"n": "b"}]) == "1A, 2B"
    assert (
        render("{% with b=a|first %}{{ b }}{% endwith %}{# x #}{% comment %}z{% endcomment %}", a=["q"])
        == "q"
    )
    assert render("{{ a|join:'-' }} {{ a|length }} {{ b|default:'none' }}", a=[1, 2]) == "1-2 2 none"
    pairs = "{% for k, v in pairs %}{{ k }}={{ v }};{% endfor %}"
    assert render(pairs, pairs=[["a", 1], ["b", 2]]) == "a=1;b=2;"


TIMES_100 = list(range(100))


def looped(inner: str, over: str = "xs", times: int = 4) -> str:
    return f"{{% for a in {over} %}}" * times + inner + "{% endfor %}" * times


BOMBS = {
    "nested loops": looped("x"),
    "empty loops": looped(""),
    "loops over texts": looped("", over="s", times=3),
    "looking up": looped("{% if s|upper == 'a' %}{% endif %}" * 200, times=2),
    "long filters": looped("{% if s" + "|upper|lower" * 500 + " == 'a' %}{% endif %}", times=2),
    "much text": looped("{{ s }}", times=1),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_what_would_make_much_out_of_little_is_ended(bomb: str) -> None:
    with pytest.raises(TooMuch):
        render(BOMBS[bomb], xs=TIMES_100, s="y" * MAX_TEXT)


@pytest.mark.parametrize(
    "steps",
    [
        ("xs|join:s", "a|join:a", "a|join:a", "a|join:a"),
        ("0|date:s", "0|date:a", "0|date:a", "0|date:a"),
        ("xs|join:s|join:s|join:s|join:s|join:s",),
        ("s|upper", "a|title", "a|capfirst", "a|upper"),
    ],
)
def test_no_chain_of_filters_grows_without_bounds(steps: tuple[str, ...]) -> None:
    source = (
        "".join(f"{{% with a={step} %}}" for step in steps) + "{{ a|length }}" + "{% endwith %}" * len(steps)
    )
    assert int(render(source, xs=["y" * MAX_TEXT] * 100, s="F" * MAX_TEXT)) <= MAX_TEXT


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (1742470260.083, "2025-03-20 11:31"),
        (1742470260, "2025-03-20 11:31"),
        ("2026-03-20T23:31:00Z", "2026-03-20 23:31"),
        ("2026-03-20T23:31:00+02:00", "2026-03-20 21:31"),
        ("2026-03-20T23:31:00", "2026-03-20 23:31"),
        ("2026-03-20", "2026-03-20 00:00"),
        (datetime(2026, 3, 20, 23, 31, tzinfo=UTC), "2026-03-20 23:31"),
        (date(2026, 3, 20), "2026-03-20 00:00"),
        ("0001-01-01T00:00:00+01:00", "0001-01-01T00:00:00+01:00"),
        ("9999-12-31T23:59:59-05:00", "9999-12-31T23:59:59-05:00"),
        ("soon", "soon"),
        ("2026-13-45", "2026-13-45"),
        (1e300, "1e+300"),
        (True, "True"),
        ([1], "[1]"),
    ],
)
def test_the_date_filter_shows_utc_and_leaves_what_is_no_time(given: Any, shown: str) -> None:
    assert render("{{ at|date }}", at=given) == shown


def test_months_and_numbers_are_the_languages_own() -> None:
    source = '{{ at|date:"j F Y" }}, {{ grade }}'
    with translation.override("fr"):
        assert render(source, at="2026-02-03", grade=15.5) == "3 février 2026, 15,5"
    with translation.override("en"):
        assert render(source, at="2026-02-03", grade=15.5) == "3 February 2026, 15.5"


def test_variables_become_plain_and_bounded_data() -> None:
    class Trap(str):
        def __str__(self) -> str:
            return "trap"

    identity = UUID(int=5)
    made = plain(
        {
            1: Trap("x" * (MAX_TEXT + 1)),
            "many": list(range(MAX_ITEMS + 50)),
            "id": identity,
            "amount": Decimal("1.50"),
            "at": datetime(2026, 1, 2, tzinfo=UTC),
            "huge": 10**5000,
            "nan": float("nan"),
            "null": None,
            "nested": {"null": None, "a": (1, 2)},
            "true": True,
        }
    )
    assert type(made["1"]) is str
    assert len(made["1"]) <= MAX_TEXT
    assert made["many"] == list(range(MAX_ITEMS))
    assert made["id"] == str(identity)
    assert made["amount"] == "1.50"
    assert made["at"] == "2026-01-02T00:00:00+00:00"
    assert made["nested"] == {"a": [1, 2]}
    assert made["true"] is True
    assert not {"huge", "nan", "null"} & made.keys()


def test_nesting_is_bounded() -> None:
    deep: Any = "bottom"
    for _ in range(MAX_DEPTH + 5):
        deep = {"a": deep}
    assert "bottom" not in str(plain(deep))


def test_a_template_knows_which_names_it_needs() -> None:
    source = (
        "{{ a.b|default:c }}{% for x in d.e %}{{ x.y }}{{ forloop.counter }}{% endfor %}"
        "{% with z=f %}{{ z }}{% endwith %}{% if g == 1 and h %}{{ 'text' }}{{ True }}{% endif %}"
    )
    assert PlainTemplate(source).unmade == {("a", "b"), ("c",), ("d", "e"), ("f",), ("g",), ("h",)}
