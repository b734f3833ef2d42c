"""A person's page: what the staff find of them, and how they would be told."""

import re
from datetime import UTC, datetime, time, timedelta
from html import unescape

import pytest
from django.test import Client

from accounts.models import User
from config import clock
from notifications.models import ContactPoint, Delivery, DeliveryAction, Preference
from notifications.services.contact_points import UNCONFIRMED
from tests.factories import ContactPointFactory, MembershipFactory, UserFactory, schedule_of
from tests.queued import end_all


@pytest.fixture
def page(operator: User) -> Client:
    client = Client(headers={"accept": "text/html"})
    client.force_login(operator)
    return client


def path_of(user: User) -> str:
    return f"/console/people/{user.pk}/"


def shown(page: Client, user: User, **fields: str) -> str:
    answer = page.get(path_of(user), fields or None)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_it_shows_the_state_of_each_contact_point(page: Client) -> None:
    ana = UserFactory(first_name="Ana", last_name="Moreau")
    ContactPointFactory(user=ana, label="works", confirmed_at=clock.now())
    ContactPointFactory(user=ana, label="off", confirmed_at=clock.now(), is_enabled=False)
    ContactPointFactory(user=ana, label="dead", confirmed_at=clock.now(), gone_at=clock.now())
    ContactPointFactory(user=UserFactory(), label="another")
    html = shown(page, ana)
    states = dict(re.findall(r"<bdi>Webhook (\w+)</bdi>: (\w+)", html))
    assert states == {"works": "confirmed", "off": "switched", "dead": "dead"}
    assert "<bdi>Ana Moreau</bdi></h1>" in html


def test_only_staff_see_it_and_only_who_exists(page: Client) -> None:
    ana = UserFactory()
    own = Client(headers={"accept": "text/html"})
    own.force_login(ana)
    assert own.get(path_of(ana)).status_code == 403
    assert page.get("/console/people/0198c7f2-54b1-7d6e-8a53-6f2b1f0c9e11/").status_code == 404


def test_what_is_no_kind_is_refused(page: Client) -> None:
    answer = page.get(path_of(UserFactory()), {"kind": "stage.*", "severity": "standard"})
    assert answer.status_code == 422
    assert "Expected a kind, such as stage.accepted." in answer.content.decode()


def test_quiet_hours_hold_a_message_and_the_page_says_so(page: Client) -> None:
    ana = UserFactory(time_zone="UTC")
    ContactPointFactory(user=ana, label="mine", confirmed_at=datetime(2026, 1, 1, tzinfo=UTC))
    Preference.objects.create(user=ana, quiet_from=time(22), quiet_until=time(7))
    asked = {"kind": "alert", "severity": "standard"}
    assert "Held until their quiet hours end, at 2027-03-02 07:00 UTC." in shown(
        page, ana, at="2027-03-01T23:10", **asked
    )
    assert "at once." in shown(page, ana, at="2027-03-01T12:00", **asked)


@pytest.mark.parametrize(
    ("language", "heading", "nowhere"),
    [
        ("fr", "Comment cette personne serait prévenue", "Cette personne n’a aucun moyen de contact."),
        ("ru", "Как этот человек получил бы оповещение", "У этого человека нет способов связи."),
    ],
)
def test_it_speaks_the_readers_language(
    page: Client, operator: User, language: str, heading: str, nowhere: str
) -> None:
    User.objects.filter(pk=operator.pk).update(language=language)
    html = shown(page, UserFactory())
    assert heading in html
    assert nowhere in html


# --- Where they work, and when they are on call ---


def test_it_shows_where_they_work_now(page: Client) -> None:
    ana = UserFactory()
    MembershipFactory(user=ana, shop__name="Harbour")
    MembershipFactory(user=ana, shop__name="Left long ago", left_at=clock.now())
    MembershipFactory(shop__name="Of another")
    html = shown(page, ana)
    assert ("Harbour" in html, "Left long ago" in html, "Of another" in html) == (True, False, False)
    assert "Works at:" not in shown(page, UserFactory())


def test_it_shows_their_turns_in_the_next_five_weeks_and_nobody_elses(page: Client) -> None:
    ana, luc = UserFactory(), UserFactory()
    since = clock.now().date() - timedelta(days=1)
    nights = schedule_of(ana, luc, name="Nights", starts_on=since, shift_h=24 * 14)
    html = shown(page, ana)
    (part,) = re.findall(r'aria-labelledby="on-call">(.*?)</section>', html)
    assert f'<a href="/on-call/{nights.pk}/">Nights</a>' in part
    begins = [f"{since + timedelta(days=28):%Y-%m-%d}"]
    assert re.findall(r"from <time datetime=\"([0-9-]+)T", part)[1:] == begins
    (of_luc,) = re.findall(r'aria-labelledby="on-call">(.*?)</section>', shown(page, luc))
    begins = [f"{since + timedelta(days=14):%Y-%m-%d}"]
    assert re.findall(r"from <time datetime=\"([0-9-]+)T", of_luc) == begins
    assert 'aria-labelledby="on-call"' not in shown(page, UserFactory())


def test_what_they_were_told_is_narrowed_by_time(page: Client) -> None:
    ana = UserFactory()
    html = shown(page, ana)
    (form,) = re.findall(r'<form method="get" action="/console/history/".*?</form>', html)
    assert f'name="person" value="{ana.pk}"' in form
    assert re.findall(r'name="(since|until)"', form) == ["since", "until"]
    assert html.count(f'href="/console/history/?person={ana.pk}&amp;since=') == 3


# --- Sending a test ---


def try_path(point: ContactPoint) -> str:
    return f"/console/points/{point.pk}/test/"


def test_a_test_is_sent_its_result_is_shown_there_and_who_sent_it_is_noted(
    page: Client, operator: User
) -> None:
    ana = UserFactory()
    point, other = (ContactPointFactory(user=ana, confirmed_at=clock.now()) for _ in range(2))
    answer = page.post(try_path(point), headers={"referer": f"http://testserver{path_of(ana)}?kind=alert"})
    assert answer["Location"] == f"{path_of(ana)}?kind=alert#try-{point.pk}"
    sent = Delivery.objects.get(contact_point=point)
    html = shown(page, ana)
    assert "A test message is on its way." in html
    assert f'id="tried-{point.pk}"' in html
    assert f'id="tried-{other.pk}"' not in html
    (part,) = re.findall(rf'hx-get="({try_path(point)})"', html)
    end_all(status="sent", duration_ms=600.0)
    result = page.get(part, headers={"HX-Request": "true"}).content.decode()
    assert "The test message was sent in 0.6 s." in result
    assert "hx-get" not in result  # it is known, and nobody asks again
    action = DeliveryAction.objects.get()
    assert (action.action, action.via, action.by, action.deliveries) == (
        "test", "web", str(operator), [sent.pk],
    )  # fmt: skip
    done = page.get("/console/done/").content.decode()
    assert f'<a href="/console/deliveries/{sent.pk}/">Sent a test message</a>' in done
    stranger = Client()
    stranger.force_login(UserFactory(is_staff=True))
    assert "on its way" not in shown(stranger, ana)


def test_who_may_not_change_a_person_sends_no_test_there(page: Client, operator: User) -> None:
    clerk, ana = UserFactory(is_staff=True), UserFactory()
    browser = Client(headers={"accept": "text/html"})
    browser.force_login(clerk)
    boss = UserFactory(is_staff=True, is_superuser=True)
    theirs, hers, unconfirmed = (
        ContactPointFactory(user=boss, confirmed_at=clock.now()),
        ContactPointFactory(user=ana, confirmed_at=clock.now()),
        ContactPointFactory(user=ana, confirmed_at=None),
    )
    assert try_path(theirs) not in shown(browser, boss)
    assert browser.post(try_path(theirs)).status_code == 403
    html = shown(browser, ana)
    assert try_path(hers) in html
    assert try_path(unconfirmed) not in html
    refused = browser.post(try_path(unconfirmed), follow=True)
    assert str(UNCONFIRMED) in unescape(refused.content.decode())
    own = Client(headers={"accept": "text/html"})
    own.force_login(ana)
    assert own.post(try_path(hers)).status_code == 403
    assert not Delivery.objects.exists()


def test_a_test_to_oneself_is_no_act_on_others(page: Client, operator: User) -> None:
    point = ContactPointFactory(user=operator, confirmed_at=clock.now())
    page.post(try_path(point))
    assert Delivery.objects.count() == 1
    assert not DeliveryAction.objects.exists()
