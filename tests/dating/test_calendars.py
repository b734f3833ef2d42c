"""Every change that concerns somebody's calendar reaches it, so that it shows what is true."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from icalendar import Calendar
from rest_framework.test import APIClient

from accounts.models import User
from dating import services
from dating.evening.timeline import longest
from dating.models import DatingProfile, Event, Registration
from notifications.engine.sender import Sender
from notifications.models import Delivery, Notification, Outgoing
from tests.dating.calendar_program import files_of, shown_to, statuses, true_of
from tests.dating.cast import DAY, EIGHT, HOUR, MINUTE, Evening, event, person, told
from tests.dating.test_admin import change
from tests.factories import ContactPointFactory
from tests.servers.smtp import MailServer

pytestmark = pytest.mark.django_db
LogIn = Callable[[User], APIClient]


@pytest.fixture
def desk(operator: User) -> Client:
    client = Client()
    client.force_login(operator)
    return client


def four(**fields: object) -> Evening:
    return Evening(event(**fields)).registered(*(person(name) for name in ("Ana", "Bob", "Tom", "Eve")))


def post(client: APIClient, evening: Evening, what: str, **body: object) -> None:
    answer = client.post(f"/api/v1/dating/events/{evening.event.pk}/{what}/", body, format="json")
    assert answer.status_code == 200, answer.content


def sequences(user: User) -> list[int]:
    return [int(Calendar.from_ical(each).events[0]["SEQUENCE"]) for each in files_of(user)]


def called_off_early(evening: Evening, staff: APIClient) -> None:
    post(staff, evening, "end")


def called_off_late(evening: Evening, staff: APIClient) -> None:
    evening.confirmed().at(EIGHT - HOUR)
    post(staff, evening, "end")


def too_few(evening: Evening, staff: APIClient) -> None:
    evening.at(EIGHT - DAY)
    assert evening.at(EIGHT - HOUR) == ["skipped"]


def left_out(evening: Evening, staff: APIClient) -> None:
    others = [person(name) for name in ("Sam", "Pia")]
    Evening(evening.event, now=evening.now).registered(*others).confirmed()
    DatingProfile.objects.filter(user__in=evening.people[:2]).update(birthday=None)
    for each in evening.people[:2]:
        services.registration_confirm(event=evening.event, user=each, now=EIGHT - DAY)
    assert evening.at(EIGHT - HOUR) == ["closed"]


def dropped(evening: Evening, staff: APIClient) -> None:
    evening.confirmed()
    for moment in (EIGHT - HOUR, EIGHT - 5 * MINUTE, EIGHT):
        evening.at(moment)
    for each in evening.people:
        post(staff, evening, "drop", registration_id=str(evening.member(each).pk))


@pytest.mark.slow
@pytest.mark.parametrize("cancel", [called_off_early, called_off_late, too_few, left_out, dropped])
def test_whatever_ends_somebodys_part_takes_it_out_of_their_calendar(
    cancel: Callable[[Evening, APIClient], None], as_user: LogIn, operator: User
) -> None:
    evening = four()
    assert statuses(evening.event, *evening.people) == ["TENTATIVE"] * 4
    cancel(evening, as_user(operator))
    assert statuses(evening.event, *evening.people) == [None] * 4
    for each in evening.people:
        # Each file has a number of its own, so that no program can take an old one for the new.
        assert sequences(each) == sorted(set(sequences(each)))
        assert "METHOD:CANCEL" in files_of(each)[-1]
        assert "STATUS:CANCELLED" in files_of(each)[-1]


def test_who_confirms_has_it_as_confirmed(as_user: LogIn) -> None:
    evening = four()
    evening.at(EIGHT - DAY)
    for _ in range(2):
        post(as_user(evening.people[0]), evening, "confirm")
    assert statuses(evening.event, *evening.people[:2]) == ["CONFIRMED", "TENTATIVE"]
    assert sequences(evening.people[0]) == [0, 1]


@pytest.mark.slow
def test_another_name_is_told_and_nothing_else_changes(desk: Client) -> None:
    evening = four()
    at = {"starts_at_0": f"{EIGHT:%Y-%m-%d}", "starts_at_1": f"{EIGHT:%H:%M:%S}"}
    for _ in range(2):
        change(desk, evening.event, title="An evening in May", **at)
    ana = evening.people[0]
    assert told(ana) == ["registered", "renamed"]
    assert shown_to(ana) == {str(evening.event.pk): ("An evening in May", EIGHT, "TENTATIVE")} == true_of(ana)


class TestMoved:
    def moved(self, desk: Client, evening: Evening, by: timedelta) -> None:
        later = evening.event.starts_at + by
        at = {"starts_at_0": f"{later:%Y-%m-%d}", "starts_at_1": f"{later:%H:%M:%S}"}
        kept = {"title": evening.event.title, "places": evening.event.places}
        evening.event = change(desk, evening.event, **kept, **at)

    @pytest.mark.slow
    def test_far_ahead_registration_is_open_again_and_everybody_is_asked_anew(self, desk: Client) -> None:
        evening = four(places=3)
        evening.at(EIGHT - DAY)
        ana, *_, eve = evening.people
        for each in (ana, eve):
            services.registration_confirm(event=evening.event, user=each, now=evening.now)
        self.moved(desk, evening, timedelta(days=21))
        assert (evening.event.step, evening.event.state) == ("open", 0)
        assert evening.event.deadline_at == EIGHT + timedelta(days=20)
        assert [evening.member(each).state for each in evening.people] == ["registered"] * 3 + ["waiting"]
        assert statuses(evening.event, *evening.people) == ["TENTATIVE"] * 4
        late = person("Late")
        evening.registered(late)
        assert "confirm" not in told(late)
        assert evening.at(EIGHT + timedelta(days=20)) == ["confirming"]
        assert [told(each).count("confirm") for each in evening.people] == [2] * 4 + [1]
        assert told(ana) == ["registered", "confirm", "confirmed", "moved", "confirm"]
        services.registration_confirm(event=evening.event, user=ana, now=evening.now)
        assert statuses(evening.event, ana) == ["CONFIRMED"]
        assert shown_to(ana) == true_of(ana)

    @pytest.mark.slow
    def test_while_confirmations_are_still_asked_for_who_has_confirmed_stays_so(self) -> None:
        evening = four().confirmed()
        services.event_move(
            event=evening.event, starts_at=EIGHT - HOUR, title=evening.event.title, now=EIGHT - DAY
        )
        assert evening.step == "confirming"
        assert statuses(evening.event, *evening.people) == ["CONFIRMED"] * 4
        assert [shown_to(each) for each in evening.people] == [true_of(each) for each in evening.people]


@pytest.mark.parametrize("made_by_an_earlier_version", [False, True])
def test_an_entry_stays_the_same_wherever_the_product_moves(
    settings: Any, made_by_an_earlier_version: bool
) -> None:
    evening = Evening(event())
    settings.PUBLIC_URL = "https://old.example.com"
    if made_by_an_earlier_version:
        Event.objects.update(uid_host="")
        import_module("dating.migrations.0008_rules_and_calendars").note_hosts(apps, None)
    ana = person("Ana")
    evening.registered(ana)
    settings.PUBLIC_URL = "https://new.example.com"
    services.registration_cancel(event=evening.event, user=ana, now=evening.now)
    host = "old.example.com" if made_by_an_earlier_version else "tocsin"
    uids = {str(Calendar.from_ical(each).events[0]["UID"]) for each in files_of(ana)}
    assert uids == {f"{evening.event.pk}@{host}"}


def ends(user: User) -> list[timedelta]:
    """How long the evening takes by each file that somebody is sent."""
    entries = [Calendar.from_ical(each).events[0] for each in files_of(user)]
    return [each.end - each.start for each in entries]


class TestPlaces:
    def test_more_places_that_make_it_longer_are_told(self) -> None:
        evening = Evening(event(places=4)).registered(person("Ana"), person("Bob"))
        ana = evening.people[0]
        services.places_set(event=evening.event, places=20, now=evening.now)
        assert told(ana) == ["registered", "longer"]
        first, second = ends(ana)
        assert first < second == longest(Event.objects.get())
        assert sequences(ana) == [0, 1]
        longer = Notification.objects.get(kind="dating.longer", deliveries__user=ana)
        assert f"ends at {EIGHT + second:%H:%M} at the latest" in longer.body
        # With more than a group holds it takes no longer, and with fewer places nobody needs to know.
        services.places_set(event=evening.event, places=400, now=evening.now)
        services.places_set(event=evening.event, places=10, now=evening.now)
        assert told(ana) == ["registered", "longer"]
        evening.at(EIGHT - DAY)
        services.registration_confirm(event=evening.event, user=ana, now=evening.now)
        assert sequences(ana) == [0, 1, 3]

    def test_whoever_moves_up_by_them_hears_of_it_with_that(self) -> None:
        evening = Evening(event(places=2)).registered(*(person(name) for name in ("Ana", "Bob", "Tom")))
        services.places_set(event=evening.event, places=3, now=evening.now)
        tom = evening.people[2]
        assert told(tom) == ["waiting", "moved_up"]
        assert ends(tom)[-1] == longest(Event.objects.get())
        assert shown_to(tom) == true_of(tom)

    @pytest.mark.slow
    def test_once_the_groups_are_made_they_change_nothing(self) -> None:
        evening = Evening(event(places=4)).registered(person("Ana"), person("Bob")).confirmed()
        evening.at(EIGHT - HOUR)
        before = told(evening.people[0])
        services.places_set(event=evening.event, places=20, now=evening.now)
        assert told(evening.people[0]) == before


@pytest.fixture
def mail(settings: Any) -> Iterator[MailServer]:
    with MailServer() as server:
        settings.SMTP_HOST, settings.SMTP_PORT = "127.0.0.1", server.port
        yield server


def methods(mail: MailServer) -> list[str]:
    """What the calendar program of whoever got them is told to do, mail by mail."""
    parts = [part for each in mail.mails for part in each.message.walk()]
    return [
        str(part.get_param("method"))
        for part in parts
        if part.get_content_type() == "text/calendar" and not part.get_filename()
    ]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_nobody_is_invited_late_to_what_they_cancelled_while_the_mail_server_was_away(
    mail: MailServer, settings: Any
) -> None:
    settings.CHANNEL_POLICIES = {"email": {"wait_s": 0.5, "attempts": 100}}
    mail.fail("MAIL", "drop")
    ana = person("Ana")
    ContactPointFactory(user=ana, channel="email", address="ana@example.com")
    running = Sender()
    running.start()
    try:
        evening = Evening(event()).registered(ana)
        while not Outgoing.objects.filter(attempts__gt=0, lease_until=None).exists():
            time.sleep(0.02)
        services.registration_cancel(event=evening.event, user=ana, now=evening.now)
        mail.fail("MAIL", "ok")
        assert running.drain(20)
    finally:
        running.stop()
    assert methods(mail) == ["CANCEL"]
    (invited,) = Delivery.objects.filter(channel="email", notification__kind="dating.registered")
    assert (invited.status, invited.reason) == ("cancelled", "overtaken")


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_mail_that_calls_an_evening_off_cancels_it_in_the_calendar(mail: MailServer) -> None:
    evening = four()
    for each in evening.people:
        ContactPointFactory(user=each, channel="email", address=f"{each.first_name}@example.com".lower())
    services.event_end(event=evening.event, now=EIGHT - 3 * DAY)
    running = Sender()
    running.start()
    try:
        assert running.drain(20)
    finally:
        running.stop()
    assert sorted(each.recipients[0] for each in mail.mails) == [
        "ana@example.com", "bob@example.com", "eve@example.com", "tom@example.com",
    ]  # fmt: skip
    for each in mail.mails:
        (part,) = (
            part
            for part in each.message.walk()
            if part.get_content_type() == "text/calendar" and not part.get_filename()
        )
        assert part.get_param("method") == "CANCEL"
        entry = Calendar.from_ical(part.get_content()).events[0]
        assert str(entry["STATUS"]) == "CANCELLED"
        assert str(entry["ATTENDEE"]).startswith("mailto:")
        whose = Registration.objects.get(user__email=str(entry["ATTENDEE"]).removeprefix("mailto:"))
        assert each.recipients[0] == f"{whose.user.first_name}@example.com".lower()
