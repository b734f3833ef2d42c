"""The pages of an evening: for those who take part, and for those who run it."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from dating import services
from dating.links import join_url
from dating.models import DatingProfile, Event, Reaction, Registration, Seat, Step
from dating.services.calls import rooms_make
from tests.dating.cast import person

HTMX = {"HX-Request": "true"}
NAVIGATES = {"Sec-Fetch-Mode": "navigate"}
BEFORE = {
    Step.OPEN: timedelta(days=2),
    Step.CONFIRMING: timedelta(hours=2),
    Step.CLOSED: timedelta(minutes=30),
    Step.READY_CHECK: timedelta(minutes=2),
    Step.ROUND: timedelta(minutes=-2),
}
Browse = Callable[..., Client]


@pytest.fixture
def browse(db: None) -> Browse:
    """A browser, logged in as someone or as nobody."""

    def build(user: User | None = None) -> Client:
        client = Client(headers={"accept": "text/html"})
        if user is not None:
            client.force_login(user)
        return client

    return build


def evening(step: Step, people: list[User], **fields: Any) -> Event:
    """An event that is in a step now, by the clock on the wall; its rounds are long."""
    starts_at = timezone.now() + BEFORE[Step.ROUND if step in (Step.BREAK, Step.FINISHED) else step]
    early = starts_at - timedelta(days=10)
    settings = {"title": "Friday at eight", "round_s": 3600, "break_s": 3600}
    event = services.event_create(now=early, starts_at=starts_at, **settings | fields)
    for each in people:
        services.registration_create(event=event, user=each, now=early)
    if step == Step.OPEN:
        return event
    to(event, starts_at - timedelta(days=1))
    if step != Step.CONFIRMING:
        for each in people:
            services.registration_confirm(event=event, user=each, now=starts_at - timedelta(days=1))
        to(event, timezone.now())
    if step in (Step.BREAK, Step.FINISHED):
        event.refresh_from_db()
        to(event, event.deadline_at)
    if step == Step.FINISHED:
        services.event_end(event=event, now=timezone.now())
        event.refresh_from_db()
        to(event, event.deadline_at)
    event.refresh_from_db()
    assert event.step == step
    return event


def to(event: Event, now: datetime | None) -> None:
    assert now
    services.event_advance(event_id=event.pk, now=now)


def page_of(client: Client, event: Event) -> str:
    response = client.get(f"/dating/{event.pk}/")
    assert response.status_code == 200
    return response.content.decode()


def part_of(member: User, event: Event) -> Registration:
    return Registration.objects.get(event=event, user=member)


def said(response: Any) -> str:
    """The text of a page, without its tags."""
    text = re.sub(r"<[^>]+>", " ", response if isinstance(response, str) else response.content.decode())
    return " ".join(text.replace("&#x27;", "'").split())


class TestList:
    def test_whoever_is_not_logged_in_is_asked_to(self, browse: Browse) -> None:
        event = evening(Step.OPEN, [])
        for path in ("/dating/", f"/dating/{event.pk}/", f"/dating/{event.pk}/run-sheet/"):
            assert browse().get(path)["Location"] == f"/login/?next={path.replace('/', '%2F')}"

    @pytest.mark.slow
    def test_registering_and_cancelling_are_a_button_each(self, browse: Browse) -> None:
        ana, event = person(), evening(Step.OPEN, [])
        client = browse(ana)
        assert "1 registered" not in said(client.get("/dating/"))
        client.post(f"/dating/{event.pk}/register/")
        text = said(client.get("/dating/"))
        assert "1 registered" in text
        assert "I can't come" in text
        client.post(f"/dating/{event.pk}/cancel/")
        assert part_of(ana, event).state == "cancelled"

    def test_somebody_without_a_birthday_is_told_so(self, browse: Browse, owner: User) -> None:
        evening(Step.OPEN, [])
        assert "without your birthday" in said(browse(owner).get("/dating/"))
        assert "without your birthday" not in said(browse(person()).get("/dating/"))

    @pytest.mark.slow
    def test_its_queries_do_not_grow_with_the_evenings(self, browse: Browse) -> None:
        ana, counts = person(), []
        client = browse(ana)
        for _ in range(2):
            evening(Step.OPEN, [ana])
            with CaptureQueriesContext(connection) as queries:
                client.get("/dating/")
            counts.append(len(queries))
        assert counts[0] == counts[1] <= 12


class TestEvening:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("step", "words"),
        [
            (Step.OPEN, ["You are registered", "Confirmation opens", "I can't come"]),
            (Step.CONFIRMING, ["Will you come?", "Yes, I'm coming"]),
            (Step.CLOSED, ["You are taking part", "It begins"]),
            (Step.READY_CHECK, ["Are you ready?", "60 minutes", "I'm ready", "Round 1 begins"]),
            (Step.ROUND, ["Round 1: you meet", "Join the call with", "The call ends"]),
            (Step.BREAK, ["Did you like", "Yes", "No", "Next you meet", "Round 2 begins"]),
            (Step.FINISHED, ["The evening is over", "No matches this time"]),
        ],
    )
    def test_it_says_what_happens_now_and_next(self, browse: Browse, step: Step, words: list[str]) -> None:
        people = [person(name) for name in ("Ana", "Bo", "Cy", "Di")]
        text = said(page_of(browse(people[0]), evening(step, people)))
        assert [each for each in words if each not in text] == []

    @pytest.mark.slow
    def test_whoever_has_no_call_is_told_so(self, browse: Browse) -> None:
        people = [person(name) for name in ("Ana", "Bo", "Cy")]
        event = evening(Step.ROUND, people)
        texts = [said(page_of(browse(each), event)) for each in people]
        assert sum("a break for you" in text for text in texts) == 1
        assert sum("Join the call with" in text for text in texts) == 2

    @pytest.mark.slow
    def test_a_stranger_sees_the_evening_and_nothing_of_its_people(
        self, browse: Browse, stranger: User
    ) -> None:
        event = evening(Step.ROUND, [person("Anastasia"), person("Bogdan")])
        page = page_of(browse(stranger), event)
        assert "You are not taking part" in said(page)
        assert "Anastasia" not in page
        assert "Bogdan" not in page
        assert "/dating/join/" not in page

    @pytest.mark.slow
    def test_nothing_is_sent_while_nothing_has_changed(self, browse: Browse) -> None:
        people = [person(name) for name in ("Ana", "Bo")]
        event = evening(Step.READY_CHECK, people)
        client = browse(people[0])
        (seen,) = re.findall(r'hx-get="([^"]+)"', page_of(client, event))
        assert client.get(seen, headers=HTMX).status_code == 204
        services.ready_mark(event=event, user=people[0], now=timezone.now())
        changed = client.get(seen, headers=HTMX)
        assert "You are ready" in said(changed)
        assert seen not in changed.content.decode()

    @pytest.mark.slow
    def test_what_is_over_is_not_asked_for_again(self, browse: Browse) -> None:
        people = [person(name) for name in ("Ana", "Bo")]
        page = page_of(browse(people[0]), evening(Step.FINISHED, people))
        assert 'hx-trigger="every' not in page

    @pytest.mark.slow
    def test_a_button_that_comes_too_late_says_why(self, browse: Browse) -> None:
        people = [person(name) for name in ("Ana", "Bo")]
        event = evening(Step.CLOSED, people)
        client = browse(people[0])
        by_htmx = client.post(f"/dating/{event.pk}/cancel/", headers=HTMX)
        assert by_htmx.status_code == 200
        assert 'role="alert"' in by_htmx.content.decode()
        assert "too late to cancel" in said(by_htmx)
        without = client.post(f"/dating/{event.pk}/cancel/", follow=True)
        assert "too late to cancel" in said(without)
        assert part_of(people[0], event).state == "confirmed"

    @pytest.mark.slow
    def test_all_that_is_said_by_htmx_answers_with_what_follows(self, browse: Browse) -> None:
        people = [person(name) for name in ("Ana", "Bo")]
        event = evening(Step.READY_CHECK, people)
        answer = browse(people[0]).post(f"/dating/{event.pk}/ready/", headers=HTMX)
        assert "You are ready" in said(answer)
        assert "<html" not in answer.content.decode()

    @pytest.mark.slow
    def test_its_queries_are_few(self, browse: Browse) -> None:
        people = [person(f"P{number}") for number in range(6)]
        event = evening(Step.BREAK, people)
        client = browse(people[0])
        with CaptureQueriesContext(connection) as queries:
            client.get(f"/dating/{event.pk}/now/", headers=HTMX)
        assert len(queries) <= 7


class TestOpinions:
    def rate(self, client: Client, event: Event, about: Registration, kind: str) -> Any:
        return client.post(
            f"/dating/{event.pk}/opinions/", {"about": str(about.pk), "kind": kind}, headers=HTMX
        )

    @pytest.mark.slow
    def test_those_who_liked_each_other_learn_it(self, browse: Browse) -> None:
        ana, bo = person("Ana"), person("Bo")
        event = evening(Step.BREAK, [ana, bo])
        answer = self.rate(browse(ana), event, part_of(bo, event), "like")
        assert "You liked Bo" in said(answer)
        self.rate(browse(bo), event, part_of(ana, event), "like")
        services.event_advance(event_id=event.pk, now=event.deadline_at)
        assert "You liked each other: Bo" in said(page_of(browse(ana), event))
        assert "You liked each other: Ana" in said(page_of(browse(bo), event))

    @pytest.mark.slow
    def test_the_reported_see_no_trace_of_it(self, browse: Browse) -> None:
        """Bo's page after a report is, letter for letter, the page of somebody who was simply not liked."""
        pages = []
        for kind in (Reaction.Kind.DISLIKE, Reaction.Kind.REPORT):
            ana, bo = person("Ana"), person("Bo")
            event = evening(Step.BREAK, [ana, bo])
            self.rate(browse(bo), event, part_of(ana, event), "like")
            if kind == Reaction.Kind.REPORT:
                self.rate(browse(ana), event, part_of(bo, event), "like")
                path = f"/dating/{event.pk}/report/{part_of(bo, event).pk}/"
                assert browse(ana).post(path, {"text": "rude"}).status_code == 302
            else:
                self.rate(browse(ana), event, part_of(bo, event), kind)
            event.refresh_from_db()
            services.event_advance(event_id=event.pk, now=event.deadline_at)
            pages.append(said(browse(bo).get(f"/dating/{event.pk}/now/", headers=HTMX)))
            assert "No matches this time" in said(page_of(browse(ana), event))
        assert pages[0] == pages[1]
        assert "Reported" not in pages[0]
        assert Reaction.objects.get(kind="report").text == "rude"

    @pytest.mark.slow
    def test_only_somebody_whom_one_has_met_can_be_spoken_of(self, browse: Browse) -> None:
        people = [person(name) for name in ("Ana", "Bo", "Cy", "Di")]
        event = evening(Step.BREAK, people)
        ana = part_of(people[0], event)
        met = {each.pk for each in services.people_met(ana)}
        other = next(part_of(each, event) for each in people[1:] if part_of(each, event).pk not in met)
        assert "people you met" in said(self.rate(browse(people[0]), event, other, "like"))
        assert browse(people[0]).get(f"/dating/{event.pk}/report/{other.pk}/").status_code == 404
        assert browse(person("Eve")).get(f"/dating/{event.pk}/report/{ana.pk}/").status_code == 404
        assert not Reaction.objects.exists()

    @pytest.mark.slow
    def test_nonsense_is_refused_in_words(self, browse: Browse) -> None:
        people = [person(name) for name in ("Ana", "Bo")]
        event = evening(Step.BREAK, people)
        client = browse(people[0])
        for data in ({}, {"about": "x", "kind": "like"}, {"about": str(uuid4()), "kind": "hate"}):
            answer = client.post(f"/dating/{event.pk}/opinions/", data, headers=HTMX)
            assert "expected" in said(answer)


class TestMissed:
    """Somebody who came by a link that the product did not see counts as not having come."""

    @pytest.fixture
    def missed(self, db: None) -> tuple[Event, User, User]:
        ana, bo = person("Ana"), person("Bo")
        event = evening(Step.ROUND, [ana, bo])
        services.join_mark(event=event, user=ana, now=timezone.now())
        to(event, Event.objects.get(pk=event.pk).deadline_at)
        return event, ana, bo

    @pytest.mark.slow
    @pytest.mark.parametrize("who", [0, 1])
    def test_each_can_report_the_other_but_not_rate_them(
        self, browse: Browse, missed: tuple[Event, User, User], who: int
    ) -> None:
        event, *people = missed
        by, about = people[who], part_of(people[1 - who], event)
        client = browse(by)
        path = f"/dating/{event.pk}/report/{about.pk}/"
        page = page_of(client, event)
        assert "Missed dates" in said(page)
        assert f'href="{path}"' in page
        assert f'id="like-{about.pk}"' not in page
        answer = client.post(
            f"/dating/{event.pk}/opinions/", {"about": str(about.pk), "kind": "like"}, headers=HTMX
        )
        assert "people you met" in said(answer)
        assert client.get(path).status_code == 200
        answer = client.post(path, {"text": "by the copied link"}, follow=True)
        assert "The organisers will look into it. We won't tell the person." in said(answer)
        assert Reaction.objects.get().kind == "report"
        assert f'href="{path}"' not in page_of(client, event)

    @pytest.mark.slow
    def test_nobody_reports_whom_they_had_no_date_with(self, browse: Browse, db: None) -> None:
        people = [person(name) for name in ("Ana", "Bo", "Cy", "Di")]
        event = evening(Step.ROUND, people)
        parts = {part_of(each, event).pk for each in people}
        ana = part_of(people[0], event)
        (date,) = ana.dates_as_first.filter(round__number=1) | ana.dates_as_second.filter(round__number=1)
        for other in parts - {date.first_id, date.second_id}:
            assert browse(people[0]).get(f"/dating/{event.pk}/report/{other}/").status_code == 404


class TestJoining:
    @pytest.fixture
    def round_one(self, db: None) -> Event:
        return evening(Step.ROUND, [person("Ana"), person("Bo")])

    def path(self, event: Event) -> str:
        seat = Seat.objects.filter(round__event=event).order_by("pk")[0]
        return urlsplit(join_url(seat.round_id, seat.registration_id)).path

    def joined(self) -> int:
        return Seat.objects.filter(joined_at__isnull=False).count()

    @pytest.fixture
    def by_jitsi(self, settings: Any, db: None) -> Event:
        settings.JITSI_BASE_URL = "https://jitsi.example.com"
        event = evening(Step.ROUND, [person("Ana"), person("Bo")], provider="jitsi")
        rooms_make(now=timezone.now())
        return event

    @pytest.mark.slow
    def test_the_link_leads_to_the_call_without_logging_in(self, browse: Browse, by_jitsi: Event) -> None:
        response = browse().get(self.path(by_jitsi), headers=NAVIGATES)
        assert response.status_code == 302
        assert response["Location"].startswith("https://jitsi.example.com/tocsin-")
        assert self.joined() == 1

    @pytest.mark.slow
    @pytest.mark.parametrize("headers", [{}, NAVIGATES | {"Sec-Purpose": "prefetch"}])
    def test_a_program_that_looks_at_links_does_not_count_as_somebody(
        self, browse: Browse, round_one: Event, headers: dict[str, str]
    ) -> None:
        response = browse().get(self.path(round_one), headers=headers)
        assert "Join the call" in said(response)
        assert "/dating/room/" not in response.content.decode()
        assert self.joined() == 0

    @pytest.mark.slow
    def test_its_button_does_for_browsers_that_do_not_say_what_they_do(
        self, browse: Browse, by_jitsi: Event
    ) -> None:
        response = browse().post(self.path(by_jitsi))
        assert response["Refresh"].startswith("0; url=https://jitsi.example.com/tocsin-")
        assert self.joined() == 1

    @pytest.mark.slow
    def test_both_of_a_pair_are_led_to_the_same_call(self, browse: Browse, by_jitsi: Event) -> None:
        places = {
            browse().get(urlsplit(join_url(seat.round_id, seat.registration_id)).path, headers=NAVIGATES)[
                "Location"
            ]
            for seat in Seat.objects.filter(round__number=1)
        }
        assert len(places) == 1

    @pytest.mark.slow
    def test_after_the_call_it_leads_back_to_the_evening(self, browse: Browse, round_one: Event) -> None:
        path = self.path(round_one)
        services.event_end(event=round_one, now=timezone.now())
        to(round_one, timezone.now())
        for response in (browse().get(path, headers=NAVIGATES), browse().get(path), browse().post(path)):
            assert response.status_code == 409
            assert f'href="/dating/{round_one.pk}/"' in response.content.decode()

    @pytest.mark.slow
    def test_what_was_not_signed_here_leads_nowhere(self, browse: Browse, round_one: Event) -> None:
        path = self.path(round_one)
        for each in (path[:-2] + ("0/" if path[-2] != "0" else "1/"), "/dating/join/x/"):
            assert browse().get(each, headers=NAVIGATES).status_code == 404
        assert self.joined() == 0


class TestRunSheet:
    @pytest.mark.slow
    def test_only_those_who_run_it_see_it(
        self, browse: Browse, owner: User, stranger: User, operator: User
    ) -> None:
        ana = person()
        event = evening(Step.CLOSED, [ana, person("Bo")], organiser=owner)
        path = f"/dating/{event.pk}/run-sheet/"
        assert [browse(each).get(path).status_code for each in (owner, operator, ana, stranger)] == [
            200,
            200,
            403,
            403,
        ]
        for action in ("pause", "resume", "extend", "drop", "end"):
            assert browse(ana).post(f"{path}{action}/").status_code == 403
        event.refresh_from_db()
        assert event.step == Step.CLOSED

    @pytest.mark.slow
    def test_it_shows_who_is_where(self, browse: Browse, operator: User) -> None:
        people = [person(name) for name in ("Ana", "Bo", "Cy", "Di", "Ed")]
        event = evening(Step.ROUND, people)
        seat = Seat.objects.filter(round__number=1).select_related("registration__user")[0]
        services.join_mark(event=event, user=seat.registration.user, now=timezone.now())
        page = said(browse(operator).get(f"/dating/{event.pk}/run-sheet/"))
        assert "Round 1 of 5" in page
        assert "Group 1" in page
        assert page.count("In room") == 1
        assert page.count("Expected in room") == 3
        assert page.count("No call in this round") == 1
        assert "4 rounds to come" in page

    def test_nobody_passes_for_there_before_they_give_a_sign_and_staff_can_reach_them(
        self, browse: Browse, owner: User, operator: User
    ) -> None:
        people = [person(name) for name in ("Ana", "Bo", "Cy", "Di")]
        event = evening(Step.ROUND, people, organiser=owner)
        bo, cy = people[1:3]
        User.objects.filter(pk=cy.pk).update(phone="+33546000001")
        path = f"/dating/{event.pk}/run-sheet/"
        assert "Here 0 of 4 Missing 0" in said(browse(operator).get(path))
        services.join_mark(event=event, user=bo, now=timezone.now())
        page = browse(operator).get(path).content.decode()
        assert "Here 1 of 4" in said(page)
        assert 'href="tel:+33546000001"' in page
        assert f'href="mailto:{people[0].email}"' in page
        assert bo.email not in page  # there is a sign of them
        for address in ("+33546000001", people[0].email):  # no organiser needs to know
            assert address not in browse(owner).get(path).content.decode()

        services.event_end(event=event, now=timezone.now())
        for _ in range(2):
            event.refresh_from_db()
            to(event, event.deadline_at)
        over = browse(operator).get(path).content.decode()
        assert "Bo Came" in said(over)
        assert "tel:" not in over
        assert over.count(f"/dating/{event.pk}/results/") == 1
        silent = evening(Step.FINISHED, [person("Ed"), person("Flo")])
        text = said(browse(operator).get(f"/dating/{silent.pk}/run-sheet/"))
        assert "Ed No sign" in text
        assert "No sign yet" not in text

    @pytest.mark.slow
    def test_whoever_did_not_come_is_missing(self, browse: Browse, operator: User) -> None:
        people = [person(name) for name in ("Ana", "Bo", "Cy", "Di")]
        event = evening(Step.ROUND, people)
        for each in people[1:]:
            services.join_mark(event=event, user=each, now=timezone.now())
        to(event, event.deadline_at)
        page = said(browse(operator).get(f"/dating/{event.pk}/run-sheet/"))
        assert "Ana Missing" in page
        assert "Missing 1" in page
        assert "somebody did not come" in page

    @pytest.mark.slow
    def test_rounds_that_an_early_end_leaves_out_are_not_to_come_any_more(
        self, browse: Browse, operator: User
    ) -> None:
        event = evening(Step.ROUND, [person(name) for name in ("Ana", "Bo", "Cy", "Di")])
        services.event_end(event=event, now=timezone.now())
        for hours in (0, 2):
            to(event, timezone.now() + timedelta(hours=hours))
        page = said(browse(operator).get(f"/dating/{event.pk}/run-sheet/"))
        assert "3 rounds Round 3" in page
        assert page.count("not held") == 4
        assert "to come" not in page

    @pytest.mark.slow
    def test_the_evening_can_be_run_by_its_buttons(self, browse: Browse, operator: User) -> None:
        people = [person(name) for name in ("Ana", "Bo", "Cy", "Di")]
        event = evening(Step.ROUND, people)
        client, path = browse(operator), f"/dating/{event.pk}/run-sheet/"
        deadline = event.deadline_at

        assert "Paused: Round 1 of 3" in said(client.post(f"{path}pause/", headers=HTMX))
        assert "The evening is paused" in said(page_of(browse(people[0]), event))
        assert "Resume" not in said(client.post(f"{path}resume/", headers=HTMX))
        client.post(f"{path}extend/", {"by_s": "120"}, headers=HTMX)
        event.refresh_from_db()
        assert event.deadline_at >= deadline + timedelta(seconds=120)

        client.post(f"{path}drop/", {"registration": str(part_of(people[3], event).pk)}, headers=HTMX)
        assert part_of(people[3], event).state == "dropped"
        assert "removed you" in said(page_of(browse(people[3]), event))
        assert "the last one" in said(client.post(f"{path}end/", headers=HTMX))

    @pytest.mark.slow
    def test_a_round_is_not_extended_by_nonsense(self, browse: Browse, operator: User) -> None:
        event = evening(Step.ROUND, [person("Ana"), person("Bo")])
        client, path = browse(operator), f"/dating/{event.pk}/run-sheet/extend/"
        for by_s in ("", "0", "-60", "x", "3601", "9" * 40, "1.5", "٣", "0036009", "0" * 5000):
            assert "by_s: expected" in said(client.post(path, {"by_s": by_s}, headers=HTMX))
        before = event.deadline_at
        event.refresh_from_db()
        assert event.deadline_at == before

    @pytest.mark.slow
    def test_its_queries_do_not_grow_with_the_people(self, browse: Browse, operator: User) -> None:
        counts = []
        client = browse(operator)
        for size in (4, 9):
            people = [person(f"P{number}") for number in range(size)]
            event = evening(Step.ROUND, people, users_limit=size)
            with CaptureQueriesContext(connection) as queries:
                client.get(f"/dating/{event.pk}/run-sheet/now/", headers=HTMX)
            counts.append(len(queries))
        assert counts[0] == counts[1] <= 10

    @pytest.mark.slow
    def test_names_of_people_are_text(self, browse: Browse, operator: User) -> None:
        event = evening(Step.CLOSED, [person("<b>Ana"), person('"><i>')])
        page = browse(operator).get(f"/dating/{event.pk}/run-sheet/").content.decode()
        assert "&lt;b&gt;Ana" in page
        assert "<i>" not in page


class TestProfile:
    def test_it_is_stored_and_shown(self, browse: Browse, owner: User) -> None:
        client = browse(owner)
        given = {"birthday": "1999-05-01", "city": "Lyon", "seeks": "women"}
        assert client.post("/dating/profile/", given)["Location"] == "/dating/"
        profile = DatingProfile.objects.get(user=owner)
        assert (str(profile.birthday), profile.city, profile.seeks) == tuple(given.values())
        assert 'value="1999-05-01"' in client.get("/dating/profile/").content.decode()

    def test_it_leaves_the_organisers_score_alone(self, browse: Browse, owner: User) -> None:
        DatingProfile.objects.create(user=owner, manual_score=3)
        given = {"birthday": "1999-05-01", "city": "", "seeks": "men", "manual_score": "1"}
        browse(owner).post("/dating/profile/", given)
        assert DatingProfile.objects.get(user=owner).manual_score == 3

    @pytest.mark.parametrize("day", ["2999-01-01", "2020-01-01", "1850-01-01"])
    def test_only_people_who_are_old_enough_are_taken(self, browse: Browse, owner: User, day: str) -> None:
        given = {"birthday": day, "city": "Lyon", "seeks": "women"}
        response = browse(owner).post("/dating/profile/", given)
        assert response.status_code == 422
        assert "errorlist" in response.content.decode()
        assert not DatingProfile.objects.exists()

    @pytest.mark.parametrize("field", ["birthday", "seeks", "city"])
    def test_what_is_wrong_is_said_at_its_field(self, browse: Browse, owner: User, field: str) -> None:
        given = {"birthday": "1999-05-01", "city": "Lyon", "seeks": "women"}
        wrong = {"birthday": "2999-01-01", "seeks": "aliens", "city": "x" * 101}[field]
        response = browse(owner).post("/dating/profile/", given | {field: wrong})
        assert response.status_code == 422
        assert "errorlist" in response.content.decode()
        assert not DatingProfile.objects.exists()
