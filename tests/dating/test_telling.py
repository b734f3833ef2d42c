"""How people are told of an evening: where they chose, when it makes sense, by their own clocks."""

from collections.abc import Callable
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from django.db.models import QuerySet
from rest_framework.test import APIClient

from accounts.models import User
from dating import services
from notifications.allowances import scopes_of
from notifications.models import Delivery, Notification, Outgoing
from notifications.services.preferences import preference_set, subscription_set
from tests.dating.cast import EIGHT, HOUR, MINUTE, Evening, event, person
from tests.factories import ContactPointFactory

pytestmark = pytest.mark.django_db
PARIS = ZoneInfo("Europe/Paris")


def mailed(name: str, **fields: str) -> User:
    user = person(name)
    ContactPointFactory(user=user, channel="email", address=f"{name}@example.com")
    if fields:
        User.objects.filter(pk=user.pk).update(**fields)
        user.refresh_from_db()
    return user


def mails(user: User) -> QuerySet[Delivery]:
    return Delivery.objects.filter(user=user, channel="email").select_related("notification")


def told_by_mail(user: User) -> list[str]:
    """The kinds that are, or will be, mailed at their time."""
    sent = mails(user).exclude(status__in=["suppressed", "cancelled"]).order_by("created_at")
    return sorted({each.notification.kind.removeprefix("dating.") for each in sent})


def live_through(evening: Evening) -> None:
    """From closing to the matches; everybody is there, and the organiser pauses once."""
    for moment in (EIGHT - HOUR, EIGHT - 5 * MINUTE, EIGHT):
        evening.at(moment)
    services.event_pause(event=evening.event, now=EIGHT)
    services.event_resume(event=evening.event, now=EIGHT)
    evening.join(*evening.people)
    evening.at(EIGHT + 5 * MINUTE)
    evening.at(EIGHT + 6 * MINUTE)
    assert evening.step == "finished"


ALL = [
    "confirm", "confirmed", "finished", "link", "paused", "rate", "registered", "resumed", "rules",
    "taking_part",
]  # fmt: skip
IN_TIME = ["link", "paused", "rate", "resumed", "rules", "taking_part"]


def test_whoever_has_switched_dating_off_for_mail_gets_no_mail_and_sees_all_in_the_inbox(
    as_user: Callable[[User], APIClient],
) -> None:
    ana, bob = mailed("ana"), mailed("bob")
    subscription_set(user=ana, channel="email", kind="dating.*", is_enabled=False)
    evening = Evening(event()).registered(ana, bob).confirmed()
    live_through(evening)
    assert told_by_mail(ana) == []
    assert told_by_mail(bob) == ALL
    assert as_user(ana).get("/api/v1/inbox/").json()["results"]


def test_nothing_of_an_evening_is_critical(as_user: Callable[[User], APIClient]) -> None:
    ana, bob = mailed("ana"), mailed("bob")
    evening = Evening(event()).registered(ana, bob).confirmed()
    live_through(evening)
    items = as_user(ana).get("/api/v1/inbox/").json()["results"]
    assert {item["severity"] for item in items} == {"standard"}
    assert not Notification.objects.exclude(severity="standard").exists()


def test_quiet_hours_hold_only_what_makes_sense_after_them() -> None:
    ana, bob = mailed("ana"), mailed("bob")
    preference_set(user=ana, quiet_from="00:00", quiet_until="23:59")
    evening = Evening(event()).registered(ana, bob).confirmed()
    live_through(evening)
    held, in_time = (
        {each.notification.kind.removeprefix("dating.") for each in mails(ana).filter(reason=reason)}
        for reason in ("quiet_hours", "")
    )
    assert (sorted(held), sorted(in_time)) == (["confirm", "confirmed", "finished", "registered"], IN_TIME)
    final = mails(ana).get(notification__kind="dating.finished")
    assert final.due_at.astimezone(UTC).strftime("%H:%M") == "23:59"
    subscription_set(user=ana, channel="email", kind="dating.*", is_enabled=False)
    final.refresh_from_db()
    assert (final.status, final.reason) == ("suppressed", "unsubscribed")


def test_whoever_wants_only_what_is_critical_is_told_in_the_inbox() -> None:
    ana, bob = mailed("ana"), mailed("bob")
    preference_set(user=ana, level="CRITICAL")
    evening = Evening(event()).registered(ana, bob).confirmed()
    live_through(evening)
    assert told_by_mail(ana) == []
    kinds = Delivery.objects.filter(user=ana, channel="inbox").values_list("notification__kind", flat=True)
    assert {"dating.link", "dating.rules", "dating.finished"} <= set(kinds)


def test_the_explanation_says_the_same(as_user: Callable[[User], APIClient]) -> None:
    ana = mailed("ana")
    preference_set(user=ana, quiet_from="00:00", quiet_until="23:59")
    client = as_user(ana)
    for kind, outcome in (("dating.link", "now"), ("dating.finished", "held")):
        found = client.get(f"/api/v1/preferences/{ana.pk}/explain", {"kind": kind, "severity": "standard"})
        by_mail = next(each for each in found.json()["decisions"] if each["channel"] == "email")
        assert by_mail["outcome"] == outcome


def test_what_cannot_wait_goes_out_first_and_counts_against_no_limit() -> None:
    ana, bob = mailed("ana"), mailed("bob")
    evening = Evening(event()).registered(ana, bob).confirmed()
    evening.at(EIGHT - HOUR)
    queued = Outgoing.objects.filter(delivery__user=ana).select_related("delivery__notification")
    priorities = {each.delivery.notification.kind: each.priority for each in queued}
    assert priorities["dating.taking_part"] < priorities["dating.registered"]
    assert scopes_of(kind="dating.link", channel="sms", severity="standard") == ()
    assert "paid" in scopes_of(kind="dating.finished", channel="sms", severity="standard")


def test_everybody_is_told_times_by_their_own_clock() -> None:
    ana = mailed("ana", time_zone="Europe/Paris")
    bob = mailed("bob", time_zone="Asia/Kolkata")
    evening = Evening(event(time_zone="America/New_York")).registered(ana, bob).confirmed()
    live_through(evening)
    for user, zone in ((ana, PARIS), (bob, ZoneInfo("Asia/Kolkata"))):
        theirs = Notification.objects.filter(deliveries__user=user).distinct()
        here = f"{EIGHT.astimezone(zone):%Y-%m-%d %H:%M} ({zone})"
        assert {each.data["when"] for each in theirs} == {here}
        until = f"{(EIGHT + 5 * MINUTE).astimezone(zone):%H:%M}"
        timed = theirs.filter(kind__in=["dating.link", "dating.resumed"])
        said = {each.kind: each.data["until"] for each in timed}
        assert said == {"dating.link": until, "dating.resumed": until}
        assert here in theirs.get(kind="dating.registered").body


def test_rules_say_times_as_people_do() -> None:
    ana, bob = mailed("ana"), mailed("bob")
    evening = Evening(event(round_s=3000, break_s=90)).registered(ana, bob).confirmed()
    evening.at(EIGHT - HOUR)
    evening.at(EIGHT - 5 * MINUTE)
    rules = Notification.objects.get(kind="dating.rules")
    assert "After 50 minutes the call ends" in rules.body
    assert "a break of 1 minute and 30 seconds, in which" in rules.body
    assert "Après 50 minutes, l'appel se termine" in rules.texts["fr"][""][1]
    assert "une pause de 1 minute et 30 secondes, où" in rules.texts["fr"][""][1]


def test_whoever_registers_where_all_seek_the_same_is_told_so() -> None:
    crowd = [person(str(number), seeks="men") for number in range(2)]
    evening = Evening(event(two_pools=True)).registered(*crowd).confirmed()
    evening.at(EIGHT - HOUR)
    skipped = Notification.objects.filter(kind="dating.skipped")
    assert len(skipped) == 2
    assert all("All who could come seek the same." in each.body for each in skipped)
