"""The inbox in the browser."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any, Final
from urllib.parse import urlencode
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import User
from notifications.inbox import snoozing
from notifications.models import Delivery, InboxItem
from notifications.web.views.inbox import EPOCH, PAGE_SIZE

Tell = Callable[..., InboxItem]
Browse = Callable[..., Client]
HTMX = {"HX-Request": "true"}


def shown(response: Any) -> list[str]:
    """The ids of the items in an answer, in their order."""
    return shown_in(response.content.decode())


def shown_in(page: str) -> list[str]:
    return re.findall(r'id="notice-([0-9a-f-]{36})"', page)


def ids(*items: InboxItem) -> list[str]:
    return [str(each.pk) for each in items]


def test_unread_comes_first_and_then_the_newest(browse: Browse, owner: User, tell: Tell) -> None:
    oldest, read, newest = (tell(owner), tell(owner, read_at=timezone.now()), tell(owner))
    assert shown(browse(owner).get("/inbox/")) == ids(newest, oldest, read)


def test_an_empty_inbox_says_so(browse: Browse, owner: User) -> None:
    page = browse(owner).get("/inbox/").content.decode()
    assert "Nothing here yet" in page
    assert "Load older" not in page


def test_the_count_stands_at_the_bell_and_in_the_title(browse: Browse, owner: User, tell: Tell) -> None:
    tell(owner), tell(owner), tell(owner, read_at=timezone.now())
    page = browse(owner).get("/inbox/").content.decode()
    assert "<title>(2) Inbox" in page
    assert 'aria-label="Inbox, 2 unread"' in page
    assert 'data-last="3"' in page


def test_all_that_is_shown_is_marked_read_also_what_came_while_the_page_was_made(
    browse: Browse, owner: User, tell: Tell
) -> None:
    tell(owner)
    coming = [{"title": "Came late"}]

    def just_before_the_list(execute: Any, sql: str, *rest: Any) -> Any:
        if coming and "notifications_notification" in sql:
            tell(owner, **coming.pop())
        return execute(sql, *rest)

    browser = browse(owner)
    with connection.execute_wrapper(just_before_the_list):
        page = browser.get("/inbox/")
    assert "Came late" in page.content.decode()
    up_to = re.search(r'name="up_to"[^>]* value="(\d+)"', page.content.decode())
    assert up_to
    browser.post("/inbox/read/", {"up_to": up_to[1]})
    assert InboxItem.objects.filter(read_at=None).count() == 0


def test_text_of_others_is_text(browse: Browse, owner: User, tell: Tell) -> None:
    tell(owner, title="<b>Hi</b>", body='<script>x</script> "&\nhttps://example.com/a?b=<i>')
    page = browse(owner).get("/inbox/").content.decode()
    assert "&lt;b&gt;Hi&lt;/b&gt;" in page
    assert "<script>x" not in page
    assert "<i>" not in page


def test_links_lead_away_only_by_http(browse: Browse, owner: User, tell: Tell) -> None:
    tell(owner, body="see https://example.com/clip.mp4 and javascript:alert(1) and www.example.com")
    page = browse(owner).get("/inbox/").content.decode()
    assert '<a href="https://example.com/clip.mp4" rel="nofollow">' in page
    assert 'href="javascript' not in page


def test_a_french_item_says_that_it_is_french(browse: Browse, owner: User, tell: Tell) -> None:
    texts = {"fr": {"": ["Bonjour", "Le texte"]}}
    tell(owner, title="Hello", body="The text", texts=texts, language="fr")
    tell(owner, title="Only English", language="fr")
    page = browse(owner).get("/inbox/").content.decode()
    assert '<span lang="fr">Bonjour</span>' in page
    assert page.count('lang="fr"') == 2  # title and body
    assert "Only English" in page


def test_times_are_in_the_persons_own_zone(browse: Browse, owner: User, tell: Tell) -> None:
    User.objects.filter(pk=owner.pk).update(time_zone="Asia/Tokyo")
    tell(owner, created_at=datetime(2026, 3, 2, 23, 30, tzinfo=UTC))
    page = browse(owner).get("/inbox/").content.decode()
    assert '<time datetime="2026-03-03T08:30:00+09:00">3 Mar 2026, 08:30</time>' in page
    # And not in that of whoever was served before by the same thread.
    assert timezone.get_current_timezone_name() == "UTC"


def test_a_zone_that_is_no_more_stands_for_utc(browse: Browse, owner: User, tell: Tell) -> None:
    User.objects.filter(pk=owner.pk).update(time_zone="Mars/Olympus")
    tell(owner, created_at=datetime(2026, 3, 2, 23, 30, tzinfo=UTC))
    assert "2 Mar 2026, 23:30" in browse(owner).get("/inbox/").content.decode()
    assert browse(owner).get("/preferences/").status_code == 200


@pytest.mark.slow
def test_older_ones_follow_without_gap_or_repeat(browse: Browse, owner: User, tell: Tell) -> None:
    everything = [tell(owner) for _ in range(2 * PAGE_SIZE + 5)]
    client, url, seen = browse(owner), "/inbox/", []
    for _ in range(3):
        response = client.get(url)
        seen += shown(response)
        tell(owner)  # what comes meanwhile belongs at the top, and moves nothing
        link = re.search(r'href="(/inbox/\?cursor=[^"]+)"', response.content.decode())
        url = link[1] if link else ""
    assert seen == ids(*reversed(everything))
    assert url == ""


def test_htmx_gets_the_next_items_alone(browse: Browse, owner: User, tell: Tell) -> None:
    everything = [tell(owner) for _ in range(PAGE_SIZE + 1)]
    client = browse(owner)
    url = re.search(r'hx-get="([^"]+)"', client.get("/inbox/").content.decode())
    assert url
    response = client.get(url[1], headers=HTMX)
    assert shown(response) == ids(everything[0])
    assert "<html" not in response.content.decode()
    assert 'id="older" hx-swap-oob="true"' in response.content.decode()
    assert "There are no older messages" in response.content.decode()


@pytest.mark.parametrize("cursor", ["x", "MS4x", "\x00", "MTc2Mzc3NzYwMDAwMDAwMC4wLjUuMA" * 50])
def test_a_cursor_that_is_none_leads_nowhere(browse: Browse, owner: User, cursor: str) -> None:
    assert browse(owner).get("/inbox/", {"cursor": cursor}).status_code == 404


def test_the_list_takes_as_many_queries_for_many(
    browse: Browse, owner: User, tell: Tell, django_assert_num_queries: Any
) -> None:
    client = browse(owner)
    for count in (1, 10):
        for _ in range(count):
            tell(owner)
        # The session, the user, the last number, the list, the count; and where the bar leads (four).
        with django_assert_num_queries(10):
            client.get("/inbox/")


def test_marking_read_and_unread_again(browse: Browse, owner: User, tell: Tell) -> None:
    item, client = tell(owner), browse(owner)
    assert client.post(f"/inbox/{item.pk}/read/")["Location"] == "/inbox/"
    item.refresh_from_db()
    first = item.read_at
    assert first
    client.post(f"/inbox/{item.pk}/read/")
    item.refresh_from_db()
    assert item.read_at == first
    client.post(f"/inbox/{item.pk}/unread/")
    item.refresh_from_db()
    assert item.read_at is None


def test_htmx_gets_the_item_as_it_is_now_and_the_count(browse: Browse, owner: User, tell: Tell) -> None:
    item = tell(owner)
    tell(owner)
    response = browse(owner).post(f"/inbox/{item.pk}/read/", headers=HTMX)
    assert shown(response) == ids(item)
    assert "Mark unread" in response.content.decode()
    assert json.loads(response["HX-Trigger"]) == {"unread": 1}


def test_what_is_deleted_is_gone_from_the_inbox_and_not_from_the_history(
    browse: Browse, owner: User, tell: Tell
) -> None:
    item, client = tell(owner), browse(owner)
    response = client.post(f"/inbox/{item.pk}/delete/", headers=HTMX)
    assert json.loads(response["HX-Trigger"]) == {"unread": 0}
    assert shown(response) == []
    assert shown(client.get("/inbox/")) == []
    assert client.post(f"/inbox/{item.pk}/delete/").status_code == 404
    assert Delivery.objects.filter(pk=item.pk).exists()


def test_mark_all_leaves_what_the_page_did_not_have(browse: Browse, owner: User, tell: Tell) -> None:
    before, client = tell(owner), browse(owner)
    page = client.get("/inbox/").content.decode()
    up_to = re.search(r'name="up_to" id="up-to" value="(\d+)"', page)
    assert up_to
    since = tell(owner)
    response = client.post("/inbox/read/", {"up_to": up_to[1]}, headers=HTMX)
    assert shown(response) == ids(since, before)
    assert json.loads(response["HX-Trigger"]) == {"unread": 1}
    since.refresh_from_db()
    assert since.read_at is None
    assert client.post("/inbox/read/", {"up_to": up_to[1]})["Location"] == "/inbox/"


@pytest.mark.slow
@pytest.mark.parametrize("up_to", ["", "x", "-1", "1.5", "9" * 30, "²", "0" * 5000])
def test_mark_all_takes_a_number(browse: Browse, owner: User, tell: Tell, up_to: str) -> None:
    item = tell(owner)
    assert browse(owner).post("/inbox/read/", {"up_to": up_to}).status_code == 400
    item.refresh_from_db()
    assert item.read_at is None


# --- What the script asks for ------------------------------------------------------------------------------


def news(client: Client, after: int) -> dict[str, Any]:
    response = client.get("/inbox/news/", {"after": after})
    assert response.status_code == 200
    return response.json()


def test_news_are_what_came_after_a_number(browse: Browse, owner: User, tell: Tell) -> None:
    client = browse(owner)
    assert news(client, 0) == {"html": "", "gone": [], "last": 0, "more": False, "unread": 0}
    tell(owner)
    second, third = tell(owner), tell(owner)
    answer = news(client, 1)
    assert re.findall(r'id="notice-([0-9a-f-]{36})"', answer["html"]) == ids(third, second)
    assert (answer["last"], answer["more"], answer["unread"]) == (3, False, 3)
    assert news(client, 3) == {"html": "", "gone": [], "last": 3, "more": False, "unread": 3}


def test_many_news_come_in_parts_without_a_gap(browse: Browse, owner: User, tell: Tell) -> None:
    everything = [tell(owner) for _ in range(PAGE_SIZE + 3)]
    client, after, seen, more = browse(owner), 0, [], True
    while more:
        answer = news(client, after)
        seen = re.findall(r'id="notice-([0-9a-f-]{36})"', answer["html"]) + seen
        after, more = answer["last"], answer["more"]
    assert seen == ids(*reversed(everything))


@pytest.mark.parametrize("after", ["", "x", "-1", "9" * 30, "²", "0" * 5000])
def test_news_take_a_number(browse: Browse, owner: User, after: str) -> None:
    assert browse(owner).get("/inbox/news/", {"after": after}).status_code == 400


def test_news_tell_a_script_when_nobody_is_logged_in_any_more(db: None, browse: Browse) -> None:
    assert browse().get("/inbox/news/", {"after": 0}).status_code == 401


# --- Snoozing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_what_is_snoozed_is_under_its_tab_alone_and_can_be_taken_back(
    browse: Browse, owner: User, tell: Tell, headers: dict[str, str]
) -> None:
    item, other, client = tell(owner), tell(owner), browse(owner)
    answer = client.post(f"/inbox/{item.pk}/snooze/", {"until": "hour"}, headers=headers)
    page = (answer if headers else client.get("/inbox/")).content.decode()
    assert "Snoozed until " in page
    if headers:
        assert json.loads(answer["HX-Trigger"]) == {"unread": 1}
    assert shown(client.get("/inbox/")) == ids(other)
    assert shown(client.get("/inbox/?show=snoozed")) == ids(item)
    assert f'action="/inbox/{item.pk}/restore/"' in page
    client.post(f"/inbox/{item.pk}/restore/")
    assert shown(client.get("/inbox/")) == ids(other, item)
    assert "Nothing is snoozed." in client.get("/inbox/?show=snoozed").content.decode()


@pytest.mark.parametrize(
    ("until", "days", "clock"), [("tomorrow", 1, (8, 0)), ("monday", 7, (8, 0)), ("hour", 0, None)]
)
def test_it_is_snoozed_by_the_clocks_of_its_person(
    browse: Browse, owner: User, tell: Tell, until: str, days: int, clock: tuple[int, int] | None
) -> None:
    User.objects.filter(pk=owner.pk).update(time_zone="Asia/Tokyo")
    item, before = tell(owner), timezone.now()
    browse(owner).post(f"/inbox/{item.pk}/snooze/", {"until": until})
    item.refresh_from_db()
    assert item.snoozed_until
    if clock is None:
        assert timedelta(hours=1) <= item.snoozed_until - before < timedelta(hours=1, minutes=1)
        return
    there, today = (
        item.snoozed_until.astimezone(ZoneInfo("Asia/Tokyo")),
        before.astimezone(ZoneInfo("Asia/Tokyo")),
    )
    assert (there.hour, there.minute) == clock
    assert timedelta() < item.snoozed_until - before
    assert (there.date() - today.date()).days <= days
    assert until != "monday" or there.weekday() == 0


@pytest.mark.parametrize("until", ["", "never", "2026-12-01T08:00:00Z"])
def test_it_is_snoozed_until_nothing_else(browse: Browse, owner: User, tell: Tell, until: str) -> None:
    item, client = tell(owner), browse(owner)
    assert client.post(f"/inbox/{item.pk}/snooze/", {"until": until}).status_code == 400
    assert shown(client.get("/inbox/")) == ids(item)


def test_what_comes_back_is_news_and_says_that_it_was_snoozed(
    browse: Browse, owner: User, tell: Tell
) -> None:
    item, client = tell(owner, read_at=timezone.now()), browse(owner)
    tell(owner)
    client.post(f"/inbox/{item.pk}/snooze/", {"until": "hour"})
    assert news(client, 2)["html"] == ""
    snoozing.items_wake(timezone.now() + timedelta(hours=2))
    answer = news(client, 2)
    assert re.findall(r'id="notice-([0-9a-f-]{36})" data-number="(\d+)"', answer["html"]) == [
        (str(item.pk), "3")
    ]
    assert "Snoozed until " in answer["html"]
    assert (answer["last"], answer["unread"], answer["gone"]) == (3, 2, [])
    # Where it was shown among what is snoozed, it is no more.
    narrowed = client.get("/inbox/news/", {"after": 2, "show": "snoozed"}).json()
    assert (narrowed["html"], narrowed["gone"]) == ("", ids(item))


def test_what_is_snoozed_is_brought_back_early_and_stays_where_it_is_if_it_is_back(
    browse: Browse, owner: User, tell: Tell
) -> None:
    item, client = tell(owner), browse(owner)
    tell(owner)
    client.post(f"/inbox/{item.pk}/snooze/", {"until": "monday"})
    for _ in range(2):
        answer = client.post(f"/inbox/{item.pk}/wake/", {"show": "snoozed"})
        assert answer["Location"] == "/inbox/?show=snoozed"
        item.refresh_from_db()
        assert item.number == 3
    assert shown(client.get("/inbox/"))[0] == str(item.pk)


def test_among_what_is_snoozed_one_searches_too(browse: Browse, owner: User, tell: Tell) -> None:
    tea, fire, client = tell(owner, title="Tea"), tell(owner, title="Fire"), browse(owner)
    for item in (tea, fire):
        client.post(f"/inbox/{item.pk}/snooze/", {"until": "hour"})
    assert shown(client.get("/inbox/?show=snoozed&q=fire")) == ids(fire)
    assert "Nothing like that is snoozed." in client.get("/inbox/?show=snoozed&q=ice").content.decode()


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_too_many_are_not_snoozed(
    browse: Browse, owner: User, tell: Tell, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snoozing, "MOST_SNOOZED", 0)
    item, client = tell(owner), browse(owner)
    answer = client.post(f"/inbox/{item.pk}/snooze/", {"until": "hour", "q": "a"}, headers=headers)
    assert (answer["HX-Redirect"] if headers else answer["Location"]) == "/inbox/?q=a"
    page = client.get("/inbox/")
    assert "You can snooze 0 messages at a time." in page.content.decode()
    assert shown(page) == ids(item)


LIST: Final = {"show": "critical", "q": "tea & c"}


def test_each_form_of_an_item_brings_along_which_list_it_is_in(
    browse: Browse, owner: User, tell: Tell
) -> None:
    item, client = tell(owner, title="Tea & cake", severity="critical"), browse(owner)
    page = client.get("/inbox/", LIST).content.decode()
    arrived = client.get("/inbox/news/", {"after": 0, **LIST}).json()["html"]
    changed = client.post(f"/inbox/{item.pk}/read/", LIST, headers=HTMX).content.decode()
    for html, toggle in ((page, "read"), (arrived, "read"), (changed, "unread")):
        for what in (toggle, "delete", "snooze"):
            assert fields_of(html, f"/inbox/{item.pk}/{what}/") == LIST
    snoozing.item_snooze(user=owner, item=item, until=timezone.now() + timedelta(hours=1))
    snoozed = client.get("/inbox/?show=snoozed&q=tea").content.decode()
    assert fields_of(snoozed, f"/inbox/{item.pk}/wake/") == {"show": "snoozed", "q": "tea"}


@pytest.mark.parametrize("what", ["read", "unread", "delete", "snooze", "restore", "wake"])
def test_without_scripts_one_is_led_back_to_that_list(
    browse: Browse, owner: User, tell: Tell, what: str
) -> None:
    item, client = tell(owner), browse(owner)
    if what in ("restore", "wake"):
        snoozing.item_snooze(user=owner, item=item, until=timezone.now() + timedelta(hours=1))
    answer = client.post(f"/inbox/{item.pk}/{what}/", LIST | {"until": "hour"})
    assert answer["Location"] == f"/inbox/?{urlencode(LIST)}"


def fields_of(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the form that leads somewhere."""
    (form,) = re.findall(rf'action="{action}".*?</form>', page, re.DOTALL)
    found = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
    return {name: unescape(value) for name, value in found.items() if name != "csrfmiddlewaretoken"}


# --- Strangers ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("what", ["read", "unread", "delete", "snooze", "wake"])
@pytest.mark.parametrize("who", ["stranger", "operator"])
def test_nobody_else_changes_an_item(
    request: pytest.FixtureRequest, browse: Browse, owner: User, tell: Tell, what: str, who: str
) -> None:
    item = tell(owner, read_at=timezone.now() if what == "unread" else None)
    before = InboxItem.objects.filter(pk=item.pk).values().get()
    client = browse(request.getfixturevalue(who))
    assert client.post(f"/inbox/{item.pk}/{what}/", {"until": "hour"}).status_code == 404
    assert client.post(f"/inbox/{uuid4()}/{what}/", {"until": "hour"}).status_code == 404
    assert InboxItem.objects.filter(pk=item.pk).values().get() == before


@pytest.mark.parametrize("who", ["stranger", "operator"])
def test_nobody_sees_or_marks_the_inbox_of_another(
    request: pytest.FixtureRequest, browse: Browse, owner: User, tell: Tell, who: str
) -> None:
    item = tell(owner, title="For the owner")
    client = browse(request.getfixturevalue(who))
    assert shown(client.get("/inbox/")) == []
    assert news(client, 0)["html"] == ""
    assert news(client, 0)["unread"] == 0
    client.post("/inbox/read/", {"up_to": "99"})
    item.refresh_from_db()
    assert item.read_at is None


def test_htmx_is_sent_to_the_log_in_as_a_whole_page(owner: User, browse: Browse, tell: Tell) -> None:
    item = tell(owner)
    response = browse().post(f"/inbox/{item.pk}/read/", headers=HTMX)
    assert response["HX-Redirect"] == "/login/"
    assert response.content == b""


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_what_was_deleted_can_be_brought_back(
    browse: Browse, owner: User, stranger: User, tell: Tell, headers: dict[str, str]
) -> None:
    item, client = tell(owner), browse(owner)
    answer = client.post(f"/inbox/{item.pk}/delete/", headers=headers)
    page = (answer if headers else client.get("/inbox/")).content.decode()
    assert f'action="/inbox/{item.pk}/restore/"' in page
    assert browse(stranger).post(f"/inbox/{item.pk}/restore/").status_code == 404
    assert client.post(f"/inbox/{item.pk}/restore/")["Location"] == "/inbox/"
    assert shown(client.get("/inbox/")) == ids(item)


def test_what_was_deleted_long_ago_stays_deleted(browse: Browse, owner: User, tell: Tell) -> None:
    item, client = tell(owner, dismissed_at=timezone.now() - timedelta(minutes=11)), browse(owner)
    client.post(f"/inbox/{item.pk}/restore/")
    page = client.get("/inbox/")
    assert shown(page) == []
    assert "It is too late" in page.content.decode()


def unread(*items: InboxItem) -> list[bool]:
    return [InboxItem.objects.get(pk=each.pk).read_at is None for each in items]


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "htmx"])
def test_marking_all_read_can_be_undone_but_for_what_was_read_before(
    browse: Browse, owner: User, tell: Tell, headers: dict[str, str]
) -> None:
    before, first, second = tell(owner, read_at=timezone.now()), tell(owner), tell(owner)
    browser = browse(owner)
    said = browser.post("/inbox/read/", {"up_to": "3", "show": "unread"}, headers=headers, follow=True)
    page = said.content.decode()
    assert "All are marked read." in page
    assert unread(before, first, second) == [False, False, False]
    undo = re.search(r'action="(/inbox/read/\d+/undo/)"', page)
    assert undo
    assert browser.post(undo[1], {"show": "unread"})["Location"] == "/inbox/?show=unread"
    assert unread(before, first, second) == [False, True, True]


@pytest.mark.parametrize("at", [1, 10**18, 10**30], ids=["long ago", "to come", "never"])
def test_marking_all_read_long_ago_is_not_undone(browse: Browse, owner: User, tell: Tell, at: int) -> None:
    item = tell(owner, read_at=EPOCH + timedelta(microseconds=1))
    browse(owner).post(f"/inbox/read/{at}/undo/")
    assert unread(item) == [False]


def test_nobody_undoes_for_another(browse: Browse, owner: User, stranger: User, tell: Tell) -> None:
    now = timezone.now()
    item = tell(owner, read_at=now)
    at = (now - EPOCH) // timedelta(microseconds=1)
    browse(stranger).post(f"/inbox/read/{at}/undo/")
    assert unread(item) == [False]
    browse(owner).post(f"/inbox/read/{at}/undo/")
    assert unread(item) == [True]


def test_what_says_the_same_again_is_folded(browse: Browse, owner: User, tell: Tell) -> None:
    rounds = [tell(owner, title="Oven hot") for _ in range(4)]
    other = tell(owner, title="Door open")
    page = browse(owner).get("/inbox/").content.decode()
    folded = page[page.index("<details>\n        <summary") : page.index("</ol>")]
    assert "3 more like this" in folded
    assert shown_in(page) == ids(other, *reversed(rounds))
    assert shown_in(folded) == ids(*reversed(rounds[:3]))


def test_what_differs_in_its_text_is_not_folded(browse: Browse, owner: User, tell: Tell) -> None:
    for internship in ("one", "two", "three"):
        tell(owner, title="Accepted", body=internship)
    assert "like this" not in browse(owner).get("/inbox/").content.decode()


def test_two_alike_and_those_that_are_read_are_shown_apart(browse: Browse, owner: User, tell: Tell) -> None:
    for read_at in (None, None, timezone.now(), timezone.now()):
        tell(owner, title="Oven hot", read_at=read_at)
    assert "like this" not in browse(owner).get("/inbox/").content.decode()
