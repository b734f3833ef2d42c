"""Quiet hours, rules and the question "would I be told?" over HTTP."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import User
from notifications.engine.fanout import people
from notifications.engine.fanout.chunk import fan_out_chunk
from notifications.models import Delivery, Inbox, Notification, Preference, Subscription
from tests.factories import ContactPointFactory, PreferenceFactory
from tests.notifications.preferences.conftest import told_of

LogIn = Callable[[User], APIClient]
QUIET = {"quiet_from": "22:00", "quiet_until": "07:00"}
RULES = "/api/v1/subscriptions/"
NO_QUIET = {"level": "STANDARD", "quiet_from": None, "quiet_until": None, "digest": False}


# --- Quiet hours -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["/preferences", "/api/v1/preferences"])
def test_quiet_hours_are_set_read_and_cleared(as_user: LogIn, owner: User, base: str) -> None:
    client, path = as_user(owner), f"{base}/{owner.pk}"
    answer = client.patch(path, {**QUIET, "digest": True})
    assert answer.status_code == 200
    assert answer.json() == {"user_id": str(owner.pk), "level": "STANDARD", **QUIET, "digest": True}
    assert client.get(path).json() == answer.json()
    assert client.get(base).json() == answer.json()
    stored = Preference.objects.get()
    assert (stored.quiet_from, stored.quiet_until) == (time(22), time(7))
    cleared = client.patch(path, {"quiet_from": None, "quiet_until": None})
    assert cleared.json() == {**answer.json(), "quiet_from": None, "quiet_until": None}


def test_the_originals_put_leaves_quiet_hours_as_they_are(as_user: LogIn, owner: User) -> None:
    PreferenceFactory(user=owner, quiet_from=time(22), quiet_until=time(7), digest=True)
    answer = as_user(owner).put("/preferences", {"user_id": str(owner.pk), "level": "critical"})
    assert answer.json() == {"user_id": str(owner.pk), "level": "CRITICAL", **QUIET, "digest": True}


def test_a_put_can_set_them_too(as_user: LogIn, owner: User) -> None:
    body = {"user_id": str(owner.pk), "level": "CRITICAL", **QUIET}
    assert as_user(owner).put("/preferences", body).json() == {**body, "digest": False}


def test_one_end_can_be_moved_alone(as_user: LogIn, owner: User) -> None:
    PreferenceFactory(user=owner, quiet_from=time(22), quiet_until=time(7))
    answer = as_user(owner).patch(f"/preferences/{owner.pk}", {"quiet_until": "06:30"})
    assert (answer.json()["quiet_from"], answer.json()["quiet_until"]) == ("22:00", "06:30")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"quiet_from": "22:00"}, "quiet_until"),
        ({"quiet_until": "07:00"}, "quiet_from"),
        ({"quiet_from": "22:00", "quiet_until": None}, "quiet_until"),
        ({"quiet_from": "22:00", "quiet_until": "22:00"}, "quiet_until"),
        ({**QUIET, "quiet_from": "24:00"}, "quiet_from"),
        ({**QUIET, "quiet_from": "22:60"}, "quiet_from"),
        ({**QUIET, "quiet_from": "22"}, "quiet_from"),
        ({**QUIET, "quiet_from": "9:00"}, "quiet_from"),
        ({**QUIET, "quiet_from": "22:00:01"}, "quiet_from"),
        ({**QUIET, "quiet_from": "22:00\n"}, "quiet_from"),
        ({**QUIET, "quiet_from": "٢٢:٠٠"}, "quiet_from"),
        ({**QUIET, "quiet_from": 22}, "quiet_from"),
        ({**QUIET, "quiet_from": True}, "quiet_from"),
        ({**QUIET, "quiet_until": ["07:00"]}, "quiet_until"),
        ({**QUIET, "quiet_until": ""}, "quiet_until"),
        ({"digest": "yes"}, "digest"),
        ({"digest": None}, "digest"),
        ({"digest": 1}, "digest"),
        ({"level": "LOUD", "digest": True}, "level"),
        ({}, "level"),
        ({"nothing": 1}, "level"),
    ],
)
def test_a_bad_value_is_refused_and_changes_nothing(
    as_user: LogIn, owner: User, change: dict[str, Any], field: str
) -> None:
    refused = as_user(owner).patch(f"/preferences/{owner.pk}", change)
    assert refused.status_code == 400
    assert list(refused.json()) == [field]
    assert not Preference.objects.exists()


def test_to_a_stranger_nobody_has_quiet_hours(as_user: LogIn, owner: User, stranger: User) -> None:
    PreferenceFactory(user=owner, quiet_from=time(22), quiet_until=time(7))
    client = as_user(stranger)
    for someone in (owner.pk, uuid.uuid4()):
        assert client.patch(f"/preferences/{someone}", {"quiet_from": None}).status_code == 404
    assert Preference.objects.get().quiet_from == time(22)


# --- Rules ------------------------------------------------------------------------------------------------


def rule(channel: str = "email", kind: str = "stage.*", *, is_enabled: bool = False) -> dict[str, Any]:
    return {"channel": channel, "kind": kind, "is_enabled": is_enabled}


def key(channel: str, kind: str, **more: Any) -> str:
    return f"{RULES}?{urlencode({'channel': channel, 'kind': kind, **more})}"


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_rule_is_stated_listed_changed_and_removed(as_user: LogIn, owner: User, slash: str) -> None:
    client, path = as_user(owner), RULES.rstrip("/") + slash
    stated = client.put(path, rule())
    assert stated.status_code == 200
    shown = {**rule(), "user_id": str(owner.pk), "updated_at": stated.json()["updated_at"]}
    assert stated.json() == shown
    assert client.get(path).json()["results"] == [shown]
    assert client.put(path, rule(is_enabled=True)).json()["is_enabled"] is True
    assert client.put(path, rule(is_enabled=True)).status_code == 200
    assert Subscription.objects.count() == 1
    removed = client.delete(key("email", "stage.*"))
    assert (removed.status_code, removed.content) == (204, b"")
    assert client.delete(key("email", "stage.*")).status_code == 404
    assert client.get(path).json()["results"] == []


def test_a_rule_of_any_channel_and_kind_is_named_by_nothing(as_user: LogIn, owner: User) -> None:
    client = as_user(owner)
    client.put(RULES, rule("", ""))
    client.put(RULES, rule("email", ""))
    assert client.delete(key("", "")).status_code == 204
    assert Subscription.objects.get().channel == "email"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"channel": "pigeon"}, "channel"),
        ({"channel": None}, "channel"),
        ({"channel": 1}, "channel"),
        ({"kind": "stage.*.accepted"}, "kind"),
        ({"kind": "*"}, "kind"),
        ({"kind": "a b"}, "kind"),
        ({"kind": " stage"}, "kind"),
        ({"kind": "stage.accepted\n"}, "kind"),
        ({"kind": "x" * 65}, "kind"),
        ({"kind": "a\x00b"}, "kind"),
        ({"kind": None}, "kind"),
        ({"kind": 1}, "kind"),
        ({"kind": "account.*"}, "kind"),
        ({"kind": "account.verify_email"}, "kind"),
        ({"kind": "test"}, "kind"),
        ({"is_enabled": None}, "is_enabled"),
        ({"is_enabled": "no"}, "is_enabled"),
        ({"is_enabled": 0}, "is_enabled"),
    ],
)
def test_a_bad_rule_is_refused_with_a_message_for_its_field(
    as_user: LogIn, owner: User, change: dict[str, Any], field: str
) -> None:
    refused = as_user(owner).put(RULES, {**rule(), **change})
    assert refused.status_code == 400
    assert list(refused.json()) == [field]
    assert not Subscription.objects.exists()


def test_what_is_missing_is_named(as_user: LogIn, owner: User) -> None:
    client = as_user(owner)
    assert set(client.put(RULES, {}).json()) == {"channel", "kind", "is_enabled"}
    assert set(client.delete(RULES).json()) == {"channel", "kind"}
    assert client.delete(key("pigeon", "")).status_code == 400


def test_nobody_can_have_rules_without_end(as_user: LogIn, owner: User) -> None:
    Subscription.objects.bulk_create(
        Subscription(user=owner, channel="email", kind=f"k{n}", is_enabled=True) for n in range(200)
    )
    client = as_user(owner)
    assert client.put(RULES, rule()).status_code == 400
    assert client.put(RULES, rule(kind="k7")).status_code == 200
    assert Subscription.objects.count() == 200


def test_to_a_stranger_nobody_else_has_rules(as_user: LogIn, owner: User, stranger: User) -> None:
    Subscription.objects.create(user=owner, channel="email", kind="stage.*", is_enabled=True)
    client = as_user(stranger)
    for someone in (owner.pk, uuid.uuid4()):
        answers = [
            client.get(f"{RULES}?user_id={someone}"),
            client.put(f"{RULES}?user_id={someone}", rule()),
            client.delete(key("email", "stage.*", user_id=someone)),
        ]
        assert [answer.status_code for answer in answers] == [404] * 3
        assert len({answer.content for answer in answers}) == 1
    assert client.get(RULES).json()["results"] == []
    assert client.delete(key("email", "stage.*")).status_code == 404
    assert Subscription.objects.get().is_enabled


def test_staff_and_machines_with_the_scope_set_anybodys(
    as_user: LogIn, as_machine: Callable[..., APIClient], operator: User, owner: User
) -> None:
    for client in (as_user(operator), as_machine("preferences:write")):
        assert client.put(f"{RULES}?user_id={owner.pk}", rule()).json()["user_id"] == str(owner.pk)
        assert len(client.get(f"{RULES}?user_id={owner.pk}").json()["results"]) == 1
        assert client.delete(key("email", "stage.*", user_id=owner.pk)).status_code == 204
        assert client.put(f"{RULES}?user_id={uuid.uuid4()}", rule()).status_code == 404
        assert client.get(f"{RULES}?user_id=x").json() == {"user_id": ["Expected a UUID."]}
    machine = as_machine("preferences:write")
    assert machine.get(RULES).json() == {"user_id": ["This field is required: say whose."]}
    assert as_machine("alerts:write").get(f"{RULES}?user_id={owner.pk}").status_code == 403


def test_nobody_anonymous_has_rules(anonymous: APIClient, owner: User) -> None:
    for path in (RULES, f"/api/v1/preferences/{owner.pk}/explain?kind=alert"):
        assert anonymous.get(path).status_code == 401


def test_a_list_takes_the_same_statements_however_long_it_is(
    as_user: LogIn, owner: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = as_user(owner)
    for n in range(30):
        Subscription.objects.create(user=owner, channel="email", kind=f"k{n}", is_enabled=True)
    with django_assert_num_queries(3):  # session, user, page
        assert len(client.get(RULES).json()["results"]) == 30


# --- Would I be told? -----------------------------------------------------------------------------------

NIGHT = "2026-10-24T21:30:00Z"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def explained(client: APIClient, user: User, **query: Any) -> dict[str, Any]:
    answer = client.get(f"/api/v1/preferences/{user.pk}/explain", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


@pytest.fixture
def cast(owner: User) -> User:
    """The owner, with three contact points, quiet nights with a digest, and a rule."""
    User.objects.filter(pk=owner.pk).update(time_zone="Europe/Paris")
    PreferenceFactory(user=owner, quiet_from=time(22), quiet_until=time(7), digest=True)
    for channel, address, is_enabled in [
        ("email", "a@example.com", True),
        ("webhook", "https://hooks.example.com/1", True),
        ("webhook", "https://hooks.example.com/2", False),
    ]:
        ContactPointFactory(
            user=owner, channel=channel, address=address, is_enabled=is_enabled, created_at=LONG_AGO
        )
    Subscription.objects.create(user=owner, channel="webhook", kind="offer.*", is_enabled=False)
    return owner


def test_it_says_for_each_way_whether_when_and_why(as_user: LogIn, cast: User) -> None:
    answer = explained(as_user(cast), cast, kind="stage.accepted", at=NIGHT)
    assert {name: answer[name] for name in ("user_id", "kind", "severity", "at")} == {
        "user_id": str(cast.pk),
        "kind": "stage.accepted",
        "severity": "standard",
        "at": NIGHT,
    }
    points = {str(point.pk): point.address for point in cast.contact_points.all()}
    found = {
        (points.get(each.pop("contact_point_id")), each.pop("channel")): each for each in answer["decisions"]
    }
    assert found == {
        (None, "inbox"): {
            "outcome": "now",
            "reason": "",
            "held_until": None,
            "due_at": NIGHT,
            "explanation": "Told by inbox, at once.",
        },
        ("a@example.com", "email"): {
            "outcome": "held",
            "reason": "digest",
            "held_until": "2026-10-25T06:00:00Z",
            "due_at": "2026-10-25T06:00:00Z",
            "explanation": "Held until their quiet hours end, at 2026-10-25 06:00 UTC; "
            "then told with others in one message.",
        },
        ("https://hooks.example.com/1", "webhook"): {
            "outcome": "held",
            "reason": "quiet_hours",
            "held_until": "2026-10-25T06:00:00Z",
            "due_at": "2026-10-25T06:00:00Z",
            "explanation": "Held until their quiet hours end, at 2026-10-25 06:00 UTC.",
        },
        ("https://hooks.example.com/2", "webhook"): {
            "outcome": "not_told",
            "reason": "disabled",
            "held_until": None,
            "due_at": NIGHT,
            "explanation": "Not told: this contact point is switched off.",
        },
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["alert", "stage.accepted", "offer.created", "account.verified", "test"])
@pytest.mark.parametrize("severity", ["standard", "critical"])
@pytest.mark.parametrize("at", [NIGHT, "2026-10-25T11:00:00Z", "2030-07-01T03:00:00Z"])
@pytest.mark.parametrize("level", ["STANDARD", "CRITICAL"])
def test_it_says_what_the_fan_out_does(
    as_user: LogIn, cast: User, kind: str, severity: str, at: str, level: str
) -> None:
    Preference.objects.update(level=level)
    answer = explained(as_user(cast), cast, kind=kind, severity=severity, at=at)
    now = datetime.fromisoformat(at)
    fan_out_chunk(
        told_of(kind, severity=severity),
        people([cast.pk], as_of=timezone.now()),
        inbox=kind != "alert",
        after=None,
        now=now,
    )
    outcomes = {"suppressed": "not_told", "sent": "now", "pending": "now"}
    done = {
        str(made.contact_point_id): (
            made.channel,
            "held" if made.status == "pending" and made.reason else outcomes[made.status],
            made.reason,
            made.due_at - timedelta(minutes=made.reason == "digest"),
        )
        for made in Delivery.objects.all()
    }
    said = {
        str(each["contact_point_id"]): (
            each["channel"],
            each["outcome"],
            each["reason"],
            datetime.fromisoformat(each["held_until"] or at),
        )
        for each in answer["decisions"]
    }
    assert said == done
    assert len(said) == (3 if kind == "alert" else 4)


def test_what_carries_a_file_for_a_calendar_is_said_to_come_as_itself(as_user: LogIn, cast: User) -> None:
    answer = explained(as_user(cast), cast, kind="dating.cancelled", at=NIGHT)
    by_mail = next(each for each in answer["decisions"] if each["channel"] == "email")
    assert (by_mail["outcome"], by_mail["reason"]) == ("held", "quiet_hours")


def test_asking_tells_nobody(as_user: LogIn, cast: User) -> None:
    explained(as_user(cast), cast, kind="stage.accepted")
    assert not Notification.objects.exists()
    assert not Delivery.objects.exists()
    assert not Inbox.objects.exists()


def test_without_a_time_it_is_asked_of_now(as_user: LogIn, owner: User) -> None:
    before = timezone.now()
    answer = explained(as_user(owner), owner, kind="alert")
    assert before <= datetime.fromisoformat(answer["at"]) <= timezone.now()
    assert [each["channel"] for each in answer["decisions"]] == ["third_party"]


def test_somebody_inactive_is_told_nowhere(as_user: LogIn, operator: User, cast: User) -> None:
    User.objects.filter(pk=cast.pk).update(is_active=False)
    assert explained(as_user(operator), cast, kind="alert")["decisions"] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "kind"),
        ({"kind": ""}, "kind"),
        ({"kind": "stage.*"}, "kind"),
        ({"kind": "a b"}, "kind"),
        ({"kind": "x" * 65}, "kind"),
        ({"kind": "a\x00"}, "kind"),
        ({"kind": "alert", "severity": "loud"}, "severity"),
        ({"kind": "alert", "at": "soon"}, "at"),
        ({"kind": "alert", "at": "1999-12-31T23:59:59Z"}, "at"),
        ({"kind": "alert", "at": "2100-01-01T00:00:00Z"}, "at"),
        ({"kind": "alert", "at": "0001-01-01T00:00:00+14:00"}, "at"),
        ({"kind": "alert", "at": "9999-12-31T23:59:59-14:00"}, "at"),
    ],
)
def test_a_bad_question_is_refused(as_user: LogIn, owner: User, query: dict[str, str], field: str) -> None:
    refused = as_user(owner).get(f"/api/v1/preferences/{owner.pk}/explain/", query)
    assert refused.status_code == 400
    assert list(refused.json()) == [field]


def test_a_stranger_learns_nothing(as_user: LogIn, cast: User, stranger: User) -> None:
    client = as_user(stranger)
    answers = [
        client.get(f"/api/v1/preferences/{someone}/explain?kind=alert") for someone in (cast.pk, uuid.uuid4())
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


def test_a_machine_with_the_scope_may_ask(as_machine: Callable[..., APIClient], cast: User) -> None:
    path = f"/api/v1/preferences/{cast.pk}/explain?kind=alert"
    assert as_machine("preferences:write").get(path).status_code == 200
    assert as_machine("alerts:write").get(path).status_code == 403
