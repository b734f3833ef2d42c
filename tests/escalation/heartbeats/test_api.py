"""Heartbeats over the API: made once, changed, paused, removed; and who may see where they are pinged."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import Shop, User
from config import clock
from escalation.models import AlertGroup, Heartbeat, HeartbeatPing, PingKey, Policy
from notifications.exposition import exposition
from notifications.jobs import sweep
from tests.escalation.heartbeats.conftest import pass_by

pytestmark = pytest.mark.django_db

PATH = "/api/v1/heartbeats/"
BODY = {
    "name": "Nightly back-up",
    "policy": "Night shift",
    "cron": "30 2 * * *",
    "time_zone": "Europe/Paris",
    "grace_s": 1800,
    "tags": ["backup", "nightly"],
}


@pytest.fixture
def staff(as_user: Callable[[User], APIClient], operator: User) -> APIClient:
    return as_user(operator)


def test_one_is_made_once_and_repeating_the_request_returns_200(staff: APIClient, policy: Policy) -> None:
    first, again = (staff.post(PATH, BODY) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    made = first.json()
    assert {name: made[name] for name in BODY} == BODY
    assert (made["slug"], made["state"], made["shop"], made["due_at"]) == (
        "nightly-back-up",
        "new",
        None,
        None,
    )
    assert staff.post(PATH, BODY | {"grace_s": 60}).status_code == 409
    assert Heartbeat.objects.count() == 1
    assert staff.get(f"{PATH}{made['id']}/").json() == made
    for url in (made["ping_url"], made["slug_url"]):
        assert Client().get(url.removeprefix("http://localhost:8000")).content == b"OK"
    assert staff.get(PATH).json()["results"][0]["state"] == "up"


def test_shops_may_have_the_same_slug(staff: APIClient, policy: Policy, shop: Shop) -> None:
    assert staff.post(PATH, BODY).status_code == 201
    assert staff.post(PATH, BODY | {"shop": shop.slug}).status_code == 201
    assert len(staff.get(PATH, {"shop": shop.slug}).json()["results"]) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"slug": "a b"}, "slug"),
        ({"shop": "nowhere"}, "shop"),
        ({"policy": "nobody"}, "policy"),
        ({"severity": "huge"}, "severity"),
        ({"tags": ["a b"]}, "tags"),
        ({"tags": ["a/b"]}, "tags"),
        ({"tags": "a"}, "tags"),
        ({"tags": ["x"] * 21}, "tags"),
        ({"period_s": 0}, "period_s"),
        ({"period_s": 10**9}, "period_s"),
        ({"grace_s": 0}, "grace_s"),
        ({"grace_s": "60"}, "grace_s"),
        ({"cron": "every night"}, "cron"),
        ({"cron": "0 0 30 2 *"}, "cron"),
        ({"time_zone": "Europe/Lutetia"}, "time_zone"),
    ],
)
def test_bad_input_is_refused_by_field(
    staff: APIClient, policy: Policy, change: dict[str, Any], field: str
) -> None:
    made = staff.post(PATH, BODY).json()
    answer = staff.post(PATH, BODY | {"slug": "other"} | change)
    assert (answer.status_code, list(answer.json())) == (400, [field])
    changed = staff.patch(f"{PATH}{made['id']}/", change)
    assert (changed.status_code, list(changed.json())) == (400, [field])
    assert staff.get(PATH).json()["results"] == [made]


def test_a_name_that_makes_no_slug_needs_one(staff: APIClient) -> None:
    assert staff.post(PATH, {"name": "夜"}).json().keys() == {"slug"}
    assert staff.post(PATH, {"name": "夜", "slug": "night"}).status_code == 201


def test_a_new_period_counts_from_the_last_ping(staff: APIClient, heartbeat: Heartbeat) -> None:
    Client().get(f"/ping/{heartbeat.ping_uuid}")
    heartbeat.refresh_from_db()
    assert heartbeat.last_ping_at is not None
    answer = staff.patch(f"{PATH}{heartbeat.pk}/", {"period_s": 600, "grace_s": 30, "cron": ""})
    assert answer.status_code == 200
    heartbeat.refresh_from_db()
    assert heartbeat.due_at == heartbeat.last_ping_at + timedelta(seconds=630)


@pytest.mark.parametrize("act", ["pause", "remove"])
def test_what_is_paused_or_removed_closes_what_was_told_of_it(
    staff: APIClient, heartbeat: Heartbeat, act: str
) -> None:
    Client().get(f"/ping/{heartbeat.ping_uuid}/fail")
    assert AlertGroup.objects.get().state == "open"
    if act == "pause":
        answer = staff.post(f"{PATH}{heartbeat.pk}/pause/")
        assert (answer.status_code, answer.json()["state"]) == (200, "paused")
    else:
        assert staff.delete(f"{PATH}{heartbeat.pk}/").status_code == 204
        assert not Heartbeat.objects.exists()
        assert not HeartbeatPing.objects.exists()
    assert AlertGroup.objects.get().state == "resolved"


def test_a_paused_one_is_waited_for_again_from_its_next_ping_on(
    staff: APIClient, heartbeat: Heartbeat
) -> None:
    path = f"/ping/{heartbeat.ping_uuid}"
    Client().get(path)
    staff.post(f"{PATH}{heartbeat.pk}/pause/")
    pass_by(heartbeat, 1_000)
    sweep()
    assert not AlertGroup.objects.exists()
    Client().get(path)
    pass_by(heartbeat, 71)
    sweep()
    assert AlertGroup.objects.get().state == "open"


def test_its_last_pings_are_listed_newest_first(staff: APIClient, heartbeat: Heartbeat) -> None:
    rid = "33cbb18c-3e9d-4acc-9667-2fbe7bf29137"
    client, path = Client(), f"/ping/{heartbeat.ping_uuid}"
    client.get(f"{path}/start?rid={rid}")
    client.post(f"{path}/0?rid={rid}", b"done", content_type="text/plain")
    last, first = staff.get(f"{PATH}{heartbeat.pk}/pings/").json()["results"]
    assert (first["kind"], first["rid"], first["duration_s"]) == ("start", rid, None)
    assert (last["number"], last["kind"], last["exit_status"], last["body"]) == (2, "success", 0, "done")
    assert last["duration_s"] >= 0


def test_strangers_see_and_change_nothing(
    as_user: Callable[[User], APIClient], stranger: User, heartbeat: Heartbeat
) -> None:
    client, one = as_user(stranger), f"{PATH}{heartbeat.pk}/"
    answers = [
        client.get(PATH), client.post(PATH, BODY), client.get(one), client.patch(one, {"grace_s": 9}),
        client.delete(one), client.post(f"{one}pause/"), client.get(f"{one}pings/"),
        client.get("/heartbeats/"),
    ]  # fmt: skip
    assert {answer.status_code for answer in answers} == {403}
    assert Client().get(PATH).status_code == 401


def test_a_key_reads_but_learns_no_ping_address(
    as_machine: Callable[..., APIClient], heartbeat: Heartbeat
) -> None:
    reader = as_machine("escalations:read")
    (shown,) = reader.get(PATH).json()["results"]
    assert (shown["ping_url"], shown["slug_url"]) == (None, None)
    assert str(heartbeat.ping_uuid) not in str(shown)
    assert reader.post(PATH, BODY).status_code == 403
    both = as_machine("escalations:read", "escalations:write")
    made = both.post(PATH, BODY).json()
    assert Client().get(made["ping_url"].removeprefix("http://localhost:8000")).status_code == 200
    assert as_machine("alerts:read").get(PATH).status_code == 403


def test_a_list_costs_the_same_however_long(
    staff: APIClient, make: Callable[..., Heartbeat], shop: Shop, django_assert_max_num_queries: Callable
) -> None:
    for number in range(5):
        make(f"Job {number}", shop=shop if number % 2 else None, tags=["odd"] if number % 2 else [])
    staff.get(PATH)  # makes the ping keys
    with django_assert_max_num_queries(4):  # session, user, heartbeats, keys
        assert len(staff.get(PATH).json()["results"]) == 5
    assert len(staff.get(PATH, {"tag": "odd"}).json()["results"]) == 2


def test_a_ping_key_that_is_deleted_is_replaced(staff: APIClient, heartbeat: Heartbeat) -> None:
    old = staff.get(f"{PATH}{heartbeat.pk}/").json()["slug_url"]
    PingKey.objects.all().delete()
    new = staff.get(f"{PATH}{heartbeat.pk}/").json()["slug_url"]
    assert old != new
    paths = [url.removeprefix("http://localhost:8000") for url in (old, new)]
    assert [Client().get(path).status_code for path in paths] == [404, 200]


def badge_of(client: APIClient, heartbeat: Heartbeat) -> str:
    shown = client.get(f"{PATH}{heartbeat.pk}/").json()
    return str(shown["badge_url"].removeprefix("http://localhost:8000"))


def test_a_badge_shows_the_state_of_a_heartbeat_and_nothing_to_ping_by(
    staff: APIClient, make: Callable[..., Heartbeat]
) -> None:
    heartbeat = make("<Back-up> & more", slug="more")
    badge, anyone = badge_of(staff, heartbeat), Client()
    assert str(heartbeat.ping_uuid) not in badge
    anyone.get(f"/ping/{heartbeat.ping_uuid}")
    for seconds, status, color in ((0, "up", "success"), (65, "late", "important"), (6, "down", "critical")):
        pass_by(heartbeat, seconds)
        sweep()
        counts = {"total": 1, "grace": int(status == "late"), "down": int(status == "down")}
        assert anyone.get(f"{badge}.json").json() == {"status": status} | counts
        shields = {"schemaVersion": 1, "label": "<Back-up> & more", "message": status, "color": color}
        assert anyone.get(f"{badge}.shields").json() == shields
        image = anyone.get(f"{badge}.svg")
        assert image.headers["Content-Type"] == "image/svg+xml"
        assert f"&lt;Back-up&gt; &amp; more: {status}<" in image.content.decode()
        assert image.headers["Access-Control-Allow-Origin"] == "*"


def test_a_badge_is_for_one_heartbeat_or_tag_alone(staff: APIClient, make: Callable[..., Heartbeat]) -> None:
    one, other = make("One", tags=["nightly"]), make("Other", tags=["nightly", "db"])
    badge = badge_of(staff, one)
    forged = badge.replace(str(one.pk), str(other.pk))
    assert [Client().get(f"{path}.json").status_code for path in (badge, forged)] == [200, 404]
    assert Client().get(f"{badge}.png").status_code == 404
    tags = staff.get(f"{PATH}{other.pk}/").json()["tag_badges"]
    assert list(tags) == ["nightly", "db"]
    nightly = tags["nightly"].removeprefix("http://localhost:8000")
    Client().get(f"/ping/{one.ping_uuid}/fail")
    assert Client().get(f"{nightly}.json").json() == {"status": "down", "total": 2, "grace": 0, "down": 1}
    assert Client().get(f"{nightly.replace('nightly', 'db')}.json").status_code == 404


def test_the_page_shows_what_is_down_first(
    make: Callable[..., Heartbeat], operator: User, django_assert_max_num_queries: Callable
) -> None:
    make("Sleepy")
    for name, act in (("Awake", ""), ("Broken", "/fail")):
        Client().get(f"/ping/{make(name).ping_uuid}{act}")
    page = Client()
    page.force_login(operator)
    with django_assert_max_num_queries(8):
        text = page.get("/heartbeats/").content.decode()
    places = [text.index(f">{name}</a>") for name in ("Broken", "Awake", "Sleepy")]
    assert places == sorted(places)
    assert ">Sleepy</a>" not in page.get("/heartbeats/?state=down").content.decode()
    assert page.get("/heartbeats/?page=%00&state=x").status_code == 200


def test_the_page_goes_on_where_there_are_more_and_only_there(
    make: Callable[..., Heartbeat], operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("escalation.web.heartbeats.PAGE_SIZE", 2)
    page = Client()
    page.force_login(operator)
    for number in range(4):
        make(f"Back-up {number}")
    first, second = (page.get(f"/heartbeats/?page={number}").content.decode() for number in (1, 2))
    assert re.findall(r">(Back-up \d)</a>", first + second) == [f"Back-up {number}" for number in range(4)]
    assert 'href="?page=2"' in first
    assert "?page=" not in second


def test_the_states_are_counted_for_metrics(make: Callable[..., Heartbeat]) -> None:
    make("New")
    for name, seconds in (("Up", 0), ("Late", 65)):
        heartbeat = make(name)
        Client().get(f"/ping/{heartbeat.ping_uuid}")
        pass_by(heartbeat, seconds)
    shown = exposition().decode()
    counts = {"new": 1.0, "up": 1.0, "late": 1.0, "down": 0.0, "paused": 0.0}
    for state, count in counts.items():
        assert f'tocsin_heartbeats{{state="{state}"}} {count}\n' in shown


def test_the_admin_changes_what_its_form_has_and_no_more(heartbeat: Heartbeat, operator: User) -> None:
    page, path = Client(), f"/admin/escalation/heartbeat/{heartbeat.pk}/change/"
    page.force_login(operator)
    Client().get(f"/ping/{heartbeat.ping_uuid}")
    assert str(heartbeat.ping_uuid) in page.get(path).content.decode()
    form = {
        "name": "Renamed", "slug": heartbeat.slug, "policy": str(heartbeat.policy_id), "severity": "standard",
        "tags": "a,b", "period_s": 120, "grace_s": 10, "time_zone": "UTC", "cron": "",
        "last_pings-TOTAL_FORMS": 0, "last_pings-INITIAL_FORMS": 0,
    }  # fmt: skip
    answer = page.post(path, form)
    assert answer.status_code == 302, answer.context["errors"]
    heartbeat.refresh_from_db()
    assert (heartbeat.name, heartbeat.state, heartbeat.pings) == ("Renamed", "up", 1)
    assert heartbeat.last_ping_at is not None
    assert heartbeat.last_ping_at < clock.now()
    assert heartbeat.due_at == heartbeat.last_ping_at + timedelta(seconds=130)
