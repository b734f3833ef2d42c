"""The console's first page: what rings first, figures that are right, and only news for who has the rest."""

import json
import re
from datetime import timedelta
from typing import Any

import django_rq
import pytest
from django.test import Client
from redis import Redis
from redis.exceptions import ConnectionError as RedisAway

from accounts.models import User
from config import clock
from dating.evening.steps import Step
from dating.services import event_create
from escalation.models import AlertGroup, EscalationProcess, Heartbeat
from escalation.policies.definition import Definition
from escalation.policies.parsing import steps_of
from escalation.requests import Request
from escalation.services.policies import policy_create
from escalation.services.processes import process_acknowledge
from escalation.services.requests import request_run
from notifications import metrics
from notifications.web.console.sending import sparkline
from tests.factories import ContactPointFactory, UserFactory, schedule_of

PATH = "/console/"


@pytest.fixture
def page(operator: User, redis: Redis) -> Client:
    metrics.flush()
    redis.flushdb()
    client = Client(headers={"accept": "text/html"})
    client.force_login(operator)
    return client


def panel(page: Client, name: str) -> str:
    shown = page.get(PATH).content.decode()
    found = re.search(rf'<section id="panel-{name}".*?</section>', shown, re.DOTALL)
    assert found
    return found[0]


def texts(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def start(name: str, **policy: Any) -> EscalationProcess:
    answer = request_run(Request(name, "start", policy="Orders", **policy), now=clock.now())
    assert answer.process is not None
    return answer.process


@pytest.fixture
def ana(db: None) -> User:
    """Told at once, and again after two minutes, by email."""
    person = UserFactory(first_name="Ana", last_name="Moreau")
    ContactPointFactory(user=person, channel="email", address=person.email)
    targets = [{"type": "user", "user_id": str(person.pk), "channels": ["email"]}]
    steps = steps_of([{"after_s": 0, "targets": targets}, {"after_s": 120, "targets": targets}])
    policy_create(name="Orders", definition=Definition(steps))
    return person


# --- What rings ---


def test_what_nobody_has_taken_comes_first_with_its_next_step(page: Client, ana: User) -> None:
    taken, standard, critical = start("taken"), start("standard", severity="standard"), start("critical")
    process_acknowledge(process=taken, by="Luc", via="web", now=clock.now())
    shown = panel(page, "ringing")
    assert re.findall(r'<a href="/escalations/[^"]+">(\w+)</a>', shown) == ["critical", "standard"]
    assert texts(shown).count("Next: Email to Ana Moreau at") == 2
    assert f'formaction="/escalations/{critical.pk}/acknowledge/"' in shown
    page.post(f"/escalations/{standard.pk}/acknowledge/")
    assert "standard" not in texts(panel(page, "ringing"))


def test_what_goes_on_later_says_who_has_taken_it(page: Client, ana: User) -> None:
    steps = steps_of([{"after_s": 0, "targets": [{"type": "user", "user_id": str(ana.pk), "channels": []}]}])
    policy_create(name="Long", definition=Definition(steps, acknowledge_timeout_s=900))
    process = request_run(Request("oven", "start", policy="Long"), now=clock.now()).process
    assert process is not None
    process_acknowledge(process=process, by="Luc", via="web", now=clock.now())
    shown = texts(panel(page, "ringing"))
    assert "Taken by Luc , goes on at" in shown
    assert "Take it" not in shown


def test_a_group_stands_for_the_escalation_that_tells_of_it(page: Client, ana: User) -> None:
    process = start("disk #1")
    AlertGroup.objects.create(
        title="Disk full",
        key="disk",
        severity="critical",
        opened_at=clock.now(),
        last_at=clock.now(),
        process=process,
    )
    shown = panel(page, "ringing")
    assert re.findall(r'class="panel-what">\s*<a href="([^"]+)">', shown) == [
        f"/groups/{AlertGroup.objects.get().pk}/"
    ]
    assert "Next: Email to Ana Moreau" in texts(shown)


def test_where_nothing_rings_one_is_led_to_start_something(page: Client) -> None:
    assert "Nothing rings. Start an escalation" in texts(panel(page, "ringing"))


# --- What goes out, and who is at work ---


def test_figures_are_what_was_counted_and_what_fails_comes_first(page: Client) -> None:
    metrics.add("accepted", amount=7)
    metrics.add("deliveries", "email", "sent", amount=40)
    metrics.add("deliveries", "sms", "sent", amount=1)
    metrics.add("deliveries", "sms", "failed", amount=2)
    metrics.add("deliveries", "sms", "expired", amount=1)
    metrics.add("attempts", "sms", "failed", amount=5)
    metrics.flush()
    shown = panel(page, "sending")
    assert "7 alerts accepted in five minutes, 7 in an hour, 7 in a day." in texts(shown)
    rows = [texts(row) for row in re.findall(r"<tr.*?</tr>", shown, re.DOTALL)[1:]]
    failing = rf"Text message failing since {clock.now():%-d %b}, [\d:]+ 1 1 1 3 \(75 %\) 3"
    assert re.fullmatch(failing, rows[0]), rows[0]
    assert rows[1] == "Email 40 40 40 0 0"
    assert len(rows) == 2
    assert "?channel=sms" in shown


def test_a_sparkline_is_as_high_as_its_highest_minute() -> None:
    assert sparkline([0, 10, 5]) == "0.0,23.0 60.0,1.0 120.0,12.0"
    assert sparkline([0, 0]) == ""


def test_where_redis_is_away_the_rest_is_shown(page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: Any, **kwargs: Any) -> Any:
        raise RedisAway

    for name in ("hgetall", "smembers", "hget"):
        monkeypatch.setattr(Redis, name, away)
    monkeypatch.setattr("redis.client.Pipeline.execute", away)
    assert "Redis can't be reached" in panel(page, "sending").replace("&#x27;", "'")
    assert "Redis can't be reached" in panel(page, "work").replace("&#x27;", "'")
    assert "0 due" in texts(panel(page, "work"))


def test_that_no_worker_is_there_is_a_trouble(page: Client) -> None:
    assert '<li class="is-trouble"><strong>0</strong> workers' in panel(page, "work")
    assert django_rq.get_connection().smembers("rq:workers") == set()


# --- The other panels ---


def test_who_is_on_call_stands_there_until_when(page: Client) -> None:
    assert "hidden" in panel(page, "on-call").split(">")[0]
    now = clock.now()
    bo = UserFactory(first_name="Bo", last_name="")
    schedule_of(bo, name="Nights", shift_h=24, starts_on=(now - timedelta(days=2)).date())
    schedule_of(bo, name="Later", shift_h=24, starts_on=(now + timedelta(days=2)).date())
    shown = panel(page, "on-call")
    assert "hidden" not in shown.split(">")[0]
    assert re.search(r"Nights : Bo, until \w+ \d+ \w+, \d\d:\d\d", texts(shown))
    assert re.search(r'<li class="is-trouble"><a href="[^"]+">Later</a>: nobody is on call', shown)


def test_of_more_than_are_shown_it_says_so(page: Client, monkeypatch: pytest.MonkeyPatch, ana: User) -> None:
    monkeypatch.setattr("escalation.web.console.panels.MOST_SCHEDULES", 2)
    monkeypatch.setattr("escalation.web.console.panels.MOST", 2)
    for number in (1, 2):
        schedule_of(ana, name=f"Nights {number}")
        start(f"oven {number}")
    assert "Only the first" not in panel(page, "on-call")
    assert "There are more" not in panel(page, "ringing")
    schedule_of(ana, name="Nights 3")
    start("oven 3")
    assert "Only the first" in panel(page, "on-call")
    assert "Nights 3" not in panel(page, "on-call")
    assert "There are more" in panel(page, "ringing")
    assert "oven 3" not in panel(page, "ringing")


def test_heartbeats_that_are_down_or_late_are_named(page: Client) -> None:
    assert "hidden" in panel(page, "heartbeats").split(">")[0]
    now, state = clock.now(), Heartbeat.State

    def beats(name: str, state: str, **times: timedelta) -> None:
        moments = {field: now + time for field, time in times.items()}
        Heartbeat.objects.create(
            name=name, slug=name.lower(), state=state, period_s=60, grace_s=60, **moments
        )

    beats("Backup", state.UP, expected_at=timedelta(hours=1), due_at=timedelta(hours=2))
    assert "All report in time." in texts(panel(page, "heartbeats"))
    beats("Import", state.DOWN)
    beats("Report", state.UP, expected_at=timedelta(seconds=-5), due_at=timedelta(seconds=55))
    shown = texts(panel(page, "heartbeats"))
    assert "Import is down" in shown
    assert "Report is late" in shown
    assert "Backup" not in shown


def test_evenings_of_today_lead_to_their_run_sheets(page: Client) -> None:
    now = clock.now()
    soon = event_create(title="Spring", starts_at=now + timedelta(hours=5), now=now - timedelta(days=30))
    event_create(title="Summer", starts_at=now + timedelta(days=40), now=now)
    shown = panel(page, "evenings")
    assert f'<a href="/dating/{soon.pk}/run-sheet/">Spring</a>' in shown
    assert "Summer" not in shown
    assert Step(soon.step).label.lower() in shown


# --- News ---


def digests(page: Client) -> list[str]:
    return re.findall(r'data-digest="(\w+)"', page.get(PATH).content.decode())


def news(page: Client, have: list[str]) -> list[dict[str, str]]:
    """What somebody is told who has these panels, where there is no event loop."""
    answer = page.get("/console/stream/", {"have": have})
    assert answer["Content-Type"] == "text/event-stream"
    return [json.loads(each) for each in re.findall("^data: (.*)$", answer.content.decode(), re.MULTILINE)]


@pytest.mark.slow
def test_only_what_is_new_is_sent_to_whoever_has_the_rest(page: Client, ana: User) -> None:
    have = digests(page)
    assert news(page, have) == []
    start("oven")
    told = news(page, have)
    assert "panel-ringing" in {each["id"] for each in told}
    assert "panel-on-call" not in {each["id"] for each in told}
    assert 'id="panel-ringing"' in next(each["html"] for each in told if each["id"] == "panel-ringing")
    # What is due gets older with every second, which is news.
    assert {each["id"] for each in news(page, digests(page))} <= {"panel-work"}
