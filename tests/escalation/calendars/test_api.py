"""Layers that an external calendar feeds, over the API, in files and in the admin; its address is secret."""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from config import clock as product_clock
from escalation.models import Layer, Schedule
from tests.escalation.calendars.conftest import by_calendar, refreshed, vcalendar
from tests.factories import ContactPointFactory, UserFactory, schedule_of
from tests.servers.calendars import Calendars

PATH = "/api/v1/escalations/schedules/"
URL = "https://calendar.google.com/calendar/ical/on-call@example.com/private-5e6b/basic.ics"
SHOWN = "https://calendar.google.com/…"
SECRET = "private-5e6b"


@pytest.fixture
def staff(as_user: Callable[[User], APIClient], operator: User) -> APIClient:
    return as_user(operator)


def body(**layer: Any) -> dict[str, Any]:
    return {"name": "Nights", "layers": [{"time_zone": "Europe/Paris", "ical_url": URL, **layer}]}


def events(email: str) -> str:
    """Whoever has this address is on call on this day and the days around it."""
    day = product_clock.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    begins = f"{day:%Y%m%d}T000000Z"
    return f"DTSTART:{begins}\nDURATION:P1D\nRRULE:FREQ=DAILY;COUNT=5\nSUMMARY:{email}"


def test_a_layer_is_made_of_an_address_and_the_same_again_answers_200(staff: APIClient) -> None:
    first, again = (staff.post(PATH, body()) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    (layer,) = first.json()["layers"]
    assert layer["ical_url"] == URL
    assert (layer["calendar"], layer["members"]) == (None, [])
    assert [layer[name] for name in ("starts_on", "handoff_at", "shift_h")] == [None] * 3
    for written in (URL.replace("https://", "webcal://"), f" {URL.replace('@', '%40')} "):
        assert staff.post(PATH, body(ical_url=written)).status_code == 200, written
    path = f"{PATH}{first.json()['id']}/"
    assert staff.get(f"{path}on-call/").json()["on_call"] is None
    assert staff.get(f"/api/v1/escalations/rotations/{first.json()['id']}/").status_code == 404
    assert staff.get(f"{path}calendar/").status_code == 200


@pytest.mark.parametrize(
    ("layer", "field"),
    [
        ({"ical_url": "http://example.com/a.ics"}, "ical_url"),
        ({"ical_url": "https://10.1.2.3/a.ics"}, "ical_url"),
        ({"ical_url": "https://[::1]/a.ics"}, "ical_url"),
        ({"ical_url": "https://user:secret@example.com/a.ics"}, "ical_url"),
        ({"ical_url": "file:///etc/passwd"}, "ical_url"),
        ({"ical_url": SHOWN}, "ical_url"),
        ({"ical_url": "https://example.com/" + "a" * 2048}, "ical_url"),
        ({"ical_url": 5}, "ical_url"),
        ({"shift_h": 24}, "shift_h"),
        ({"starts_on": "2026-01-05"}, "starts_on"),
        ({"ical_url": None}, "ical_url"),
        ({"restrictions": [{"weekdays": ["sat"], "begin": "08:00", "end": "20:00"}]}, "restrictions"),
    ],
)
def test_an_address_that_is_none_and_fields_of_turns_are_refused(
    staff: APIClient, layer: dict[str, Any], field: str
) -> None:
    refused = staff.post(PATH, body(**layer))
    assert refused.status_code == 400
    assert field in str(refused.json()["layers"])


def test_without_an_address_the_fields_of_turns_are_needed(staff: APIClient) -> None:
    refused = staff.post(PATH, {"name": "Nights", "layers": [{"time_zone": "Europe/Paris"}]})
    assert refused.status_code == 400
    for field in ("starts_on", "handoff_at", "shift_h", "members"):
        assert field in str(refused.json()["layers"])


@pytest.mark.slow
def test_only_whoever_may_change_the_schedule_sees_the_address_and_what_is_wrong(
    staff: APIClient,
    as_user: Callable[[User], APIClient],
    as_machine: Callable[..., APIClient],
    calendars: Calendars,
    ana: User,
) -> None:
    calendars.content = vcalendar(events(ana.email), events("cleo@example.com"))
    path = f"{PATH}{by_calendar(calendars.url).pk}/"
    refreshed(product_clock.now())
    (full,) = staff.get(path).json()["layers"]
    assert full["ical_url"] == calendars.url
    (problem,) = full["calendar"]["problems"]
    assert (problem["reason"], problem["email"], problem["times"]) == ("unknown", "cleo@example.com", 5)
    assert full["calendar"]["fetched_at"]
    for client in (as_user(ana), as_machine("escalations:read")):
        response = client.get(path)
        (shown,) = response.json()["layers"]
        assert shown["ical_url"].startswith("https://127.0.0.1:")
        assert (shown["calendar"]["problems"], shown["calendar"]["problems_count"]) == ([], 1)
        assert SECRET not in response.content.decode()
    assert as_user(ana).get(f"{path}on-call/").json()["on_call"]["people"][0]["user_id"] == str(ana.pk)
    assert as_user(UserFactory()).get(path).status_code == 404


def test_layers_are_taken_as_they_were_read(staff: APIClient, ana: User) -> None:
    turns = schedule_of(ana, name="Turns")
    fed = by_calendar(URL)
    for schedule in (turns, fed):
        path = f"{PATH}{schedule.pk}/"
        layers = staff.get(path).json()["layers"]
        sent = [{name: value for name, value in each.items() if name != "members"} for each in layers]
        for given, each in zip(sent, layers, strict=True):
            given["members"] = [member["user_id"] for member in each["members"]]
        assert staff.patch(path, {"layers": sent}).status_code == 200
        assert staff.get(path).json()["layers"] == layers


@pytest.mark.slow
@pytest.mark.parametrize("more", [{}, {"whom": "everyone"}, {"whom": "next"}])
def test_a_policy_may_name_a_schedule_before_its_calendar_was_read(
    staff: APIClient, calendars: Calendars, ana: User, more: dict[str, Any]
) -> None:
    ContactPointFactory(user=ana, channel="email", address=ana.email, confirmed_at=product_clock.now())
    calendars.content = vcalendar(events(ana.email))
    target = {"type": "schedule", "schedule_id": str(by_calendar(calendars.url).pk), **more}
    body = {"name": "Orders", "steps": [{"after_s": 0, "targets": [target]}]}
    made = staff.post("/api/v1/escalations/policies/", body)
    assert made.status_code == 201, made.content
    assert made.json()["problems"] != []
    refreshed(product_clock.now())
    policy = f"/api/v1/escalations/policies/{made.json()['id']}/"
    assert staff.get(policy).json()["problems"] == []
    tellings = staff.post(f"{policy}simulate/", {}).json()["tellings"]
    assert {each["user_id"] for each in tellings} == {str(ana.pk)}


@pytest.mark.slow
def test_the_person_reads_in_their_own_data_when_a_calendar_has_them_on_call(
    calendars: Calendars, ana: User, as_user: Callable[[User], APIClient]
) -> None:
    calendars.content = vcalendar(events(ana.email))
    by_calendar(calendars.url)
    refreshed(product_clock.now())
    from escalation.export import calendar_spells  # noqa: PLC0415

    assert {each["name"] for each in calendar_spells(ana)} == {"Nights"}
    ana.delete()
    assert Layer.objects.filter(calendar__spells__isnull=False).count() == 0


# --- Files --------------------------------------------------------------------------------------------------

FILE = f"""
schedules:
  - name: Nights
    layers:
      - {{name: Google, time_zone: Europe/Paris, ical_url: "{URL}"}}
"""


@pytest.fixture
def apply(db: None, tmp_path: Path) -> Callable[..., str]:
    def run(text: str, **options: Any) -> str:
        (tmp_path / "team.yaml").write_text(text)
        out = io.StringIO()
        call_command("apply", tmp_path / "team.yaml", **{"yes": True, **options}, stdout=out)
        return out.getvalue()

    return run


def exported() -> str:
    out = io.StringIO()
    call_command("export", "--only", "schedules", stdout=out)
    return out.getvalue()


def test_a_file_makes_such_a_layer_and_shows_its_address_to_nobody(apply: Callable[..., str]) -> None:
    said = apply(FILE)
    assert Layer.objects.get().ical_url == URL
    assert SHOWN in said
    assert SECRET not in said
    assert "No changes" in apply(FILE) or "Nothing" in apply(FILE)
    text = exported()
    assert SECRET not in text
    (layer,) = yaml.safe_load(text)["schedules"][0]["layers"]
    assert layer["ical_url"].startswith(SHOWN)
    changed = apply(text.replace("name: Google", "name: Outlook"))
    assert SECRET not in changed
    layer = Layer.objects.get()
    assert (layer.name, layer.ical_url) == ("Outlook", URL)
    said = apply(FILE.replace(SECRET, "private-77"))
    assert Layer.objects.get().ical_url == URL.replace(SECRET, "private-77")
    assert "private-" not in said


def test_what_was_exported_elsewhere_needs_the_address(apply: Callable[..., str]) -> None:
    apply(FILE)
    text = exported()
    Schedule.objects.all().delete()
    with pytest.raises(CommandError, match="Write the whole address in place of"):
        apply(text)
    with pytest.raises(CommandError, match="has no members"):
        apply(FILE.replace("ical_url", "members: [], ical_url"))
    with pytest.raises(CommandError, match="'members' is a required property"):
        apply(FILE.replace(f'ical_url: "{URL}"', "starts_on: 2026-01-05, handoff_at: 08:00, shift_h: 24"))


# --- Admin --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_admin_shows_how_the_calendar_was_read(
    client: Client, calendars: Calendars, ana: User, person: Callable[..., User]
) -> None:
    calendars.content = vcalendar(events(ana.email), events("cleo@example.com"))
    schedule = by_calendar(calendars.url)
    now = datetime(2026, 3, 2, tzinfo=UTC)
    client.force_login(person("root@example.com", is_staff=True, is_superuser=True))
    path = f"/admin/escalation/schedule/{schedule.pk}/change/"
    assert "not fetched yet" in client.get(path).content.decode()
    refreshed(product_clock.now())
    calendars.status = 503
    refreshed(product_clock.now() + (now - now.replace(day=1)))
    page = client.get(path).content.decode()
    assert "Nobody here has this confirmed email address. (cleo@example.com)" in page
    assert "answered 503" in page
    assert calendars.url in page
    layer = schedule.layers.get()
    assert "answered 503" in client.get(f"/admin/escalation/layer/{layer.pk}/change/").content.decode()
    # Who may look and not change.
    client.force_login(person("clerk@example.com", is_staff=True))
    for each in (path, f"/admin/escalation/layer/{layer.pk}/change/"):
        page = client.get(each).content.decode()
        assert "answered 503" in page
        assert SECRET not in page


@pytest.mark.slow
def test_the_admin_takes_an_address_in_place_of_turns(
    client: Client, calendars: Calendars, ana: User, person: Callable[..., User]
) -> None:
    layer = schedule_of(ana).layers.get()
    client.force_login(person("root@example.com", is_staff=True, is_superuser=True))
    path = f"/admin/escalation/layer/{layer.pk}/change/"
    form = {
        "position": 1, "name": "", "shift_h": 168, "per_turn": 1, "time_zone": "UTC", "starts_on": "",
        "handoff_at": "08:00", "restrictions": "[]", "ical_url": "",
        "places-TOTAL_FORMS": 0, "places-INITIAL_FORMS": 0,
    }  # fmt: skip
    assert "Enter a day, or the address of a calendar." in client.post(path, form).content.decode()
    refused = client.post(path, form | {"ical_url": "http://127.0.0.1/a.ics"}).content.decode()
    assert "starts with https://" in refused
    url = calendars.url.replace("https://", "webcal://")
    assert client.post(path, form | {"ical_url": url}).status_code == 302
    layer.refresh_from_db()
    assert (layer.ical_url, layer.starts_on) == (calendars.url, None)
    calendars.content = vcalendar(events(ana.email))
    refreshed(product_clock.now())
    assert layer.calendar.spells.count() == 5
