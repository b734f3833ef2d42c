"""What those who run an evening see of what it came to, and what the metrics say of it."""

import pytest
from django.test import Client
from django.urls import reverse

from dating import services
from dating.metrics import families
from dating.models import Reaction
from dating.web.results import FULL, plots_of
from tests.dating.cast import DAY, EIGHT, HOUR, MINUTE, Evening, event, person
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


#: What the metrics count.
COUNTS = ("tocsin_dating_events_scheduled", "tocsin_dating_events_running", "tocsin_dating_calls_active")


def gauges() -> list[float]:
    found = {each.name: each.samples[0].value for each in families({})}
    return [found[name] for name in COUNTS]


def held_evening() -> Evening:
    """Two who meet, and like each other."""
    ana, bob = person("Ana"), person("Bob")
    evening = Evening(event(organiser=UserFactory(email="host@example.com"))).registered(ana, bob).confirmed()
    evening.at(EIGHT - HOUR)
    evening.at(EIGHT)
    evening.join(ana, bob)
    evening.at(evening.end_of_round(1))
    for by, about in ((ana, bob), (bob, ana)):
        services.reaction_record(
            event=evening.event,
            user=by,
            about_id=evening.member(about).pk,
            kind=Reaction.Kind.LIKE,
            now=evening.now,
        )
    evening.at(evening.end_of_round(1) + MINUTE)
    assert evening.step == "finished"
    return evening


def test_where_nobody_gave_a_sign_nobody_is_said_not_to_have_come() -> None:
    ana, bob = person("Ana"), person("Bob")
    evening = Evening(event()).registered(ana, bob).confirmed()
    for at in (EIGHT - HOUR, EIGHT, EIGHT + HOUR):
        evening.at(at)
    for _ in range(3):
        if evening.step != "finished":
            evening.at(evening.event.deadline_at)
    evening.event.refresh_from_db()
    people, rounds = plots_of(evening.event)[:2]
    assert rounds.bars[0].text == "1 of 1 held, 0 likes"
    assert "Came" not in [bar.label for bar in people.bars]
    assert people.lead == "Nobody gave a sign, so who came isn't known, and each date counts as held."


@pytest.mark.slow
def test_whoever_runs_an_evening_sees_what_came_of_it() -> None:
    evening = held_evening()
    browser = Client(headers={"accept": "text/html"})
    browser.force_login(evening.event.organiser)
    page = browser.get(reverse("dating:results", args=[evening.event.pk])).content.decode()
    assert "1 round, 1 match" in page
    assert page.count("<section") == 4
    assert "1 of 1 held, 2 likes" in page
    assert "1 pair matched" in page
    assert "Bob" not in page, "figures, and nobody's name"
    sheet = browser.get(reverse("dating:runsheet", args=[evening.event.pk])).content.decode()
    assert reverse("dating:results", args=[evening.event.pk]) in sheet


@pytest.mark.slow
def test_a_stranger_and_those_who_took_part_do_not() -> None:
    evening = held_evening()
    url = reverse("dating:results", args=[evening.event.pk])
    assert Client().get(url).status_code in (302, 401, 403)
    for user in (evening.people[0], UserFactory(email="stranger@example.com")):
        browser = Client()
        browser.force_login(user)
        assert browser.get(url).status_code == 403


def test_before_the_end_there_is_nothing_to_see_yet() -> None:
    host = UserFactory()
    browser = Client(headers={"accept": "text/html"})
    browser.force_login(host)
    page = browser.get(reverse("dating:results", args=[event(organiser=host).pk])).content.decode()
    assert "when the evening is over" in page


def test_bars_are_in_proportion_and_what_is_there_can_be_seen() -> None:
    made = event()
    made.results = {
        "registered": 1000,
        "confirmed": 500,
        "declined": 1,
        "shows": 1,
        "reactions": {"like": 0, "dislike": 0, "report": 0},
        "matches": 0,
        "by_round": [{"round": 1, "planned": 4, "held": 3, "likes": 1, "matches": 0}],
    }
    people, rounds, reactions = plots_of(made)
    assert [bar.parts[0].width for bar in people.bars] == [FULL, FULL // 2, 4]
    assert [(part.name, part.x, part.width) for part in rounds.bars[0].parts] == [
        ("held", 0, FULL * 3 // 4),
        ("not-held", FULL * 3 // 4, FULL // 4),
    ]
    assert all(bar.parts == [] for bar in reactions.bars), "nothing is not divided by nothing"


@pytest.mark.slow
def test_the_metrics_count_the_events_to_come_and_the_calls_that_are_held() -> None:
    evening = (
        Evening(event()).registered(*(person(name) for name in ("Ana", "Bob", "Eve", "Tom"))).confirmed()
    )
    evening.at(EIGHT - HOUR)
    assert gauges() == [1, 0, 0]
    evening.at(EIGHT)
    assert gauges() == [0, 1, 2]
    services.event_pause(event=evening.event, now=evening.now)
    assert gauges() == [0, 1, 0]
    services.event_resume(event=evening.event, now=evening.now)
    evening.at(evening.end_of_round(1))
    assert gauges() == [0, 1, 0], "in a break nobody talks"
    evening.at(EIGHT + DAY)  # late, and so the last break lasts on, for ratings
    evening.at(EIGHT + 2 * DAY)
    assert gauges() == [0, 0, 0]
