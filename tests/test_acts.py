"""Nobody makes the product tell people again and again: whatever causes a message is limited."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from notifications.models import ContactPoint, Delivery
from tests.config.test_access import ALL
from tests.dating import cast
from tests.factories import ContactPointFactory, UserFactory, schedule_of

LogIn = Callable[[User], APIClient]

METHODS = ("post", "put", "patch")
#: Writes of an ordinary person of which nobody is told, by the API. A new one has a limit, or tells nobody.
SILENT = {
    "post /api/v1/auth/email/confirm/",
    "post /api/v1/auth/logout/",
    # Takes a mailed link, and asking for one is limited.
    "post /api/v1/auth/password/reset/confirm/",
    "post /api/v1/auth/phone/confirm/",
    "post /api/v1/auth/refresh/",
    "post /api/v1/auth/token/refresh/",
    "post /api/v1/dead-letters/replay/",
    # Shown to whoever asks.
    "post /api/v1/dating/bot-code/",
    "post /api/v1/inbox/read/",
    "patch /api/v1/inbox/<id>/",
    "put /api/v1/preferences/",
    "patch /api/v1/preferences/<id>/",
    "put /api/v1/subscriptions/",
    "post /api/v1/users/me/renew-links/",
    "patch /api/v1/dating/profile/",
    # Said once an evening, and of nobody's choice when.
    "post /api/v1/dating/events/<id>/ready/",
    "post /api/v1/dating/events/<id>/join/",
    "post /api/v1/dating/events/<id>/reactions/",
}
ID = "00000000-0000-0000-0000-000000000001"
API_ROUTES = [route for route in ALL if route.startswith("/api/v1/") and route.endswith("/")]


@pytest.fixture
def used_up(settings: Any) -> None:
    """Every limit is used up."""
    settings.RATES = dict.fromkeys(settings.RATES, "0/min")


@pytest.mark.slow
@pytest.mark.parametrize("route", API_ROUTES)
def test_a_person_writes_nothing_without_a_limit_that_could_tell_somebody(
    as_user: LogIn, stranger: User, used_up: None, route: str
) -> None:
    client = as_user(stranger)
    for method in METHODS:
        if f"{method} {route.replace(ID, '<id>')}" not in SILENT:
            answer = getattr(client, method)(route, {"password": "x", "email": "ana@example.com"})
            assert answer.status_code in (403, 404, 405, 429), (method, route, answer.status_code)


LIMITED = {
    ("patch", "/api/v1/users/me/"),
    ("post", "/api/v1/auth/password/change/"),
    ("post", "/api/v1/contact-points/"),
    ("patch", f"/api/v1/contact-points/{ID}/"),
    ("post", f"/api/v1/contact-points/{ID}/test/"),
    ("post", f"/api/v1/dating/events/{ID}/register/"),
    ("post", f"/api/v1/dating/events/{ID}/confirm/"),
    ("post", f"/api/v1/dating/events/{ID}/cancel/"),
    ("post", "/api/v1/dating/events/0/cancel/"),
    ("post", "/api/v1/dating/registrations/cancel/"),
    ("post", f"/api/v1/escalations/schedules/{ID}/covers/"),
    ("post", f"/api/v1/escalations/schedules/{ID}/covers/{ID}/accept/"),
    ("post", f"/api/v1/escalations/schedules/{ID}/covers/{ID}/decline/"),
    ("post", "/api/v1/auth/register/"),
    ("post", "/api/v1/auth/email/verify/"),
    ("post", "/api/v1/auth/phone/verify/"),
    ("post", "/api/v1/auth/password/reset/"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("method", "route"), sorted(LIMITED))
def test_what_tells_somebody_is_limited(
    as_user: LogIn, stranger: User, used_up: None, method: str, route: str
) -> None:
    answer = getattr(as_user(stranger), method)(route, {"email": "ana@example.com"})
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0


PAGES = {
    "/account/details/": {"first_name": "Zoé", "language": "en"},
    "/account/password/": {"current_password": "correct horse battery", "new_password": "staple full of hay"},
    "/account/email/code/": {},
    "/settings/points/": {"channel": "webhook", "address": "https://hooks.example.com/1"},
    "/forgotten-password/": {"email": "ana@example.com"},
}


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted(PAGES))
def test_the_pages_are_limited_too(stranger: User, used_up: None, page: str) -> None:
    # Only whoever has not confirmed their address is offered a code.
    User.objects.filter(pk=stranger.pk).update(email_verified_at=None)
    browser = Client()
    browser.force_login(stranger)
    answer = browser.post(page, PAGES[page])
    assert answer.status_code == 429
    assert "Too many attempts" in answer.content.decode()
    assert not ContactPoint.objects.exists()
    stranger.refresh_from_db()
    assert stranger.first_name == "Ana"
    assert stranger.check_password("correct horse battery")


@pytest.mark.slow
@pytest.mark.parametrize("act", ["register", "confirm", "cancel"])
def test_so_are_those_of_an_evening(stranger: User, used_up: None, act: str) -> None:
    event, browser = cast.event(), Client()
    browser.force_login(stranger)
    answer = browser.post(f"/dating/{event.pk}/{act}/", follow=True)
    assert "Too many attempts" in answer.content.decode()
    assert not event.registrations.exists()


def test_so_is_asking_others_to_stand_in(owner: User, teammate: User, used_up: None) -> None:
    begin = timezone.now()
    schedule, browser = schedule_of(owner, teammate, per_turn=2), Client()
    browser.force_login(owner)
    times = {"starts_at": begin.isoformat(), "ends_at": (begin + timedelta(hours=1)).isoformat()}
    answer = browser.post(f"/on-call/{schedule.pk}/ask/", times, follow=True)
    assert "Too many attempts" in answer.content.decode()
    assert not schedule.covers.exists()


def test_a_person_changes_their_account_so_often_an_hour(
    as_user: LogIn, stranger: User, settings: Any
) -> None:
    settings.RATES = settings.RATES | {"act": "3/hour"}
    client = as_user(stranger)
    answers = [client.patch("/api/v1/users/me/", {"first_name": f"Zoé {'i' * n}"}) for n in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert client.get("/api/v1/users/me/").json()["first_name"] == "Zoé ii"
    # Whatever else tells somebody counts with it, and what takes away is free.
    point = ContactPointFactory(user=stranger)
    assert client.post(f"/api/v1/dating/events/{cast.event().pk}/register/").status_code == 429
    assert client.delete(f"/api/v1/contact-points/{point.pk}/").status_code == 204


def test_the_staff_and_machines_are_not_held_to_it(
    as_user: LogIn, as_machine: Any, operator: User, stranger: User, settings: Any
) -> None:
    settings.RATES = settings.RATES | {"act": "1/hour"}
    path, wish = f"/api/v1/dating/events/{cast.event().pk}/register/", {"user_id": str(stranger.pk)}
    for client in (as_user(operator), as_machine("dating:write")):
        assert [client.post(path, wish).status_code for _ in range(3)] == [200] * 3


def test_test_sends_by_the_page_and_the_api_count_together(
    as_user: LogIn, owner: User, settings: Any
) -> None:
    settings.RATES = settings.RATES | {"test-send": "2/min"}
    point, client, browser = ContactPointFactory(user=owner), as_user(owner), Client()
    browser.force_login(owner)
    assert client.post(f"/api/v1/contact-points/{point.pk}/test/").status_code == 202
    assert browser.post(f"/settings/points/{point.pk}/test/").status_code == 302
    assert browser.post(f"/settings/points/{point.pk}/test/").status_code == 429
    assert client.post(f"/api/v1/contact-points/{point.pk}/test/").status_code == 429
    assert Delivery.objects.count() == 2


@pytest.mark.slow
def test_test_sends_at_once_do_not_pass_for_one(transactional_db: None, as_user: LogIn) -> None:
    owner = UserFactory()
    point = ContactPointFactory(user=owner)

    def send(client: APIClient) -> int:
        try:
            return int(client.post(f"/api/v1/contact-points/{point.pk}/test/").status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        codes = list(threads.map(send, [as_user(owner) for _ in range(24)]))
    assert codes.count(202) == Delivery.objects.count() == 10
    assert codes.count(429) == 14


# --- Contact points --------------------------------------------------------------------------------------


def add(client: APIClient, number: int) -> Any:
    address = f"https://hooks.example.com/{number}"
    return client.post("/api/v1/contact-points/", {"channel": "webhook", "address": address})


@pytest.mark.slow
def test_a_person_has_so_many_contact_points(as_user: LogIn, owner: User, settings: Any) -> None:
    settings.CONTACT_POINTS_MOST = 3
    client = as_user(owner)
    answers = [add(client, number) for number in range(4)]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 409]
    assert "at most" in answers[-1].json()["detail"]
    assert add(client, 2).status_code == 200  # the very same one is there already
    browser = Client()
    browser.force_login(owner)
    page = browser.post("/settings/points/", PAGES["/settings/points/"] | {"address": "https://a.example/"})
    assert page.status_code == 409
    client.delete(f"/api/v1/contact-points/{answers[0].json()['id']}/")
    assert add(client, 9).status_code == 201


@pytest.mark.slow
def test_no_two_at_once_are_one_too_many(transactional_db: None, as_user: LogIn, settings: Any) -> None:
    settings.CONTACT_POINTS_MOST = 3
    owner = UserFactory(email_verified_at=timezone.now())

    def one(number: int) -> int:
        try:
            return int(add(as_user(owner), number).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        codes = list(threads.map(one, range(12)))
    assert codes.count(201) == ContactPoint.objects.count() == 3


COSTLY = ["+881623456789", "+8821612345678", "+870772001234", "+979123456789", "+37190012345", "+19005551234"]


@pytest.mark.slow
@pytest.mark.parametrize("number", COSTLY)
@pytest.mark.parametrize("channel", ["sms", "phone"])
def test_costly_numbers_are_refused(
    as_user: LogIn, owner: User, twilio: Any, channel: str, number: str
) -> None:
    client = as_user(owner)
    answer = client.post("/api/v1/contact-points/", {"channel": channel, "address": number})
    assert answer.status_code == 400
    assert "address" in answer.json()
    point = ContactPointFactory(user=owner, channel=channel, address="+33612345678")
    changed = client.patch(f"/api/v1/contact-points/{point.pk}/", {"address": number})
    assert changed.status_code == 400
    assert client.patch("/api/v1/users/me/", {"phone": number}).status_code == 400


def test_one_of_before_can_still_be_switched_off(as_user: LogIn, owner: User, twilio: Any) -> None:
    point = ContactPointFactory(user=owner, channel="sms", address=COSTLY[0])
    path = f"/api/v1/contact-points/{point.pk}/"
    assert as_user(owner).patch(path, {"is_enabled": False}).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prefixes", "number", "code"),
    [
        (["+33"], "+33612345678", 201),
        (["+33"], "+447911123456", 400),
        (["+33"], "+33899123456", 400),
        (["+33", "+33899"], "+33899123456", 201),
        (["+33", "+881"], COSTLY[0], 201),
        (["+8816"], COSTLY[0], 201),
        (["+8817"], COSTLY[0], 400),
    ],
)
def test_an_operator_says_which_numbers_are_told(
    as_user: LogIn,
    owner: User,
    twilio: Any,
    settings: Any,
    prefixes: list[str],
    number: str,
    code: int,
) -> None:
    settings.PHONE_PREFIXES = prefixes
    wish = {"channel": "sms", "address": number}
    assert as_user(owner).post("/api/v1/contact-points/", wish).status_code == code
