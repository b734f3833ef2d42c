"""When somebody is told of what is critical, and of all else, by one channel."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from rest_framework.test import APIClient

from accounts.models import Shop, User
from config import clock
from notifications.audit import audit
from notifications.engine.digest import digests_send
from notifications.engine.fanout import alert_fan_out
from notifications.engine.own_steps import recipients_in_steps
from notifications.engine.recipients import people_with_preferences
from notifications.explanations import explain
from notifications.models import ChannelHours, ContactPoint, Delivery, Preference
from notifications.services.preferences import channel_hours_set
from tests.factories import AlertFactory, ContactPointFactory, PreferenceFactory
from tests.notifications.preferences.conftest import Tell

# Noon and 23:30 in Paris, on the day before the clock is put back, and 9:00 and 18:00 of the next.
NOON, NIGHT = datetime(2026, 10, 24, 10, tzinfo=UTC), datetime(2026, 10, 24, 21, 30, tzinfo=UTC)
AT_9, AT_18 = datetime(2026, 10, 25, 8, tzinfo=UTC), datetime(2026, 10, 24, 16, tzinfo=UTC)
A_MINUTE = timedelta(minutes=1)


@pytest.fixture
def by_sms(owner: User) -> ContactPoint:
    long_ago = clock.now().replace(year=2020, month=2)
    return ContactPointFactory(user=owner, channel="sms", address="+33612345678", created_at=long_ago)


@pytest.fixture
def by_day(owner: User, by_email: ContactPoint, by_sms: ContactPoint) -> None:
    """What is critical by text message from 9 to 18, all else in one mail at 18:00; in Paris."""
    User.objects.filter(pk=owner.pk).update(time_zone="Europe/Paris")
    channel_hours_set(
        user=owner,
        hours=[
            {"channel": "sms", "severity": "critical", "told": "hours", "begins": time(9), "ends": time(18)},
            {"channel": "sms", "severity": "standard", "told": "never"},
            {"channel": "email", "severity": "critical", "told": "never"},
            {"channel": "email", "severity": "standard", "told": "digest", "begins": time(18)},
        ],
    )


def states(made: list[Delivery]) -> dict[str, tuple[str, str]]:
    return {each.channel: (each.status, each.reason) for each in made}


@pytest.mark.usefixtures("by_day")
def test_what_is_critical_comes_by_day_as_a_text_message(owner: User, tell: Tell) -> None:
    made = tell(owner, now=NOON, severity="critical")
    assert states(made) == {"sms": ("pending", ""), "email": ("suppressed", "severity")}
    assert {each.due_at for each in made} == {NOON}
    held = {each.channel: each for each in tell(owner, now=NIGHT, severity="critical")}["sms"]
    assert (held.status, held.reason, held.due_at) == ("pending", "hours", AT_9)
    assert explain(held) == "Held until the hours that they set for this channel, at 2026-10-25 08:00 UTC."


@pytest.mark.usefixtures("by_day")
def test_all_else_comes_as_one_mail_a_day(owner: User, tell: Tell) -> None:
    found = [tell(owner, now=now) for now in (NOON, NOON + A_MINUTE)]
    assert [states(made) for made in found] == [
        {"sms": ("suppressed", "severity"), "email": ("pending", "digest")}
    ] * 2
    assert {each.due_at for made in found for each in made if each.channel == "email"} == {AT_18 + A_MINUTE}
    digests_send(AT_18)
    assert Delivery.objects.get(notification__kind="digest").notification.data["count"] == 2


def test_they_stand_in_place_of_quiet_hours(
    owner: User, by_email: Any, by_sms: Any, quiet_nights: Preference, tell: Tell
) -> None:
    channel_hours_set(user=owner, hours=[{"channel": "sms", "severity": "standard", "told": "always"}])
    assert states(tell(owner, now=NIGHT)) == {"email": ("pending", "quiet_hours"), "sms": ("pending", "")}


def test_quiet_hours_that_are_the_same_by_the_clock_hold_nothing_critical(
    owner: User, by_email: Any, by_sms: Any, quiet_nights: Preference, tell: Tell
) -> None:
    """Somebody's hours for one channel are looked up as quiet hours are, but are that channel's alone."""
    hours = {"channel": "sms", "severity": "critical", "told": "hours", "begins": time(7), "ends": time(22)}
    channel_hours_set(user=owner, hours=[hours])
    found = states(tell(owner, now=NIGHT, severity="critical"))
    assert found == {"email": ("pending", ""), "sms": ("pending", "hours")}


@pytest.mark.usefixtures("by_day")
def test_what_makes_no_sense_later_comes_at_once(owner: User, tell: Tell) -> None:
    assert states(tell(owner, "dating.link", now=NIGHT))["email"] == ("pending", "")


def test_an_alert_obeys_them(owner: User, shop: Shop, by_email: Any, by_sms: Any) -> None:
    """By the statement of small alerts, too, which takes none of them as long as nobody has any."""
    alert_fan_out(AlertFactory(shop=shop, label="theft").pk)
    assert {each.reason for each in Delivery.objects.all()} == {""}
    at = clock.now()
    hours = {"begins": (at + timedelta(hours=2)).time(), "ends": (at + timedelta(hours=3)).time()}
    channel_hours_set(
        user=owner,
        hours=[
            {"channel": "sms", "severity": "critical", "told": "hours", **hours},
            {"channel": "email", "severity": "standard", "told": "never"},
        ],
    )
    Delivery.objects.all().delete()
    for label in ("theft", "normal"):
        alert_fan_out(AlertFactory(shop=shop, label=label).pk)
    found = Delivery.objects.values_list("notification__data__label", "channel", "status", "reason")
    assert set(found) == {
        ("theft", "sms", "pending", "hours"),
        ("theft", "email", "pending", ""),
        ("normal", "sms", "pending", ""),
        ("normal", "email", "suppressed", "severity"),
    }
    assert audit(now=clock.now()).totals == {}


@pytest.mark.usefixtures("by_day")
def test_a_channels_hours_hold_back_no_step_of_another(owner: User) -> None:
    """Unlike quiet hours, behind which all that follows keeps its distance."""
    steps = [{"after_s": 0, "channel": "sms"}, {"after_s": 60, "channel": "phone"}]
    PreferenceFactory(user=owner, steps={"critical": steps})
    ContactPointFactory(user=owner, channel="phone", address="+33612345679")
    person = people_with_preferences([User.objects.get(pk=owner.pk)])[owner.pk]
    found = recipients_in_steps(person, kind="escalation", severity="critical", at=NIGHT)
    assert [(each.channel, each.due_at) for each in found if each.contact_point] == [
        ("sms", AT_9),
        ("phone", NIGHT + A_MINUTE),
    ]


@pytest.mark.usefixtures("by_day")
def test_what_they_never_want_is_stopped_where_it_is_held(owner: User, tell: Tell) -> None:
    held, other = tell(owner, now=NIGHT, severity="critical"), tell(owner, now=NIGHT)
    channel_hours_set(user=owner, hours=[{"channel": "sms", "severity": "critical", "told": "never"}])
    found = dict(Delivery.objects.values_list("pk", "reason"))
    assert [found[each.pk] for each in held if each.channel == "sms"] == ["severity"]
    assert [found[each.pk] for each in other if each.channel == "email"] == ["digest"]


@pytest.mark.parametrize(
    ("hours", "field"),
    [
        ({"channel": "inbox", "told": "never"}, "channel"),
        ({"channel": "third_party", "told": "never"}, "channel"),
        ({"channel": "sms", "told": "hours", "begins": time(9)}, "begins"),
        ({"channel": "sms", "told": "hours", "begins": time(9), "ends": time(9)}, "begins"),
        ({"channel": "sms", "told": "digest"}, "begins"),
    ],
)
def test_hours_that_mean_nothing_are_refused(owner: User, hours: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        channel_hours_set(user=owner, hours=[{"severity": "standard", **hours}])
    assert field in refused.value.message_dict
    twice = {"channel": "sms", "severity": "standard", "told": "never"}
    with pytest.raises(ValidationError):
        channel_hours_set(user=owner, hours=[twice, twice])
    assert not ChannelHours.objects.exists()


@pytest.mark.parametrize(
    "hours",
    [
        {"told": "hours"},
        {"told": "hours", "begins": time(9)},
        {"told": "hours", "begins": time(9), "ends": time(9)},
        {"told": "digest", "begins": time(9), "ends": time(10)},
        {"told": "never", "begins": time(9), "ends": time(10)},
        {"told": "sometimes"},
    ],
)
def test_the_database_holds_no_others_either(owner: User, hours: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        ChannelHours.objects.create(user=owner, channel="sms", severity="critical", **hours)


class TestApi:
    def address(self, user: User) -> str:
        return f"/api/v1/preferences/{user.pk}/hours/"

    def test_they_are_set_all_at_once_and_shown(self, owner: User, by_sms: Any, as_user: Any) -> None:
        client: APIClient = as_user(owner)
        hours = [
            {"channel": "email", "severity": "standard", "told": "digest", "begins": "18:00"},
            {"channel": "sms", "severity": "critical", "told": "hours", "begins": "22:00", "ends": "06:30"},
        ]
        answer = client.put(self.address(owner), {"hours": hours}, format="json")
        assert answer.status_code == 200
        shown = [{**hours[0], "ends": "18:00"}, hours[1]]
        assert answer.json() == {"user_id": str(owner.pk), "hours": shown}
        assert client.get(self.address(owner)).json() == answer.json()
        assert client.put(self.address(owner), {"hours": []}, format="json").json()["hours"] == []

    def test_what_is_wrong_is_said_and_changes_nothing(self, owner: User, as_user: Any) -> None:
        client = as_user(owner)
        never = {"channel": "sms", "severity": "critical", "told": "never"}
        assert client.put(self.address(owner), {"hours": [never]}, format="json").status_code == 200
        for wrong in (
            {**never, "told": "hours"},
            {**never, "channel": "inbox"},
            {**never, "told": "hours", "begins": "9", "ends": "10:00"},
        ):
            assert client.put(self.address(owner), {"hours": [wrong]}, format="json").status_code == 400
        assert [each["told"] for each in client.get(self.address(owner)).json()["hours"]] == ["never"]

    def test_to_a_stranger_they_are_not_there(self, owner: User, stranger: User, as_user: Any) -> None:
        assert as_user(stranger).get(self.address(owner)).status_code == 404
        assert as_user(stranger).put(self.address(owner), {"hours": []}, format="json").status_code == 404
