"""Whatever a stranger sends, an occurrence keeps its bounds and nothing raises but Malformed."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalation.intake.formats import cloudevents, generic
from escalation.intake.occurrence import (
    SEVERITIES,
    Malformed,
    Occurrence,
    details_of,
    key_made_of,
    key_of,
    labels_of,
    line_of,
    link_of,
    occurrence_of,
    severity_of,
    time_of,
)
from tests.escalation.intake.taken import TAKERS, Sample, samples, taken

#: Where PostgreSQL, a parser or a bound could trip; nothing here is a link but the last.
NASTY = (
    "", " ", "\x00", "a\x00b", "\ud800", "\udfff\ud800", "\u202egnp.exe", "x" * 255, "x" * 256, "é" * 5_000,
    "9" * 5_000, "1" * 13, "line\r\nline\u2028line", "javascript:alert(1)", "http://", "http://[", "https://[::1",
    "//x.example", "https://x.example/" + "a" * 3_000, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59",
    "2026-13-01", "NaN", "resolved", "trigger", "1.0", "https://x.example/a?b=c",
)  # fmt: skip
TEXTS = st.sampled_from(NASTY) | st.text(st.characters(exclude_categories=()), max_size=20)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXTS
    | st.sampled_from([10**400, -1, 1e308, 2**63])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
SAMPLES = [each.values[0] for each in samples()]


def assert_bounded(occurrence: Occurrence) -> None:
    assert 1 <= len(occurrence.key) <= 255
    assert occurrence.key.isprintable()
    assert occurrence.key.strip()
    assert _is_line(occurrence.title, 200)
    assert _is_line(occurrence.by, 100)
    assert len(occurrence.details) <= 4_000
    assert _is_storable(occurrence.details)
    assert occurrence.severity in ("", "critical", "standard")
    assert len(occurrence.labels) <= 64
    assert all(name and value for name, value in occurrence.labels.items())
    assert all(_is_line(name, 100) and _is_line(value, 500) for name, value in occurrence.labels.items())
    assert occurrence.link == "" or occurrence.link.lower().startswith(("http://", "https://"))
    assert _is_line(occurrence.link, 2_048)
    assert occurrence.at is None or datetime(1970, 1, 1, tzinfo=UTC) < occurrence.at < datetime(
        2100, 1, 1, tzinfo=UTC
    )


@pytest.mark.slow
@given(JSON, st.sampled_from(SAMPLES))
@settings(deadline=None, derandomize=True, max_examples=150)
def test_any_json_is_taken_within_bounds_or_refused(body: Any, sample: Sample) -> None:
    with suppress(Malformed):
        for occurrence in taken(sample, body):
            assert_bounded(occurrence)


@pytest.mark.slow
@given(st.data())
@settings(deadline=None, derandomize=True, max_examples=400)
def test_a_real_body_with_something_else_in_one_place_is_too(data: st.DataObject) -> None:
    sample = data.draw(st.sampled_from(SAMPLES))
    body = _changed(json.loads(json.dumps(sample["body"])), data.draw)
    with suppress(Malformed):
        for occurrence in taken(sample, body):
            assert_bounded(occurrence)


@pytest.mark.slow
@given(
    st.dictionaries(
        st.sampled_from(["ce-id", "Ce-Source", "ce-type", "CE-SpecVersion", "ce-x", "content-type"]), TEXTS
    ),
    JSON,
)
@settings(deadline=None, derandomize=True)
def test_any_headers_are_taken_within_bounds_or_refused(headers: dict[str, str], body: Any) -> None:
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/x", "ce-type": "x.failed", **headers}
    with suppress(Malformed):
        for occurrence in cloudevents.occurrences(body, headers):
            assert_bounded(occurrence)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:deprecated string literal syntax")
@given(st.text(alphabet="abc@.*[]{}|&!'`(),:1 \"", max_size=30), JSON)
@settings(deadline=None, derandomize=True)
def test_any_expression_is_taken_within_bounds_or_refused(expression: str, body: Any) -> None:
    for name in ("title", "labels", "items"):
        with suppress(Malformed):
            for occurrence in generic.occurrences(generic.JsonMapping(key="'k'", **{name: expression}), body):
                assert_bounded(occurrence)


@pytest.mark.slow
@pytest.mark.parametrize("kind", TAKERS)
def test_what_is_nested_a_thousandfold_is_taken_or_refused(kind: str) -> None:
    deep = _nested(100_000)
    sample = next(each for each in SAMPLES if each["format"] == kind and isinstance(each["body"], dict))
    for body in (
        deep,
        {**sample["body"], **dict.fromkeys(("payload", "data", "alerts", "details", "extra"), deep)},
    ):
        with suppress(Malformed):
            for occurrence in taken(sample, body):
                assert_bounded(occurrence)


def test_texts_are_cut_and_cleaned() -> None:
    assert line_of(" a\r\n\tb\x00c\u202ed ", 200) == "a b c d"
    assert line_of("é" * 300, 200) == "é" * 200
    assert line_of(7.5, 10) == "7.5"
    assert line_of(None, 10) == ""
    assert details_of("a\x00\ud800b\r\n\tc\n") == "ab\n\tc"
    assert details_of({"a": 1, "b": None, "c": {"d": True}}) == 'a: 1\nc: {"d": true}'
    # A link that would be cut in two leads nowhere.
    assert details_of("a" * 3_990 + " https://x.example/y") == "a" * 3_990
    assert len(details_of("a" * 10_000)) == 4_000


def test_keys_are_kept_as_they_are_where_they_can_be() -> None:
    assert key_of("k" * 255) == "k" * 255
    assert key_of(" магазин № 7 ") == " магазин № 7 "
    assert key_of(7) == "7"
    hashed = {key_of(each) for each in ("k" * 256, "k" * 257, "a\x00", "a\ud800", "a\n")}
    assert len(hashed) == 5
    assert all(len(each) == 71 and each.startswith("sha256:") for each in hashed)
    for wrong in ("", " \n", None, True, [], {}, 10**5000):
        with pytest.raises(Malformed):
            key_of(wrong)


def test_a_made_key_is_that_of_the_value_whatever_its_order() -> None:
    assert key_made_of({"a": 1, "b": [2]}) == key_made_of({"b": [2], "a": 1})
    assert len({key_made_of(each) for each in ({"a": 1}, {"a": "1"}, {"a": [1]}, {}, None, "\ud800")}) == 6
    assert len(key_made_of({})) == 32
    with pytest.raises(Malformed):
        key_made_of(_nested(100_000))


def test_labels_are_the_first_that_have_something_to_match() -> None:
    given_ = {
        "a": "x",
        "b": 1,
        "c": True,
        "d": None,
        "e": [1],
        "f": {},
        "g": "",
        " ": "y",
        "h" * 200: "z" * 900,
    }
    assert labels_of(given_) == {"a": "x", "b": "1", "c": "true", "h" * 100: "z" * 500}
    assert list(labels_of({str(each): "x" for each in range(100)})) == [str(each) for each in range(64)]
    assert labels_of(["a"]) == {}


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("2026-11-30T09:14:02.511Z", "2026-11-30T09:14:02.511000+00:00"),
        ("2026-11-30T09:14:02.123456789+02:00", "2026-11-30T07:14:02.123456+00:00"),
        ("2015-07-17T08:42:58.315+0000", "2015-07-17T08:42:58.315000+00:00"),
        ("2026-11-30 09:14:02", "2026-11-30T09:14:02+00:00"),
        (1796029442, "2026-11-30T09:04:02+00:00"),
        (1796029442.25, "2026-11-30T09:04:02.250000+00:00"),
        (1796029442250, "2026-11-30T09:04:02.250000+00:00"),
        ("1796029442", "2026-11-30T09:04:02+00:00"),
        ("0001-01-01T00:00:00Z", None), ("2100-01-01T00:00:00Z", None), ("soon", None),
        ("9999-12-31T23:59:59-23:59", None), ("0001-01-01T00:00:00+23:59", None), ("", None), (0, None),
        (True, None), (-1, None), (float("nan"), None), (float("inf"), None), (10**400, None),
        (None, None), ([], None),
    ],
)  # fmt: skip
def test_times_of_all_kinds(value: Any, at: str | None) -> None:
    found = time_of(value)
    assert (found and found.isoformat()) == at


@pytest.mark.parametrize("link", ["https://x.example/a?b=c#d", "http://192.0.2.7:8080", "HTTPS://X.example"])
def test_links_to_the_web_are_kept(link: str) -> None:
    assert link_of(None, "ftp://x.example", link, "https://second.example") == link


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "//x.example",
        "https://",
        "https://[::1",
        "http://x.example/a b",
        "http://x.example/\n",
        "http://x.example:70000",
        7,
    ],
)
def test_other_links_are_left_out(link: Any) -> None:
    assert link_of(link) == ""
    assert occurrence_of(key="k", link=link).link == ""


def test_a_link_may_be_as_long_as_a_url() -> None:
    link = "https://x.example/".ljust(2_048, "a")
    assert link_of(link) == link
    assert link_of(link + "a") == ""


def test_severities_are_known_in_any_case() -> None:
    assert severity_of(" CRITICAL ") == "critical"
    assert severity_of("Not classified") == "standard"
    assert severity_of("P3") == "standard"
    assert [severity_of(each) for each in ("", "unheard of", 1, None, ["critical"])] == [""] * 5
    assert set(SEVERITIES.values()) == {"critical", "standard"}


def _is_line(text: str, most: int) -> bool:
    return (
        len(text) <= most
        and "\n" not in text
        and "\r" not in text
        and "\u2028" not in text
        and _is_storable(text)
    )


def _is_storable(text: str) -> bool:
    text.encode()
    return "\x00" not in text and "\u202e" not in text


def _nested(times: int) -> Any:
    value: Any = "x"
    for _ in range(times):
        value = [value]
    return value


def _changed(value: Any, draw: Callable[[st.SearchStrategy[Any]], Any]) -> Any:
    """A body with one of its values, at any depth, replaced."""
    if isinstance(value, dict | list) and value and draw(st.integers(0, 5)):
        place = draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
        value[place] = _changed(value[place], draw)
        return value
    return draw(JSON)
