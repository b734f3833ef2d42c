"""How a person is told is decided twice, by the fan-out's SQL and in Python: both give the same answer."""

from collections.abc import Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from accounts.models import User
from config import clock
from notifications import rules
from notifications.engine.fanout import preview
from notifications.engine.recipients import people_with_preferences, recipients
from notifications.messages import catalogue
from notifications.models import ChannelHours, ContactPoint, Preference, Severity, Subscription
from notifications.reasons import Reason

CHANNELS = ("bot", "email", "inbox", "phone", "push", "sms", "telegram", "webhook")
# Alerts are told by the fan-out alone, which leaves the inbox out.
KINDS = sorted({*catalogue.kinds(), "escalation", "of.a.plugin"} - {"alert"})
ZONES = ("UTC", "Europe/Paris", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu")
# Where it may be the last, or the first, minute of quiet hours; and where clocks are put on.
TIMES = (time(0), time(2, 30), time(7), time(12), time(21), time(23, 59))
MOMENTS = st.one_of(
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
    st.sampled_from([datetime(2026, 3, day, hour, tzinfo=UTC) for day in (28, 29) for hour in range(24)]),
)


def kinds_of_rules(kind: str) -> st.SearchStrategy[str]:
    """Rules that hold for a kind, and others."""
    held = rules.applicable(kind, Severity.STANDARD)
    return st.sampled_from([*held, "", "alert", "dating.*", "stage.accepted"])


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(KINDS) | st.sampled_from(["dating.link", "escalation"]))
    two = st.lists(st.sampled_from(TIMES), min_size=2, max_size=2, unique=True)
    quiet = draw(st.one_of(two, two, st.none()))
    preference = st.fixed_dictionaries(
        {
            "level": st.sampled_from(Preference.Level.values),
            "quiet_from": st.just(quiet[0] if quiet else None),
            "quiet_until": st.just(quiet[1] if quiet else None),
            "digest": st.booleans(),
        }
    )
    hours = st.one_of(
        st.tuples(st.sampled_from(["always", "never"]), st.none(), st.none()),
        st.sampled_from(TIMES).map(lambda at: ("digest", at, at)),
        two.map(lambda span: ("hours", *span)),
    )
    of_channel = st.tuples(st.sampled_from([*CHANNELS]), st.sampled_from(Severity.values))
    point = st.tuples(st.sampled_from(CHANNELS), st.booleans(), st.booleans())
    rule = st.tuples(st.sampled_from(["", *CHANNELS]), kinds_of_rules(kind))
    return {
        "kind": kind,
        "severity": draw(st.sampled_from(Severity.values)),
        "at": draw(MOMENTS),
        "time_zone": draw(st.sampled_from(ZONES)),
        "is_active": draw(st.sampled_from([True, True, True, False])),
        "preference": draw(st.one_of(preference, preference, st.none())),
        "points": draw(st.lists(point, max_size=6)),
        "hours": draw(st.dictionaries(of_channel.filter(lambda each: each[0] != "inbox"), hours, max_size=6)),
        "rules": draw(st.dictionaries(rule, st.booleans(), max_size=5)),
    }


@contextmanager
def undone():
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def furnish(user: User, case: Mapping[str, Any]) -> User:
    User.objects.filter(pk=user.pk).update(time_zone=case["time_zone"], is_active=case["is_active"])
    if case["preference"] is not None:
        Preference.objects.create(user=user, **case["preference"])
    before = clock.now() - timedelta(days=1)
    ContactPoint.objects.bulk_create(
        ContactPoint(
            user=user,
            channel=channel,
            address=str(number),
            is_enabled=is_enabled,
            # The inbox has no address to be confirmed.
            confirmed_at=before if is_confirmed or channel == "inbox" else None,
        )
        for number, (channel, is_enabled, is_confirmed) in enumerate(case["points"])
    )
    Subscription.objects.bulk_create(
        Subscription(user=user, channel=channel, kind=kind, is_enabled=is_enabled)
        for (channel, kind), is_enabled in case["rules"].items()
    )
    ChannelHours.objects.bulk_create(
        ChannelHours(user=user, channel=channel, severity=severity, told=told, begins=begins, ends=ends)
        for (channel, severity), (told, begins, ends) in case["hours"].items()
    )
    return User.objects.get(pk=user.pk)


Answer = tuple[UUID | None, str, bool, str, datetime]


def by_sql(user: User, case: Mapping[str, Any]) -> set[Answer]:
    """As the fan-out would; but what it holds for a digest is told by itself where it is planned."""
    own = {channel for channel, severity in case["hours"] if severity == case["severity"]}
    decisions = preview(user=user, kind=case["kind"], severity=case["severity"], at=case["at"])
    return {
        (
            each.contact_point_id,
            each.channel,
            each.status != "suppressed",
            (Reason.HOURS if each.channel in own else Reason.QUIET_HOURS)
            if each.reason == Reason.DIGEST
            else each.reason,
            each.held_until or each.due_at,
        )
        for each in decisions
    }


def by_python(user: User, case: Mapping[str, Any]) -> set[Answer]:
    person = people_with_preferences([user])[user.pk]
    found = recipients(person, kind=case["kind"], severity=case["severity"], at=case["at"])
    return {
        (each.contact_point and each.contact_point.pk, each.channel, each.is_told, each.reason, each.due_at)
        for each in found
    }


NIGHT = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
HELD = {
    "kind": "stage.accepted", "severity": "standard", "at": NIGHT, "time_zone": "Europe/Paris",
    "is_active": True, "rules": {}, "hours": {}, "points": [("email", True, True), ("sms", False, False)],
    "preference": {"level": "STANDARD", "quiet_from": time(21), "quiet_until": time(7), "digest": True},
}  # fmt: skip


@pytest.mark.slow
@settings(
    deadline=None,
    derandomize=True,
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(case=cases())
@example(case=HELD)
@example(case={**HELD, "kind": "dating.link"})
@example(case={**HELD, "hours": {("email", "standard"): ("digest", time(18), time(18))}})
@example(
    case={**HELD, "severity": "critical", "hours": {("email", "critical"): ("hours", time(9), time(18))}}
)
@example(case={**HELD, "hours": {("email", "standard"): ("always", None, None)}})
def test_a_person_is_told_as_the_fan_out_would_tell_them(owner: User, case: dict[str, Any]) -> None:
    with undone():
        user = furnish(owner, case)
        assert by_python(user, case) == by_sql(user, case)


def test_what_quiet_hours_hold_of_it_is_told_at_their_end_and_in_no_digest(owner: User) -> None:
    user = furnish(owner, HELD)
    email = user.contact_points.get(channel="email")
    ends = datetime(2026, 3, 29, 5, tzinfo=UTC)
    assert (email.pk, "email", True, "quiet_hours", ends) in by_python(user, HELD)


def test_what_could_be_told_by_many_ways_is_told_by_the_chosen_ones(owner: User) -> None:
    user = furnish(owner, HELD)
    person = people_with_preferences([user])[user.pk]
    chosen = recipients(person, kind="escalation", severity="critical", at=NIGHT, channels=["sms"])
    assert [(each.channel, each.is_told, each.reason) for each in chosen] == [("sms", False, "disabled")]


def test_what_follows_on_something_that_was_held_keeps_its_distance(owner: User) -> None:
    user = furnish(owner, HELD)
    person = people_with_preferences([user])[user.pk]
    noon = datetime(2026, 3, 29, 12, tzinfo=UTC)
    after = timedelta(hours=5)
    found = recipients(
        person, kind="escalation", severity="standard", at=noon, channels=["email"], held_back=after
    )
    assert [(each.due_at, each.reason) for each in found] == [(noon + after, "quiet_hours")]


def test_many_people_take_as_many_queries_as_one(
    owner: User, teammate: User, stranger: User, django_assert_num_queries: Any
) -> None:
    for asked in ([owner], [owner, teammate, stranger]):
        with django_assert_num_queries(4):  # contact points, rules, hours, preferences
            people_with_preferences(asked)
