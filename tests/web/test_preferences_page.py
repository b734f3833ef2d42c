"""What somebody is told, when, and where, in the browser."""

import re
from collections.abc import Callable
from datetime import time, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from redis import Redis
from rest_framework.test import APIClient

from accounts.models import User, Verification
from accounts.verification import code_of
from dating.models import DatingProfile
from notifications import metrics
from notifications.channels.transport.signing import secret_for
from notifications.models import ContactPoint, Delivery, InboxItem, Outgoing, Preference, Subscription
from notifications.services.contact_points import contact_point_test_send
from tests.factories import ContactPointFactory, schedule_of

Browse = Callable[..., Client]
TELLING = {"level": "CRITICAL", "quiet_from": "22:00", "quiet_until": "07:00", "time_zone": "Europe/Paris"}


@pytest.fixture
def owner(owner: User) -> User:
    """Works at a shop, and studies too."""
    User.objects.filter(pk=owner.pk).update(role="student")
    owner.refresh_from_db()
    return owner


def test_level_quiet_hours_and_time_zone_are_set_together(browse: Browse, owner: User) -> None:
    client = browse(owner)
    assert client.post("/settings/telling/", TELLING)["Location"] == "/preferences/"
    preference = Preference.objects.get(user=owner)
    assert (preference.level, preference.digest) == ("CRITICAL", False)
    assert (preference.quiet_from, preference.quiet_until) == (time(22), time(7))
    owner.refresh_from_db()
    assert owner.time_zone == "Europe/Paris"
    page = client.get("/preferences/").content.decode()
    assert 'value="22:00"' in page
    assert "Saved." in page
    client.post("/settings/telling/", TELLING | {"quiet_from": "", "quiet_until": "", "digest": "on"})
    preference.refresh_from_db()
    assert (preference.quiet_from, preference.quiet_until, preference.digest) == (None, None, True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong",
    [
        {"level": "LOUD"},
        {"quiet_from": ""},
        {"quiet_until": "22:00"},
        {"quiet_from": "25:00"},
        {"time_zone": "Mars/Olympus"},
        {"time_zone": ""},
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(
    browse: Browse, owner: User, wrong: dict[str, str]
) -> None:
    response = browse(owner).post("/settings/telling/", TELLING | wrong)
    assert response.status_code == 422
    assert response.context["telling"].errors
    assert 'aria-invalid="true"' in response.content.decode()
    assert not Preference.objects.exists()
    owner.refresh_from_db()
    assert owner.time_zone == "UTC"


def test_a_form_that_came_back_can_be_loaded_again(browse: Browse, owner: User) -> None:
    assert browse(owner).get("/settings/telling/")["Location"] == "/preferences/"


def code_for(point: ContactPoint) -> str:
    return code_of(Verification.objects.filter(about=point.pk).latest("created_at").pk)


# --- Contact points --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_contact_point_is_added_tested_switched_and_removed(
    browse: Browse, owner: User, django_capture_on_commit_callbacks: Any
) -> None:
    client = browse(owner)
    fields = {"channel": "webhook", "address": "https://hooks.example.com/1", "label": "Office"}
    assert client.post("/settings/points/", fields)["Location"] == "/preferences/"
    point = ContactPoint.objects.get(user=owner)
    assert (point.channel, point.address, point.label) == tuple(fields.values())
    assert f"point-{point.pk}" in client.get("/preferences/").content.decode()

    assert client.post(f"/settings/points/{point.pk}/test/").status_code == 409
    assert client.post(f"/settings/points/{point.pk}/confirm/", {"code": "nonsense"}).status_code == 422
    first = code_for(point)
    client.post(f"/settings/points/{point.pk}/code/")
    assert client.post(f"/settings/points/{point.pk}/confirm/", {"code": first}).status_code == 422
    assert "(not confirmed)" in client.get("/preferences/").content.decode()
    client.post(f"/settings/points/{point.pk}/confirm/", {"code": code_for(point)})
    assert "(not confirmed)" not in client.get("/preferences/").content.decode()

    Delivery.objects.all().delete()
    client.post(f"/settings/points/{point.pk}/test/")
    assert Delivery.objects.get(contact_point=point).notification.kind == "test"

    client.post(f"/settings/points/{point.pk}/switch/", {"enabled": "no"})
    point.refresh_from_db()
    assert not point.is_enabled
    client.post(f"/settings/points/{point.pk}/switch/", {"enabled": "yes"})
    point.refresh_from_db()
    assert point.is_enabled

    client.post(f"/settings/points/{point.pk}/remove/")
    point.refresh_from_db()
    assert point.deleted_at
    assert f"point-{point.pk}" not in client.get("/preferences/").content.decode()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"channel": "webhook", "address": "no url"}, "address"),
        ({"channel": "email", "address": ""}, "address"),
        ({"channel": "pigeon", "address": "x"}, "channel"),
        ({"channel": "third_party", "address": ""}, "channel"),
        ({"channel": "email", "address": "a@example.com", "label": "x" * 101}, "label"),
    ],
)
def test_an_address_that_is_none_is_refused(
    browse: Browse, owner: User, fields: dict[str, str], wrong: str
) -> None:
    response = browse(owner).post("/settings/points/", fields)
    assert response.status_code == 422
    assert list(response.context["new_point"].errors) == [wrong]
    assert not ContactPoint.objects.exists()


def test_the_same_address_under_another_name_is_refused(browse: Browse, owner: User) -> None:
    point = ContactPointFactory(user=owner, label="One")
    fields = {"channel": point.channel, "address": point.address, "label": "Two"}
    assert browse(owner).post("/settings/points/", fields).status_code == 409


@pytest.mark.slow
@pytest.mark.parametrize("is_confirmed", [True, False])
def test_an_address_that_is_here_already_is_sent_no_code_and_none_is_promised(
    browse: Browse, owner: User, is_confirmed: bool
) -> None:
    client = browse(owner)
    fields = {"channel": "webhook", "address": "https://hooks.example.com/1", "label": ""}
    client.post("/settings/points/", fields)
    if is_confirmed:
        ContactPoint.objects.update(confirmed_at=timezone.now())
    assert "A code is on its way" in client.get("/preferences/").content.decode()
    page = client.post("/settings/points/", fields, follow=True).content.decode()
    assert "You already have it" in page
    assert "A code is on its way" not in page
    assert "Send a test" not in page
    assert ("Enter the code" in page) is not is_confirmed
    assert Delivery.objects.count() == 1


@pytest.mark.slow
def test_whoever_switches_off_is_told_that_something_still_comes(
    browse: Browse, owner: User, teammate: User
) -> None:
    point, client = ContactPointFactory(user=owner), browse(owner)
    path = f"/settings/points/{point.pk}/switch/"
    assert "still come" not in client.post(path, {"enabled": "no"}, follow=True).content.decode()
    contact_point_test_send(contact_point=ContactPointFactory(user=teammate))
    client.post(path, {"enabled": "yes"})
    assert "still come" not in client.post(path, {"enabled": "no"}, follow=True).content.decode()
    contact_point_test_send(contact_point=point)
    client.post(path, {"enabled": "yes"})
    page = client.post(path, {"enabled": "no"}, follow=True).content.decode()
    assert "Messages already planned for it will still come" in page
    client.post(f"/settings/points/{point.pk}/remove/")
    assert not Outgoing.objects.filter(delivery__contact_point=point).exists()


def test_what_was_removed_in_another_window_meanwhile_is_said_so(browse: Browse, owner: User) -> None:
    point = ContactPointFactory(user=owner)

    def removed_first(execute: Callable[..., Any], statement: str, *rest: Any) -> Any:
        if "FOR NO KEY UPDATE" in statement:
            ContactPoint.objects.filter(pk=point.pk).update(deleted_at=timezone.now())
        return execute(statement, *rest)

    client = browse(owner)
    with connection.execute_wrapper(removed_first):
        answer = client.post(f"/settings/points/{point.pk}/switch/", {"enabled": "no"})
    assert answer["Location"] == "/preferences/"
    assert "removed in the meantime" in client.get("/preferences/").content.decode()


@pytest.mark.slow
def test_what_is_switched_off_or_not_confirmed_is_not_said_to_tell_things(
    browse: Browse, owner: User
) -> None:
    client = browse(owner)
    client.post("/settings/points/", {"channel": "webhook", "address": "https://hooks.example.com/1"})
    point = ContactPoint.objects.get()
    path = f"/settings/points/{point.pk}"
    client.post(f"{path}/switch/", {"enabled": "no"})
    page = client.post(f"{path}/switch/", {"enabled": "yes"}, follow=True).content.decode()
    assert "nothing there until you confirm it" in page
    client.post(f"{path}/switch/", {"enabled": "no"})
    page = client.post(f"{path}/confirm/", {"code": code_for(point)}, follow=True).content.decode()
    assert "Switch it on to get messages there." in page
    assert "from now on" not in page


def test_test_sends_are_limited(browse: Browse, owner: User, settings: Any) -> None:
    settings.RATES = settings.RATES | {"test-send": "1/min"}
    point, client = ContactPointFactory(user=owner), browse(owner)
    assert client.post(f"/settings/points/{point.pk}/test/").status_code == 302
    assert client.post(f"/settings/points/{point.pk}/test/").status_code == 429
    assert Delivery.objects.count() == 1


@pytest.mark.slow
@pytest.mark.parametrize("what", ["test", "switch", "remove"])
@pytest.mark.parametrize("who", ["stranger", "operator"])
def test_nobody_else_touches_a_contact_point(
    request: pytest.FixtureRequest, browse: Browse, owner: User, what: str, who: str
) -> None:
    point = ContactPointFactory(user=owner, label="The owner's")
    client = browse(request.getfixturevalue(who))
    assert client.post(f"/settings/points/{point.pk}/{what}/").status_code == 404
    assert "The owner" not in client.get("/preferences/").content.decode()
    point.refresh_from_db()
    assert (point.is_enabled, point.deleted_at) == (True, None)
    assert not Delivery.objects.exists()


# --- Switches ----------------------------------------------------------------------------------------------


def switches(client: Client) -> dict[str, bool]:
    page = client.get("/preferences/").content.decode()
    return {name: "checked" in rest for name, rest in re.findall(r'name="on" value="([^"]+)"([^>]*)>', page)}


def save(client: Client, table: dict[str, bool]) -> None:
    on = [name for name, is_on in table.items() if is_on]
    body = TELLING | {"shown": list(table), "on": on}
    assert client.post("/settings/telling/", body).status_code == 302


@pytest.mark.slow
def test_what_is_switched_off_is_not_told_and_stays_so(browse: Browse, owner: User) -> None:
    ContactPointFactory(user=owner, channel="email", address="owner@example.com")
    client = browse(owner)
    table = switches(client)
    assert {"email stage.*", "inbox stage.*", "email alert", "inbox alert"} <= table.keys()
    assert all(table.values())
    save(client, table | {"email stage.*": False})
    (rule,) = Subscription.objects.all()
    assert (rule.user, rule.channel, rule.kind, rule.is_enabled) == (owner, "email", "stage.*", False)
    assert switches(client) == table | {"email stage.*": False}
    assert "Your own rules" not in client.get("/preferences/").content.decode()
    save(client, table)
    assert switches(client) == table


def test_a_switch_is_on_while_what_is_critical_still_comes(browse: Browse, owner: User) -> None:
    ContactPointFactory(user=owner, channel="email", address="owner@example.com")
    Subscription.objects.create(user=owner, channel="email", kind="", is_enabled=False)
    client = browse(owner)
    table = switches(client)
    assert (table["email alert"], table["email stage.*"]) == (True, False)
    save(client, table | {"email alert": False})
    assert Subscription.objects.filter(channel="email", kind="alert", is_enabled=False).exists()
    assert not switches(client)["email alert"]


def test_saving_without_a_change_makes_no_rule(browse: Browse, owner: User) -> None:
    client = browse(owner)
    save(client, switches(client))
    assert not Subscription.objects.exists()


def test_what_the_page_did_not_show_is_not_switched(browse: Browse, owner: User) -> None:
    client = browse(owner)
    table = switches(client)
    ContactPointFactory(user=owner, channel="email", address="owner@example.com")
    save(client, table)
    assert not Subscription.objects.exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["inbox account.*", "pigeon stage.*", "stage.*", "inbox digest", "x" * 5000])
def test_what_is_no_switch_switches_nothing(browse: Browse, owner: User, name: str) -> None:
    save(browse(owner), {name: False})
    assert not Subscription.objects.exists()


def test_rules_that_no_switch_stands_for_are_listed_and_can_be_removed(browse: Browse, owner: User) -> None:
    Subscription.objects.create(user=owner, channel="", kind="stage.created", is_enabled=False)
    client = browse(owner)
    assert "stage.created by any channel: off" in client.get("/preferences/").content.decode()
    client.post("/settings/rules/remove/", {"channel": "", "kind": "stage.created"})
    assert not Subscription.objects.exists()


@pytest.mark.slow
@pytest.mark.parametrize("who", ["stranger", "operator"])
def test_nobody_sees_or_removes_rules_of_another(
    request: pytest.FixtureRequest, browse: Browse, owner: User, who: str
) -> None:
    Subscription.objects.create(user=owner, channel="", kind="stage.created", is_enabled=False)
    client = browse(request.getfixturevalue(who))
    assert "stage.created" not in client.get("/preferences/").content.decode()
    client.post("/settings/rules/remove/", {"channel": "", "kind": "stage.created"})
    assert Subscription.objects.filter(user=owner).exists()


# --- The path that the original's API has too ------------------------------------------------------------


@pytest.mark.parametrize("path", ["/preferences", "/preferences/"])
def test_programs_that_ask_for_preferences_get_the_api(
    as_user: Callable[[User], APIClient], as_machine: Callable[..., APIClient], owner: User, path: str
) -> None:
    assert as_user(owner).get(path).json()["user_id"] == str(owner.pk)
    machine = as_machine("preferences:write")
    page = machine.get(path, {"user_id": owner.pk}, headers={"accept": "text/html"})
    assert page.json()["level"] == "STANDARD"
    # A key is not a person, whatever its program says that it can show.
    assert machine.get(path, headers={"accept": "text/html"}).status_code == 400
    body = {"user_id": str(owner.pk), "level": "critical"}
    assert machine.put(path, body, headers={"accept": "text/html,*/*"}).json()["level"] == "CRITICAL"


@pytest.mark.parametrize("path", ["/preferences", "/preferences/"])
def test_a_browser_gets_the_page(browse: Browse, owner: User, path: str) -> None:
    response = browse(owner).get(path)
    assert response["Content-Type"].startswith("text/html")
    assert {"Accept", "Authorization"} <= set(response["Vary"].replace(" ", "").split(","))
    assert browse().get(path)["Location"] == f"/login/?next={path.replace('/', '%2F')}"


def test_the_api_there_stays_protected_against_forged_requests(owner: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(owner)
    body = {"user_id": str(owner.pk), "level": "CRITICAL"}
    assert client.put("/preferences/", body).status_code == 403
    assert not Preference.objects.exists()


def test_the_page_takes_as_many_queries_for_much(
    browse: Browse, owner: User, django_assert_num_queries: Any
) -> None:
    client = browse(owner)
    for count in (1, 10):
        for number in range(count):
            ContactPointFactory(user=owner)
            Subscription.objects.create(user=owner, channel="", kind=f"a{count}.b{number}", is_enabled=False)
        # Session, user; preference, rules, channels, contact points; last number and count of the bell;
        # what concerns them (four), and where the bar leads (three).
        with django_assert_num_queries(18):
            client.get("/preferences/")


# --- What concerns whom ------------------------------------------------------------------------------------


def rows_of(browse: Browse, user: User) -> set[str]:
    return {name.partition(" ")[2] for name in switches(browse(user))}


def test_a_student_sees_the_switches_of_studies_and_no_others(browse: Browse, stranger: User) -> None:
    User.objects.filter(pk=stranger.pk).update(role="student")
    assert rows_of(browse, stranger) == {"stage.*", "evaluation.*", "grade.*", "offer.*", "student.*"}


def test_staff_of_a_shop_see_the_switch_of_its_alerts(browse: Browse, teammate: User) -> None:
    assert rows_of(browse, teammate) == {"alert"}


def test_whoever_nothing_concerns_is_told_so(browse: Browse, stranger: User) -> None:
    assert rows_of(browse, stranger) == set()
    assert "There is nothing to switch off yet" in browse(stranger).get("/preferences/").content.decode()


def test_whoever_was_told_of_something_can_switch_it_off(
    browse: Browse, stranger: User, tell: Callable[..., InboxItem]
) -> None:
    item = tell(stranger)
    item.notification.kind = "grade.assigned"
    item.notification.save()
    assert rows_of(browse, stranger) == {"grade.*"}


def test_whoever_dates_or_takes_turns_sees_that(browse: Browse, stranger: User) -> None:
    DatingProfile.objects.create(user=stranger)
    schedule_of(stranger)
    assert rows_of(browse, stranger) == {"dating.*", "escalation", "escalation.*"}
    bar = browse(stranger).get("/preferences/").content.decode()
    assert 'href="/escalations/"' in bar


def test_nobody_is_shown_what_tells_devices_alone(browse: Browse, owner: User, operator: User) -> None:
    assert "tracing.*" not in rows_of(browse, owner) | rows_of(browse, operator)


@pytest.mark.slow
def test_switches_and_the_rest_are_saved_together(browse: Browse, owner: User) -> None:
    client = browse(owner)
    table = switches(client)
    on = [name for name in table if name != "inbox grade.*"]
    client.post("/settings/telling/", TELLING | {"shown": list(table), "on": on})
    assert Preference.objects.get(user=owner).level == "CRITICAL"
    assert [each.kind for each in Subscription.objects.all()] == ["grade.*"]
    # One that is refused keeps them as they were set.
    wrong = TELLING | {"quiet_from": "", "shown": list(table), "on": []}
    page = client.post("/settings/telling/", wrong).content.decode()
    shown = dict(re.findall(r'name="on" value="([^"]+)"([^>]*)>', page))
    assert shown.keys() == table.keys()
    assert not any("checked" in rest for rest in shown.values())


# --- Secrets, tests and taking back ------------------------------------------------------------------------


@pytest.mark.slow
def test_the_secret_of_a_webhook_is_shown_once_and_can_be_renewed(browse: Browse, owner: User) -> None:
    client = browse(owner)
    client.post("/settings/points/", {"channel": "webhook", "address": "https://hooks.example.com/1"})
    point = ContactPoint.objects.get(user=owner)
    first = secret_for(point.pk, 1)
    assert first in client.get("/preferences/").content.decode()
    assert first not in client.get("/preferences/").content.decode()
    client.post(f"/settings/points/{point.pk}/secret/")
    page = client.get("/preferences/").content.decode()
    assert secret_for(point.pk, 2) in page
    assert first not in page


def test_what_has_no_secret_gets_none(browse: Browse, owner: User) -> None:
    point = ContactPointFactory(user=owner, channel="email", address="owner@example.com")
    response = browse(owner).post(f"/settings/points/{point.pk}/secret/")
    assert response.status_code == 422
    assert "Only webhooks have a secret." in response.content.decode()


def test_what_came_of_a_test_is_said_where_it_was_asked_for(
    browse: Browse, owner: User, redis: Redis
) -> None:
    point, client = ContactPointFactory(user=owner), browse(owner)
    client.post(f"/settings/points/{point.pk}/test/")
    path, headers = f"/settings/points/{point.pk}/test/", {"HX-Request": "true"}
    waiting = client.get(path, headers=headers).content.decode()
    assert "A test message is on its way." in waiting
    assert "every 1s" in waiting
    for _ in range(3):
        metrics.add("attempts", point.channel, "unavailable")
    metrics.flush()
    assert "This channel has been failing since" in client.get("/preferences/").content.decode()
    test = Delivery.objects.filter(contact_point=point)
    test.update(status="failed", reason="rejected")
    failed = client.get(path, headers=headers).content.decode()
    assert "The test message was not sent. Failed: the destination refused it for good" in failed
    assert "every 1s" not in failed
    test.update(status="sent", reason="", duration_ms=612.0, sent_at=timezone.now())
    assert "The test message was sent in 0.6 s." in client.get(path, headers=headers).content.decode()
    # Of nobody else's, and only where it was sent.
    assert browse(owner).get(path, headers=headers).content.decode().count("test message") == 0


@pytest.mark.slow
def test_a_contact_point_that_was_removed_comes_back(
    browse: Browse, owner: User, stranger: User, settings: Any
) -> None:
    point, client = ContactPointFactory(user=owner), browse(owner)
    client.post(f"/settings/points/{point.pk}/remove/")
    page = client.get("/preferences/").content.decode()
    assert f'action="/settings/points/{point.pk}/restore/"' in page
    assert "Undo" not in client.get("/preferences/").content.decode()
    assert browse(stranger).post(f"/settings/points/{point.pk}/restore/").status_code == 404
    client.post(f"/settings/points/{point.pk}/restore/")
    point.refresh_from_db()
    assert (point.deleted_at, bool(point.confirmed_at)) == (None, True)


def test_what_was_removed_long_ago_or_added_again_stays_removed(browse: Browse, owner: User) -> None:
    point, client = ContactPointFactory(user=owner), browse(owner)
    ContactPoint.objects.filter(pk=point.pk).update(deleted_at=timezone.now() - timedelta(minutes=11))
    client.post(f"/settings/points/{point.pk}/restore/")
    assert "It is too late" in client.get("/preferences/").content.decode()
    ContactPoint.objects.filter(pk=point.pk).update(deleted_at=timezone.now())
    ContactPointFactory(user=owner, channel=point.channel, address=point.address)
    client.post(f"/settings/points/{point.pk}/restore/")
    assert "This address has already been added." in client.get("/preferences/").content.decode()
    point.refresh_from_db()
    assert point.deleted_at


def test_a_rule_that_was_removed_comes_back(browse: Browse, owner: User) -> None:
    Subscription.objects.create(user=owner, channel="", kind="stage.created", is_enabled=False)
    client, fields = browse(owner), {"channel": "", "kind": "stage.created"}
    client.post("/settings/rules/remove/", fields)
    assert 'action="/settings/rules/restore/"' in client.get("/preferences/").content.decode()
    client.post("/settings/rules/restore/", fields | {"enabled": "no"})
    assert not Subscription.objects.get(user=owner, kind="stage.created").is_enabled


def test_what_is_no_rule_does_not_come_back(browse: Browse, owner: User) -> None:
    client = browse(owner)
    client.post("/settings/rules/restore/", {"channel": "pigeon", "kind": "stage.created"})
    assert not Subscription.objects.exists()
