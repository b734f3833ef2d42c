"""The console's history: filters that are links, safe files, and replays that first say what they do."""

import csv
import io
import random
import re
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from config import clock
from notifications.ids import first_id
from notifications.models import AttemptRow, Delivery, DeliveryAction, Notification, Outgoing, SavedView
from notifications.web import failures
from notifications.web.chart import BAR, HEIGHT, chart_of
from notifications.web.views import history
from tests.factories import ContactPointFactory, NotificationFactory, UserFactory
from tests.queued import stored

PATH = "/console/history/"
Status = Delivery.Status


@pytest.fixture
def page(operator: User) -> Client:
    client = Client(headers={"accept": "text/html"})
    client.force_login(operator)
    return client


def told(title: str, *, ago: timedelta = timedelta(minutes=1), **fields: Any) -> Delivery:
    """Something that was told so long ago, by a webhook unless said otherwise."""
    at: datetime = clock.now() - ago
    words = {name: fields.pop(name) for name in ("body", "texts") if name in fields}
    channel = fields.setdefault("channel", "webhook")
    user = fields.setdefault("user", None)
    if user and channel != "inbox" and "contact_point" not in fields:
        fields["contact_point"] = ContactPointFactory(
            user=user, channel=channel, address=f"https://hooks.example.org/{uuid.uuid4()}"
        )
        fields["address"] = fields["contact_point"].address
    made = Delivery(
        id=uuid.UUID(int=first_id(at).int | random.getrandbits(62)),
        notification=NotificationFactory(title=title, **words),
        created_at=at,
        due_at=at,
        expires_at=at + timedelta(days=1),
        **{"status": Status.SENT, **fields},
    )
    return stored([made])[0]


def titles(page: Client, query: str = "", **fields: str) -> list[str]:
    shown = page.get(f"{PATH}?{query}", fields or None)
    assert shown.status_code == 200
    return re.findall(r'<a href="/console/deliveries/[^"]+">([^<]+)</a>', shown.content.decode())


def texts(html: bytes) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html.decode()).split())


# --- The list ---


def test_it_shows_the_last_week_the_newest_first(page: Client) -> None:
    told("older", ago=timedelta(days=6))
    told("newer")
    told("too old", ago=timedelta(days=8))
    assert titles(page) == ["newer", "older"]
    since = f"{clock.now() - timedelta(days=9):%Y-%m-%dT%H:%M}"
    assert titles(page, since=since) == ["newer", "older", "too old"]
    assert titles(page, since=since, until=f"{clock.now() - timedelta(days=7):%Y-%m-%dT%H:%M}") == ["too old"]


def test_each_filter_narrows_it(page: Client) -> None:
    ana = UserFactory(first_name="Ana", last_name="Moreau")
    told("by sms", channel="sms", address="+33612345678")
    told("failed", status=Status.FAILED, reason="attempts_exhausted")
    told("to Ana", user=ana, status=Status.SUPPRESSED, reason="quiet_hours")
    told("waits", status=Status.PENDING)
    assert titles(page, channel="sms") == ["by sms"]
    assert titles(page, status="failed") == ["failed"]
    assert titles(page, status="pending") == ["waits"]
    assert titles(page, reason="quiet_hours") == ["to Ana"]
    for person in ("moreau", ana.email, str(ana.pk)):
        assert titles(page, person=person) == ["to Ana"]
    assert titles(page, person="nobody of that name") == []
    assert titles(page, person="moreau", status="failed") == []


def test_the_time_of_a_filter_is_that_of_the_reader(page: Client, operator: User) -> None:
    User.objects.filter(pk=operator.pk).update(time_zone="Asia/Tokyo")
    told("an hour ago", ago=timedelta(hours=1))
    told("three hours ago", ago=timedelta(hours=3))
    in_tokyo = clock.now() + timedelta(hours=9) - timedelta(hours=2)
    assert titles(page, since=f"{in_tokyo:%Y-%m-%dT%H:%M}") == ["an hour ago"]


def test_the_spans_lead_to_what_is_as_young(page: Client) -> None:
    told("now")
    told("two hours ago", ago=timedelta(hours=2))
    told("ten days ago", ago=timedelta(days=10))
    shown = page.get(PATH).content.decode()
    spans = {
        name: query.replace("&amp;", "&")
        for query, name in re.findall(r'href="\?([^"]+)">([^<]+)</a>', shown)
    }
    assert titles(page, spans["The last hour"]) == ["now"]
    assert titles(page, spans["24 hours"]) == ["now", "two hours ago"]
    assert titles(page, spans["30 days"]) == ["now", "two hours ago", "ten days ago"]


def test_names_lead_to_their_person(page: Client) -> None:
    ana = UserFactory(first_name="Ana", last_name="Moreau")
    made = told("hers", user=ana)
    for path in (PATH, f"/console/deliveries/{made.pk}/"):
        assert f'<a href="/console/people/{ana.pk}/"><bdi>' in page.get(path).content.decode()


def test_every_row_says_why(page: Client) -> None:
    told("failed", status=Status.FAILED, reason="attempts_exhausted")
    assert "Failed: every attempt failed; it can be replayed." in texts(page.get(PATH).content)


def test_older_ones_follow_without_a_gap(page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "PAGE_SIZE", 2)
    for number in range(5):
        told(f"number {number}", ago=timedelta(minutes=10 - number), channel="sms", address="+33612345678")
    told("another", ago=timedelta(minutes=8))
    query, found = "channel=sms", []
    while query:
        shown = page.get(f"{PATH}?{query}").content.decode()
        found += re.findall(r'<a href="/console/deliveries/[^"]+">([^<]+)</a>', shown)
        older = re.search(r'<a class="button" href="\?([^"]+)">Older', shown)
        query = older[1].replace("&amp;", "&") if older else ""
    assert found == [f"number {number}" for number in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    "wrong", [{"channel": "pigeon"}, {"status": "lost"}, {"since": "soon"}, {"until": "0001-01-01T00:00"}]
)
def test_a_filter_that_is_wrong_is_said_so_and_kept(page: Client, wrong: dict[str, str]) -> None:
    answer = page.get(PATH, wrong)
    assert answer.status_code == 422
    assert b'role="alert"' in answer.content or b"errorlist" in answer.content


def test_what_is_unknown_changes_nothing(page: Client) -> None:
    told("one")
    assert titles(page, "before=x&page=7&shop=") == ["one"]


def test_the_questions_to_the_database_do_not_grow_with_the_rows(
    page: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        told(f"number {number}", user=UserFactory())
    with django_assert_max_num_queries(10):
        assert len(titles(page)) == 30


# --- The file ---


def test_a_file_has_what_is_shown_and_no_formulas(page: Client) -> None:
    evil = UserFactory(first_name='=HYPERLINK("https://evil.example","x")', last_name="")
    told("+1 theft", user=evil)
    told("by sms", channel="sms", address="+33612345678")
    answer = page.get(PATH, {"channel": "webhook", "file": "csv"})
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert 'filename="history.csv"' in answer["Content-Disposition"]
    (row,) = csv.DictReader(io.StringIO(answer.content.decode()))
    assert row["person"].startswith("'=HYPERLINK")
    assert (row["what"], row["email"], row["status"]) == ("'+1 theft", evil.email, "sent")
    assert row["explanation"] == "Told by webhook."


# --- One delivery ---


def test_a_delivery_shows_its_message_without_links_that_are_its_persons_alone(page: Client) -> None:
    ana = UserFactory()
    delivery = told(
        "The call begins",
        user=ana,
        body="Enter it at https://tocsin.example.org/dating/join/secret-token/ now.",
        texts={
            "en": {
                "": [
                    "The call begins",
                    "Enter it at https://tocsin.example.org/dating/join/secret-token/ now.",
                ]
            }
        },
    )
    answer = page.get(f"/console/deliveries/{delivery.pk}/")
    assert b"secret-token" not in answer.content
    assert "Enter it at https://tocsin.example.org/… now." in texts(answer.content)
    assert "Told by webhook." in texts(answer.content)
    assert f"?person={ana.pk}" in answer.content.decode()


def test_one_that_failed_is_tried_again_and_says_by_whom(page: Client, operator: User) -> None:
    delivery = told("failed", user=UserFactory(), status=Status.FAILED, reason="attempts_exhausted")
    path = f"/console/deliveries/{delivery.pk}/"
    assert "Try again now" in texts(page.get(path).content)
    answer = page.post(f"{path}replay/", follow=True)
    assert "It is being tried again now." in texts(answer.content)
    assert f"Replayed by {operator}" in texts(answer.content)
    assert Outgoing.objects.get().delivery_id == delivery.pk
    assert DeliveryAction.objects.get().via == "web"
    again = page.post(f"{path}replay/", follow=True)
    assert "Only failed or expired deliveries can be replayed." in texts(again.content)


def test_one_that_waits_is_cancelled(page: Client) -> None:
    delivery = told("waits", status=Status.PENDING)
    path = f"/console/deliveries/{delivery.pk}/"
    assert "Cancelled before it was sent." in texts(page.post(f"{path}cancel/", follow=True).content)
    assert not Outgoing.objects.exists()
    assert "Only unsent deliveries can be cancelled." in texts(
        page.post(f"{path}cancel/", follow=True).content
    )


# --- Replaying many ---


def test_a_replay_says_first_what_it_would_do_and_leaves_what_failed_since(page: Client) -> None:
    people = [UserFactory(), UserFactory()]
    for person in people:
        told("outage", user=person, status=Status.FAILED, reason="attempts_exhausted", ago=timedelta(hours=1))
    told("stopped", user=people[0], status=Status.FAILED, revoked_at=clock.now(), ago=timedelta(hours=1))
    told("by sms", channel="sms", address="+33612345678", status=Status.FAILED, ago=timedelta(hours=1))
    shown = page.get(PATH, {"channel": "webhook", "status": "failed"}).content.decode()
    link = re.search(r'href="(/console/history/replay/\?[^"]+)"', shown)
    assert link
    asked = page.get(link[1].replace("&amp;", "&"))
    said = texts(asked.content)
    assert "Replay 2 deliveries?" in said
    assert "To 2 people with an account" in said
    assert "Left out: 1 stopped, or about something that is over." in said
    newest = re.search(r'name="newest" value="([^"]+)"', asked.content.decode())
    assert newest
    told("since", user=people[0], status=Status.FAILED, reason="attempts_exhausted", ago=timedelta(0))
    done = page.post(link[1].replace("&amp;", "&"), {"newest": newest[1]}, follow=True)
    assert "2 will be tried again now." in texts(done.content)
    assert set(Outgoing.objects.values_list("delivery__notification__title", flat=True)) == {"outage"}
    assert DeliveryAction.objects.get().count == 2


def test_without_an_answer_nothing_is_replayed(page: Client) -> None:
    told("outage", status=Status.FAILED)
    page.post("/console/history/replay/?status=failed", {})
    page.post("/console/history/replay/?status=failed&since=soon", {"newest": str(Delivery.objects.get().pk)})
    assert not Outgoing.objects.exists()


# --- Cancelling many ---


def test_cancelling_says_first_what_it_would_do_and_leaves_what_came_since(
    page: Client, operator: User
) -> None:
    hour = timedelta(hours=1)
    people = [UserFactory(), UserFactory()]
    for person in people:
        told("planned", user=person, status=Status.PENDING, ago=hour)
    begun = told("begun", user=people[0], status=Status.PENDING, ago=hour)
    Outgoing.objects.filter(pk=begun.pk).update(lease_until=clock.now() + hour)
    kept = told("failed", user=people[0], status=Status.FAILED, reason="exhausted", ago=hour)
    told("by sms", channel="sms", address="+33612345678", status=Status.PENDING, ago=hour)
    shown = page.get(PATH, {"channel": "webhook", "status": "pending"}).content.decode()
    link = re.search(r'href="(/console/history/cancel/\?[^"]+)"', shown)
    assert link
    asked = page.get("/console/history/cancel/?channel=webhook")
    said = texts(asked.content)
    assert "Cancel 2 deliveries?" in said
    assert "To 2 people with an account" in said
    assert "Left out: 1 that is being sent right now." in said
    newest = re.search(r'name="newest" value="([^"]+)"', asked.content.decode())
    assert newest
    told("since", user=people[0], status=Status.PENDING, ago=timedelta(0))
    done = page.post("/console/history/cancel/?channel=webhook", {"newest": newest[1]}, follow=True)
    assert "2 cancelled before they were sent." in texts(done.content)
    left = Outgoing.objects.values_list("delivery__notification__title", flat=True)
    assert sorted(left) == ["begun", "by sms", "since"]
    assert Delivery.objects.get(pk=kept.pk).revoked_at is None  # it can still be replayed
    action = DeliveryAction.objects.get()
    assert (action.action, action.via, action.by) == ("cancel", "web", str(operator))
    assert "Cancelled 3 deliveries" in texts(page.get("/console/done/").content)


def test_only_what_waits_is_offered_for_it(page: Client) -> None:
    told("sent")
    told("waits", status=Status.PENDING)
    for status, is_offered in (("pending", True), ("sent", False), ("", False)):
        assert ("Cancel these" in page.get(PATH, {"status": status}).content.decode()) == is_offered
    assert "Nothing to cancel" in texts(page.get("/console/history/cancel/?status=sent").content)
    page.post("/console/history/cancel/", {})
    assert Outgoing.objects.count() == 1


# --- However much there is ---


def test_a_look_goes_through_so_many_and_then_further(page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_LOOKED_AT", 3)
    told("rare", channel="sms", address="+33612345678", ago=timedelta(minutes=9))
    for number in range(5):
        told(f"usual {number}", ago=timedelta(minutes=5 - number))
    first = page.get(PATH, {"channel": "sms"}).content.decode()
    assert "rare" not in first
    assert "Looked through back to" in first
    assert "Nothing so far." in first
    (further,) = re.findall(r'href="\?([^"]+)">Look further back<', first)
    second = page.get(f"{PATH}?{further.replace('&amp;', '&')}").content.decode()
    assert "rare" in second
    assert "Look further back" not in second


def test_nothing_is_left_out_between_one_look_and_the_next(
    page: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_LOOKED_AT", 2)
    for number in range(5):
        told(f"told {number}", ago=timedelta(minutes=number + 1))
    seen, query = [], ""
    while True:
        shown = page.get(f"{PATH}?{query}").content.decode()
        seen += re.findall(r'<a href="/console/deliveries/[^"]+">([^<]+)</a>', shown)
        found = re.findall(r'href="\?([^"]+)">Look further back<', shown)
        if not found:
            break
        query = found[0].replace("&amp;", "&")
    assert seen == [f"told {number}" for number in range(5)]


def test_what_an_index_leads_to_is_found_however_rare_it_is(
    page: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_LOOKED_AT", 2)
    ana = UserFactory(first_name="Ana", last_name="Moreau")
    told("hers", user=ana, ago=timedelta(minutes=30))
    told("failed", status=Status.FAILED, reason="attempts_exhausted", ago=timedelta(minutes=20))
    for number in range(4):
        told(f"usual {number}")
    assert titles(page, person=str(ana.pk)) == ["hers"]
    assert titles(page, status="failed") == ["failed"]


# --- The chart ---


def bars(page: Client, **fields: str) -> list[str]:
    return re.findall(r"<title>([^<]+)</title><rect", page.get(PATH, fields).content.decode())


def test_the_chart_counts_what_was_made_and_what_failed_of_it(page: Client) -> None:
    at = clock.now().replace(hour=12, minute=7, second=0, microsecond=0) - timedelta(days=2)
    for minute in (0, 1, 2, 40):
        status = {"status": Status.FAILED, "reason": "attempts_exhausted"} if minute == 1 else {}
        told(f"at {minute}", ago=clock.now() - (at + timedelta(minutes=minute)), **status)
    since, until = (f"{at + timedelta(hours=hours):%Y-%m-%dT%H:%M}" for hours in (-1, 1))
    day = f"{at:%-d %b}"
    assert bars(page, since=since, until=until) == [
        f"{day}, 12:05: 3 deliveries, of which 1 failed",
        f"{day}, 12:45: 1 delivery, of which 0 failed",
    ]
    assert bars(page, since=since, until=until, status="failed") == [
        f"{day}, 12:05: 1 delivery, of which 1 failed"
    ]
    assert bars(page, since=since, until=until, channel="sms") == []


def test_a_bar_leads_to_what_it_counts(page: Client) -> None:
    told("early", ago=timedelta(hours=30))
    told("late", ago=timedelta(hours=3))
    shown = page.get(PATH, {"channel": "webhook"}).content.decode()
    links = re.findall(r'<a href="\?([^"]+)" aria-label="[^"]+"><title>', shown)
    assert [titles(page, link.replace("&amp;", "&")) for link in links] == [["early"], ["late"]]


@pytest.mark.parametrize(
    ("span", "length"),
    [
        (timedelta(minutes=50), timedelta(minutes=1)),
        (timedelta(hours=1, minutes=1), timedelta(minutes=5)),
        (timedelta(days=1), timedelta(hours=1)),
        (timedelta(days=7), timedelta(hours=3)),
        (timedelta(days=30), timedelta(days=1)),
        (timedelta(days=365), timedelta(days=7)),
        (timedelta(days=3000), timedelta(days=30)),
    ],
)
def test_there_are_sixty_bars_at_most(db: None, span: timedelta, length: timedelta) -> None:
    until = clock.now()
    told("old", ago=min(span, timedelta(days=80)) - timedelta(seconds=30))
    told("new")
    chart = chart_of(Delivery.objects.all(), since=until - span, until=until, address=lambda *span: "")
    assert chart is not None
    assert {bar.until - bar.since for bar in chart.bars} == {length}
    assert len(chart.bars) <= 60
    assert sum(bar.count for bar in chart.bars) == 2


def test_the_highest_bar_fills_the_chart_and_the_lowest_is_seen(db: None) -> None:
    now = clock.now()
    for number in range(200):
        told(f"{number}", ago=timedelta(minutes=30))
    told("alone", ago=timedelta(minutes=3))
    chart = chart_of(
        Delivery.objects.all(), since=now - timedelta(hours=1), until=now, address=lambda *span: ""
    )
    assert chart is not None
    heights = [bar.height for bar in chart.bars if bar.count]
    assert heights == [HEIGHT, 2]
    assert [bar.x for bar in chart.bars] == [number * BAR for number in range(len(chart.bars))]


# --- What failed, by error ---


def failed(title: str, *errors: str, reason: str = "exhausted", **fields: Any) -> Delivery:
    """Something whose attempts were answered so."""
    if "user" not in fields:
        fields.setdefault("address", "https://hooks.example.org/7")
    made = told(title, status=Status.FAILED, reason=reason, attempts=len(errors), **fields)
    for number, error in enumerate(errors, start=1):
        AttemptRow.objects.create(
            delivery=made,
            number=number,
            started_at=made.created_at,
            duration_ms=3.0,
            outcome="unavailable",
            status_code=503,
            error=error,
        )
    return made


def groups(html: str) -> list[tuple[str, str, str]]:
    """Return the query, the words and the figures of each group that a page shows."""
    (section,) = re.findall(r'aria-labelledby="by-error">(.*?)</section>', html, re.DOTALL) or [""]
    found = re.findall(r'<a href="\?([^"]+)">([^<]+)</a>\s*<span[^>]*>([^<]+)</span>', section)
    return [(query.replace("&amp;", "&"), words, figures) for query, words, figures in found]


def test_an_outage_is_one_line_with_whom_it_hit_and_leads_to_its_rows(page: Client) -> None:
    ana, luc = UserFactory(), UserFactory()
    at = clock.now().replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
    for number, person in enumerate((ana, ana, luc)):
        failed(
            f"sms {number}",
            "timed out after 10 s",
            "answered 503: error 20503",
            user=person,
            channel="sms",
            ago=clock.now() - at - timedelta(minutes=number),
        )
    failed("mail", "answered 503: error 20503", channel="email")
    failed("never tried", reason="gone")
    told("sent")
    found = groups(page.get(PATH).content.decode())
    day = f"{at:%-d %b}"
    assert found[0][1:] == (
        "answered 503: error 20503",
        f"Text message · 3 deliveries · 2 people · from {day}, 12:00:00 until {day}, 12:02:00",
    )
    assert [(titles(page, query), words) for query, words, _ in found] == [
        (["sms 2", "sms 1", "sms 0"], "answered 503: error 20503"),
        (["mail"], "answered 503: error 20503"),
        (["never tried"], str(Delivery.Reason.GONE.label)),
    ]


def test_groups_obey_the_filters_and_what_leads_to_one_shows_no_others(page: Client) -> None:
    failed("by sms", "answered 503", channel="sms", address="+33612345678")
    failed("long ago", "answered 500", ago=timedelta(days=9))
    assert [words for _, words, _ in groups(page.get(PATH).content.decode())] == ["answered 503"]
    assert groups(page.get(PATH, {"channel": "email"}).content.decode()) == []
    assert groups(page.get(PATH, {"status": "sent"}).content.decode()) == []
    one = page.get(PATH, {"error": "answered 503"}).content.decode()
    assert groups(one) == []
    assert "Only what failed with “answered 503”." in texts(one.encode())
    assert 'name="error" value="answered 503"' in one  # kept by the form
    assert "Replay these" in one


def test_a_row_that_failed_says_its_last_error(page: Client) -> None:
    failed("outage", "timed out after 10 s", "answered <503>")
    said = page.get(PATH).content.decode()
    assert "it can be replayed. Last answer: answered &lt;503&gt;." in " ".join(said.split())
    assert "Last answer: timed out" not in said


def test_only_the_newest_failures_are_grouped_and_the_page_says_so(
    page: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "MOST", 2)
    for number in range(4):
        failed(f"number {number}", f"answered 50{number}", ago=timedelta(minutes=9 - number))
    shown = page.get(PATH)
    assert {words for _, words, _ in groups(shown.content.decode())} == {"answered 502", "answered 503"}
    assert "Of the newest 2 that failed." in texts(shown.content)
    rare = page.get(PATH, {"error": "answered 500"}).content.decode()
    assert "number 0" not in rare
    (further,) = re.findall(r'href="\?([^"]+)">Look further back<', rare)
    assert titles(page, further.replace("&amp;", "&")) == ["number 0"]


# --- Words ---


def test_channels_and_severities_are_called_as_the_reader_calls_them(page: Client, operator: User) -> None:
    User.objects.filter(pk=operator.pk).update(language="fr")
    called = told("a call", channel="phone", address="+33612345678", status=Status.FAILED)
    Notification.objects.update(severity="critical")
    shown = texts(page.get(PATH).content)
    assert "· Appel téléphonique" in shown
    assert shown.count("Appel téléphonique") == 3  # a choice of the filter, a group and a row
    one = texts(page.get(f"/console/deliveries/{called.pk}/").content)
    assert "Appel téléphonique" in one
    assert ", Critique" in one
    assert "critical" not in one
    assert "Appel téléphonique: 1" in texts(page.get("/console/history/replay/?status=failed").content)


# --- Saved views ---

VIEWS = f"{PATH}views/"


def views(page: Client) -> dict[str, str]:
    """Return the queries of the views that the page lists, by their names."""
    html = page.get(PATH).content.decode()
    (section,) = re.findall(r'aria-labelledby="views".*?</section>', html, re.DOTALL) or [""]
    found = re.findall(r'<a href="\?([^"]*)"[^>]*>([^<]+)</a>', section)
    return {name: query.replace("&amp;", "&") for query, name in found}


def removing(page: Client) -> list[str]:
    return re.findall(rf'action="({VIEWS}[^"]+/remove/)"', page.get(PATH).content.decode())


def another(**fields: Any) -> Client:
    client = Client(headers={"accept": "text/html"})
    client.force_login(UserFactory(is_staff=True, **fields))
    return client


def test_a_view_is_saved_under_a_name_and_leads_to_the_same_rows(page: Client) -> None:
    told("by sms", channel="sms", address="+33612345678")
    told("by webhook")
    done = page.post(f"{VIEWS}?channel=sms&before=x", {"name": "Texts"}, follow=True)
    assert "Saved as “Texts”." in texts(done.content)
    assert views(page) == {"Texts": "channel=sms"}
    assert titles(page, views(page)["Texts"]) == ["by sms"]
    page.post(f"{VIEWS}?channel=webhook", {"name": "Texts"})  # in the place of the other
    assert views(page) == {"Texts": "channel=webhook"}


def test_a_view_is_its_persons_own_unless_it_is_shared(page: Client, operator: User) -> None:
    page.post(f"{VIEWS}?channel=sms", {"name": "Mine"})
    page.post(f"{VIEWS}?status=failed", {"name": "Ours", "shared": "on"})
    other = another()
    assert views(other) == {"Ours": "status=failed"}
    assert f"Shared by {operator}" in texts(other.get(PATH).content)
    assert removing(other) == []
    for path in removing(page):
        assert other.post(path).status_code == 404
    assert set(views(page)) == {"Mine", "Ours"}


def test_a_shared_view_means_the_same_time_to_everybody(page: Client) -> None:
    told("two hours ago", ago=timedelta(hours=2))
    told("now")
    in_tokyo = another(time_zone="Asia/Tokyo")
    since = f"{clock.now() + timedelta(hours=9) - timedelta(hours=1):%Y-%m-%dT%H:%M}"
    in_tokyo.post(f"{VIEWS}?since={since}", {"name": "The last hour", "shared": "on"})
    assert titles(page, views(page)["The last hour"]) == ["now"]


def test_a_removed_view_comes_back_as_it_was(page: Client) -> None:
    page.post(f"{VIEWS}?channel=sms", {"name": "Texts", "shared": "on"})
    (path,) = removing(page)
    html = page.post(path, follow=True).content.decode()
    assert "The view “Texts” has been removed." in html
    assert views(page) == {}
    (undo,) = re.findall(r'<div class="message success undo">.*?</form>', html, re.DOTALL)
    (action,) = re.findall(r'action="([^"]+)"', undo)
    page.post(action.replace("&amp;", "&"), dict(re.findall(r'name="(name|shared)" value="([^"]*)"', undo)))
    assert views(another()) == {"Texts": "channel=sms"}


def test_a_view_that_cannot_be_read_any_more_says_so(page: Client, operator: User) -> None:
    SavedView.objects.create(user=operator, name="Pigeons", query="channel=pigeon")
    answer = page.get(f"{PATH}?{views(page)['Pigeons']}")
    assert answer.status_code == 422
    assert "pigeon is not one of the available choices" in texts(answer.content)
    assert "Pigeons" in texts(answer.content)


def test_what_is_wrong_is_not_saved_and_what_was_typed_is_kept(page: Client) -> None:
    assert page.post(f"{VIEWS}?channel=pigeon", {"name": "Pigeons"}).status_code == 422
    refused = page.post(f"{VIEWS}?channel=sms", {"name": "x" * 101, "shared": "on"})
    assert refused.status_code == 422
    html = refused.content.decode()
    assert f'value="{"x" * 101}"' in html
    assert 'action="/console/history/views/?channel=sms"' in html
    assert not SavedView.objects.exists()


def test_nobody_has_more_views_than_they_may(page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SavedView, "MOST", 2)
    for name in ("one", "two"):
        page.post(VIEWS, {"name": name})
    refused = page.post(VIEWS, {"name": "three"})
    assert refused.status_code == 422
    assert "There are already 2 saved views. Remove one first." in texts(refused.content)
    assert page.post(f"{VIEWS}?channel=sms", {"name": "two"}).status_code == 302
    assert views(page) == {"one": "", "two": "channel=sms"}
