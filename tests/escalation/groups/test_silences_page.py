"""Silences by page: what is quiet, made and ended as the API does, with what it holds back said first."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from accounts.models import User
from config import clock
from escalation.models import AlertGroup, Silence
from tests.escalation.groups.conftest import Monitoring

NEW, ALL = "/silences/new/", "/silences/"
ZONE = ZoneInfo("Asia/Tokyo")


@pytest.fixture
def page(operator: User) -> Client:
    operator.time_zone = "Asia/Tokyo"
    operator.save()
    client = Client(headers={"accept": "text/html"})
    client.force_login(operator)
    return client


def typed(at: datetime) -> str:
    return f"{at.astimezone(ZONE):%Y-%m-%dT%H:%M}"


def form(**given: Any) -> dict[str, Any]:
    now = clock.now()
    fields = {"reason": "Moving", "matching": "key = disk", "starts_at": typed(now), "repeats": ""}
    return fields | {"ends_at": typed(now + timedelta(hours=2))} | given


def made(monitoring: Monitoring, **given: Any) -> AlertGroup:
    monitoring.trigger("disk", **given)
    monitoring.later(seconds=1)
    return monitoring.group("disk")


def test_what_it_would_hold_back_is_shown_and_nothing_is_done(page: Client, monitoring: Monitoring) -> None:
    made(monitoring, title="Disk full")
    monitoring.trigger("oven", title="Oven hot")
    shown = page.post(NEW, form(look="yes")).content.decode()
    assert "Disk full" in shown
    assert "Oven hot" not in shown
    assert not Silence.objects.exists()


def test_the_button_of_a_group_silences_it_alone_until_it_is_ended(
    page: Client, operator: User, monitoring: Monitoring
) -> None:
    group = made(monitoring, title="Disk full")
    monitoring.trigger("oven")
    leads_to = page.get(f"/groups/{group.pk}/").context["silence_query"]
    matching = parse_qs(urlsplit(f"?{leads_to}").query)["matching"][0]
    assert matching == "integration = Prometheus\nkey = disk"
    assert matching in page.get(f"{NEW}?{leads_to}").content.decode()

    told = page.post(NEW, form(matching=matching), follow=True).content.decode()
    assert "It is quiet: 1 open group is held back." in told
    assert [monitoring.group(key).quiet for key in ("disk", "oven")] == ["silenced", ""]
    silence = Silence.objects.get()
    assert silence.created_by == operator
    assert silence.time_zone == "Asia/Tokyo"
    assert silence.ends_at - silence.starts_at == timedelta(hours=2)
    assert abs(silence.starts_at - clock.now()) < timedelta(minutes=2)
    assert "End this silence? 1 open group is told at once." in told

    over = page.post(f"/silences/{silence.pk}/end/", follow=True).content.decode()
    assert "ended early at" in over
    silence.refresh_from_db()
    assert silence.cancelled_at is not None
    assert AlertGroup.objects.get(pk=group.pk).rings_at is not None
    assert LogEntry.objects.filter(object_id=str(silence.pk), user=operator).count() == 2  # made, ended


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"matching": ""}, "Say what it holds back, or tick that it is everything."),
        ({"everything": "on"}, "Say what it holds back, or tick that it is everything."),
        ({"matching": "key = disk\n\nnonsense"}, "Line 3: write a label, then =, != or ~, then a value."),
        ({"matching": "= disk"}, "Line 1: write a label"),
        ({"matching": "\n".join(f"a{number} = b" for number in range(33))}, "32 conditions at most."),
        ({"ends_at": "2026-01-01T00:00"}, "Choose a time after its beginning."),
        ({"starts_at": "2026-01-01T00:00", "ends_at": "2026-01-01T02:00"}, "This time is over."),
        ({"repeats": "FREQ=SECONDLY"}, "Select a valid choice."),
        ({"reason": ""}, "This field is required."),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_said_at_its_field(page: Client, given: dict[str, Any], said: str) -> None:
    answer = page.post(NEW, form(**given))
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not Silence.objects.exists()


@pytest.mark.parametrize(
    ("line", "matcher"),
    [
        ("key = disk", ("key", "=", "disk")),
        ("title~*full*", ("title", "~", "*full*")),
        (" host name != a=b ", ("host name", "!=", "a=b")),
        ("key =", ("key", "=", "")),
    ],
)
def test_a_line_is_a_matcher(page: Client, line: str, matcher: tuple[str, str, str]) -> None:
    page.post(NEW, form(matching=line))
    assert Silence.objects.get().matchers == [dict(zip(("label", "op", "value"), matcher, strict=True))]


def test_everything_is_silenced_only_if_it_is_ticked(page: Client, monitoring: Monitoring) -> None:
    made(monitoring)
    page.post(NEW, form(matching="", everything="on"))
    assert Silence.objects.get().matchers == []
    assert monitoring.group("disk").quiet == "silenced"


def test_a_window_comes_again_by_the_clocks_of_who_made_it(page: Client) -> None:
    first = clock.now() - timedelta(days=3, hours=5)
    page.post(
        NEW, form(starts_at=typed(first), ends_at=typed(first + timedelta(hours=1)), repeats="FREQ=DAILY")
    )
    assert Silence.objects.get().rule == "FREQ=DAILY"
    shown = page.get(ALL)
    (row,) = shown.context["coming"]
    assert row.next.astimezone(ZONE).strftime("%H:%M") == typed(first)[-5:]
    assert clock.now() < row.next < clock.now() + timedelta(days=1)
    assert "begins next at" in shown.content.decode()
    assert not shown.context["holding"]


def test_a_list_has_what_holds_comes_and_is_over(page: Client) -> None:
    now = clock.now()
    for reason, starts, ends in (("old", -3, -2), ("now", -1, 1), ("soon", 1, 2)):
        hours = timedelta(hours=starts), timedelta(hours=ends)
        Silence.objects.create(reason=reason, starts_at=now + hours[0], ends_at=now + hours[1])
    context = page.get(ALL).context
    found = {name: [row.silence.reason for row in context[name]] for name in ("holding", "coming", "over")}
    assert found == {"holding": ["now"], "coming": ["soon"], "over": ["old"]}


def test_others_than_staff_see_none(owner: User) -> None:
    client = Client(headers={"accept": "text/html"})
    client.force_login(owner)
    silence = Silence.objects.create(reason="Moving", ends_at=clock.now() + timedelta(hours=1))
    answers = [
        client.get(ALL),
        client.get(NEW),
        client.post(NEW, form()),
        client.post(f"/silences/{silence.pk}/end/"),
    ]
    assert {answer.status_code for answer in answers} == {403}
    silence.refresh_from_db()
    assert silence.cancelled_at is None
