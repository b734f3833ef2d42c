"""How people are told of an evening: where they chose, when it makes sense, by their own clocks."""

from collections.abc import Callable
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db.models import QuerySet
from rest_framework.test import APIClient

from accounts.models import User
from config import clock
from dating import services
from notifications.allowances import scopes_of
from notifications.models import Delivery, Notification, Outgoing
from notifications.services.preferences import preference_set, subscription_set
from tests.dating.cast import DAY, EIGHT, HOUR, MINUTE, Evening, event, person
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_nothing_of_an_evening_is_critical(as_user: Callable[[User], APIClient]) -> None:
    ana, bob = mailed("ana"), mailed("bob")
    evening = Evening(event()).registered(ana, bob).confirmed()
    live_through(evening)
    items = as_user(ana).get("/api/v1/inbox/").json()["results"]
    assert {item["severity"] for item in items} == {"standard"}
    assert not Notification.objects.exclude(severity="standard").exists()


@pytest.mark.slow
def test_quiet_hours_hold_only_what_makes_sense_after_them() -> None:
    ana, bob = mailed("ana"), mailed("bob")
    preference_set(user=ana, quiet_from="00:00", quiet_until="23:59")
    evening = Evening(event()).registered(ana, bob).confirmed()
    live_through(evening)
    held, in_time = (
        {each.notification.kind.removeprefix("dating.") for each in mails(ana).filter(reason__in=reasons)}
        for reasons in (["quiet_hours", "overtaken"], [""])
    )
    assert (sorted(held), sorted(in_time)) == (["confirm", "confirmed", "finished", "registered"], IN_TIME)
    final = mails(ana).get(notification__kind="dating.finished")
    assert final.due_at.astimezone(UTC).strftime("%H:%M") == "23:59"
    subscription_set(user=ana, channel="email", kind="dating.*", is_enabled=False)
    final.refresh_from_db()
    assert (final.status, final.reason) == ("suppressed", "unsubscribed")


def silent(name: str) -> User:
    """Somebody with an email address, whose quiet hours it is."""
    user = mailed(name)
    preference_set(user=user, quiet_from="00:00", quiet_until="23:59")
    return user


def times_told(user: User) -> dict[str, str]:
    """When the evening is, by each kind of mail that is, or will be, sent."""
    sent = mails(user).exclude(status="cancelled")
    return {
        each.notification.kind.removeprefix("dating."): each.notification.data["starts_at"] for each in sent
    }


class TestOvertaken:
    """What waits, in quiet hours or otherwise, is not told once something later has taken its place."""

    @pytest.mark.slow
    def test_nobody_is_asked_in_the_morning_to_come_to_what_was_called_off_in_the_night(self) -> None:
        ana, bob = silent("ana"), mailed("bob")
        evening = Evening(event()).registered(ana, bob)
        evening.at(EIGHT - DAY)
        assert told_by_mail(ana) == told_by_mail(bob) == ["confirm", "registered"]
        services.event_end(event=evening.event, now=evening.now)
        assert told_by_mail(ana) == ["skipped"]
        assert told_by_mail(bob) == ["confirm", "registered", "skipped"]  # what is not held is on its way
        stopped = mails(ana).filter(status="cancelled")
        assert {each.reason for each in stopped} == {"overtaken"}
        assert not Outgoing.objects.filter(delivery__in=stopped).exists()

    def test_of_two_new_times_the_last_is_told_and_what_was_asked_is_asked_with_it(self) -> None:
        ana = silent("ana")
        evening = Evening(event()).registered(ana)
        evening.at(EIGHT - DAY)
        for starts_at in (EIGHT - HOUR, EIGHT - 2 * HOUR):
            services.event_move(event=evening.event, starts_at=starts_at, title="It", now=evening.now)
        last = (EIGHT - 2 * HOUR).isoformat()
        assert times_told(ana) == {"moved": last, "confirm": last}
        assert mails(ana).filter(status="pending").count() == 2

    @pytest.mark.slow
    def test_whoever_got_a_place_in_the_night_hears_of_it_with_the_new_time(self) -> None:
        ana, bob = mailed("ana"), silent("bob")
        evening = Evening(event(places=2)).registered(ana, mailed("tom"), bob)
        services.registration_cancel(event=evening.event, user=ana, now=evening.now)
        assert told_by_mail(bob) == ["moved_up"]
        services.event_move(event=evening.event, starts_at=EIGHT + DAY, title="It", now=evening.now)
        later = (EIGHT + DAY).isoformat()
        assert times_told(bob) == {"moved": later, "moved_up": later}

    def test_another_title_leaves_what_else_is_held(self) -> None:
        ana = silent("ana")
        evening = Evening(event()).registered(ana)
        for title in ("One", "Other"):
            services.event_move(event=evening.event, starts_at=EIGHT, title=title, now=evening.now)
        assert told_by_mail(ana) == ["registered", "renamed"]
        (renamed,) = mails(ana).filter(notification__kind="dating.renamed", status="pending")
        assert renamed.notification.data["event"] == "Other"

    def test_whoever_cancels_and_comes_after_all_is_told_the_last_alone(self) -> None:
        ana = silent("ana")
        evening = Evening(event()).registered(ana)
        services.registration_cancel(event=evening.event, user=ana, now=evening.now)
        assert told_by_mail(ana) == ["cancelled"]
        evening.registered(ana)
        assert told_by_mail(ana) == ["registered"]

    @pytest.mark.parametrize("was_tried", [True, False])
    def test_what_waits_for_a_mail_server_is_not_told_once_it_is_over(self, was_tried: bool) -> None:
        ana = mailed("ana")
        evening = Evening(event()).registered(ana)
        waits = {"attempts": 1} if was_tried else {"due_at": clock.now() - MINUTE}
        Outgoing.objects.filter(delivery__in=mails(ana)).update(**waits)
        services.registration_cancel(event=evening.event, user=ana, now=evening.now)
        assert told_by_mail(ana) == ["cancelled"]

    def test_an_evening_that_is_called_off_takes_no_cancelling_from_a_calendar(self) -> None:
        ana, bob = silent("ana"), mailed("bob")
        evening = Evening(event()).registered(ana, bob)
        services.registration_cancel(event=evening.event, user=ana, now=evening.now)
        services.event_end(event=evening.event, now=evening.now)
        assert told_by_mail(ana) == ["cancelled"]

    @pytest.mark.slow
    def test_whoever_has_answered_is_not_asked(self) -> None:
        ana, bob = silent("ana"), silent("bob")
        Evening(event(places=2)).registered(ana, mailed("tom"), bob).confirmed()
        assert told_by_mail(ana) == ["confirmed"]
        assert told_by_mail(bob) == ["waiting"]

    def test_nothing_of_another_evening_nor_of_another_person_is_stopped(self) -> None:
        ana, bob = silent("ana"), silent("bob")
        evening, other = Evening(event()).registered(ana, bob), Evening(event()).registered(ana)
        services.registration_cancel(event=evening.event, user=ana, now=evening.now)
        assert told_by_mail(ana) == ["cancelled", "registered"]
        assert told_by_mail(bob) == ["registered"]
        assert mails(ana).get(notification__kind="dating.registered", status="pending").notification.data[
            "event_id"
        ] == str(other.event.pk)


@pytest.mark.slow
def test_what_makes_no_sense_after_a_time_is_told_until_then(settings: Any) -> None:
    settings.DELIVERY_MAX_AGE_H = 24 * 365
    ana, bob, late = mailed("ana"), mailed("bob"), mailed("late")
    evening = Evening(event()).registered(ana, bob).confirmed()
    services.registration_create(event=evening.event, user=late, now=evening.now)  # asked at once
    live_through(evening)
    ends = {
        each.notification.kind.removeprefix("dating."): each.expires_at
        for user in (ana, late)
        for each in mails(user)
    }
    assert ends["confirm"] == EIGHT - HOUR
    assert ends["rules"] == ends["resumed"] == EIGHT + 5 * MINUTE
    assert {each.expires_at for each in mails(late).filter(notification__kind="dating.confirm")} == {
        EIGHT - HOUR
    }
    queued = Outgoing.objects.filter(delivery__notification__kind__in=["dating.confirm", "dating.rules"])
    assert {each.expires_at for each in queued} == {EIGHT - HOUR, EIGHT + 5 * MINUTE}
    assert min(ends[kind] for kind in ("registered", "taking_part")) > EIGHT


@pytest.mark.slow
def test_whoever_wants_only_what_is_critical_is_told_in_the_inbox() -> None:
    ana, bob = mailed("ana"), mailed("bob")
    preference_set(user=ana, level="CRITICAL")
    evening = Evening(event()).registered(ana, bob).confirmed()
    live_through(evening)
    assert told_by_mail(ana) == []
    kinds = Delivery.objects.filter(user=ana, channel="inbox").values_list("notification__kind", flat=True)
    assert {"dating.link", "dating.rules", "dating.finished"} <= set(kinds)


@pytest.mark.slow
def test_whoever_has_the_inbox_as_a_contact_point_is_told_there_once() -> None:
    ana, bob = mailed("ana"), mailed("bob")
    ContactPointFactory(user=ana, channel="inbox", address="")
    live_through(Evening(event()).registered(ana, bob).confirmed())
    links = Delivery.objects.filter(user=ana, channel="inbox", notification__kind="dating.link")
    assert links.count() == links.values("notification").distinct().count() > 0


def test_the_explanation_says_the_same(as_user: Callable[[User], APIClient]) -> None:
    ana = mailed("ana")
    preference_set(user=ana, quiet_from="00:00", quiet_until="23:59")
    client = as_user(ana)
    for kind, outcome in (("dating.link", "now"), ("dating.finished", "held")):
        found = client.get(f"/api/v1/preferences/{ana.pk}/explain", {"kind": kind, "severity": "standard"})
        by_mail = next(each for each in found.json()["decisions"] if each["channel"] == "email")
        assert by_mail["outcome"] == outcome


@pytest.mark.slow
def test_what_cannot_wait_goes_out_first_and_counts_against_no_limit() -> None:
    ana, bob = mailed("ana"), mailed("bob")
    evening = Evening(event()).registered(ana, bob).confirmed()
    evening.at(EIGHT - HOUR)
    queued = Outgoing.objects.filter(delivery__user=ana).select_related("delivery__notification")
    priorities = {each.delivery.notification.kind: each.priority for each in queued}
    assert priorities["dating.taking_part"] < priorities["dating.registered"]
    assert scopes_of(kind="dating.link", channel="sms", severity="standard") == ()
    assert "paid" in scopes_of(kind="dating.finished", channel="sms", severity="standard")


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_whoever_registers_where_all_seek_the_same_is_told_so() -> None:
    crowd = [person(str(number), seeks="men") for number in range(2)]
    evening = Evening(event(two_pools=True)).registered(*crowd).confirmed()
    evening.at(EIGHT - HOUR)
    skipped = Notification.objects.filter(kind="dating.skipped")
    assert len(skipped) == 2
    assert all("Everyone who could come wants to meet the same people." in each.body for each in skipped)


@pytest.mark.slow
def test_whoever_has_had_a_place_all_along_is_not_told_that_one_became_free() -> None:
    ana, bob = mailed("ana"), mailed("bob")
    evening = Evening(event()).registered(ana, bob).confirmed()
    evening.at(EIGHT - HOUR)
    told = Notification.objects.get(
        kind="dating.taking_part", deliveries__user=ana, deliveries__channel="email"
    )
    assert "become free" not in told.body
    assert "libérée" not in told.texts["fr"][""][1]
    assert told.body.count(told.data["invitation"]) == 1
