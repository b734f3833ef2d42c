"""The page of an inbox narrowed: by tabs and a text that stand in its address, also in what arrives."""

import random
import re
from collections.abc import Callable
from itertools import product
from typing import Any, Final

import pytest
from django.test import Client

from accounts.models import User
from notifications.inbox import pages, selectors
from notifications.inbox.items import item_of
from notifications.models import InboxItem
from notifications.web.tabs import Narrowed
from tests.notifications.inbox.conftest import item_make

Browse = Callable[..., Client]
PATH = "/inbox/"


def told(user: User, title: str, **fields: Any) -> Any:
    words = {name: fields.pop(name) for name in ("kind", "severity", "body", "texts") if name in fields}
    return item_make(user, told={"title": title, **words}, **fields)


def titles(client: Client, query: str = "", **headers: str) -> list[str]:
    shown = client.get(f"{PATH}?{query}", headers=headers)
    assert shown.status_code == 200
    return re.findall(r"<span\s*(?:lang=\"\w+\")?>([^<]+)</span>\s*</h2>", shown.content.decode())


@pytest.fixture
def client(browse: Browse, owner: User, teammate: User) -> Client:
    told(owner, "Theft", kind="alert", severity="critical", body="At North Street")
    told(owner, "Round 1", kind="dating.link", severity="standard", body="You talk with Bo")
    told(owner, "It was fun", kind="dating.finished", severity="standard", read_at="2026-01-01T00:00:00Z")
    told(owner, "Dated", kind="datingly", severity="standard")
    told(teammate, "Theft of theirs", kind="alert", severity="critical")
    return browse(owner)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["Dated", "Round 1", "Theft", "It was fun"]),
        ("show=unread", ["Dated", "Round 1", "Theft"]),
        ("show=critical", ["Theft"]),
        ("show=dating", ["Round 1", "It was fun"]),
        ("show=alert", ["Theft"]),
        ("show=nothing", []),
        ("q=theft", ["Theft"]),
        ("q=NORTH", ["Theft"]),
        ("q=fun&show=dating", ["It was fun"]),
        ("q=fun&show=critical", []),
        ("q=%25", []),
        ("q=%00&show=%00", ["Dated", "Round 1", "Theft", "It was fun"]),
    ],
)
def test_a_tab_and_a_text_narrow_the_list(client: Client, query: str, expected: list[str]) -> None:
    assert titles(client, query) == expected


def test_a_text_is_found_in_the_readers_own_language(browse: Browse, owner: User) -> None:
    told(owner, "Accepted", texts={"fr": {"": ["Accepté", "Félicitations"]}}, language="fr")
    assert titles(browse(owner), "q=f%C3%A9licit") == ["Accepté"]


def test_a_text_of_another_language_is_not_found_nor_how_texts_are_stored(
    browse: Browse, owner: User
) -> None:
    told(owner, "Accepted", texts={"fr": {"": ["Accepté", "Deux\nlignes"], "inbox": ["Reçu", ""]}})
    told(owner, "Other", texts={"fr": {"inbox": ["Chose", "", ""]}}, language="fr")
    client = browse(owner)
    assert titles(client, "q=accepted") == ["Accepted"]
    for text in ("accept%C3%A9", "inbox", "re%C3%A7u", "%22", "other"):
        assert titles(client, f"q={text}") == [], text


WORDS: Final = ("fire", "Été", "a%b", "x_y", "\\", '"', "{", "nothing")


def texts_by_chance(chance: random.Random) -> dict[str, dict[str, list[str]]]:
    return {
        language: {
            channel: [chance.choice(WORDS), chance.choice(WORDS)]
            for channel in chance.sample(["", "inbox", "email"], chance.randint(0, 3))
        }
        for language in chance.sample(["en", "fr", "ru"], chance.randint(0, 3))
    }


@pytest.mark.parametrize("seed", range(3))
def test_what_the_list_shows_is_what_would_join_it_and_what_is_read_there(owner: User, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(40):
        told(
            owner, chance.choice(WORDS), body=chance.choice(WORDS), texts=texts_by_chance(chance),
            kind=chance.choice(["alert", "dating.link", "datingly"]),
            language=chance.choice(["en", "fr", "de"]), severity=chance.choice(["critical", "standard"]),
            read_at=chance.choice([None, "2026-01-01T00:00:00Z"]),
        )  # fmt: skip
    everything = list(selectors.inbox_of(owner))
    for show, text in product(("", "unread", "critical", "alert", "dating"), ("", *WORDS)):
        narrowed = Narrowed(show, text)
        listed = {each.pk for each in pages.page(narrowed.wanted(owner), cursor=None, size=100).items}
        assert {each.pk for each in narrowed.matching(everything, person=owner)} == listed, narrowed
        if not show:
            read = {each.pk for each in everything if text.lower() in seen(each)}
            assert read == listed, text


def seen(item: InboxItem) -> str:
    shown = item_of(item, time_zone="UTC")
    return f"{shown['title']} {shown['body']}".lower()


@pytest.mark.parametrize("text", ["100%", "a_b", "c\\d", "it's"])
def test_what_a_pattern_would_take_for_something_else_is_a_letter(
    browse: Browse, owner: User, text: str
) -> None:
    told(owner, f"x {text} y")
    told(owner, "x 1000 axb cd its y")
    found = browse(owner).get(PATH, {"q": text}).content.decode()
    assert len(re.findall('class="notice ', found)) == 1


def test_the_tabs_are_what_one_is_told_of_and_keep_the_text(client: Client) -> None:
    page = client.get(f"{PATH}?q=fun&show=dating").content.decode()
    nav = re.search(r'aria-label="Which messages">(.*?)</nav>', page, re.DOTALL)
    assert nav
    links = re.findall(r'<a href="([^"]+)"\s*(aria-current="page")?\s*>([^<]+)</a>', nav[1])
    assert [(label, bool(here)) for _, here, label in links] == [
        ("All", False), ("Unread", False), ("Critical", False), ("Alerts", False), ("Dating", True),
        ("Datingly", False), ("Snoozed", False),
    ]  # fmt: skip
    assert all("q=fun" in address for address, _, _ in links)


def test_older_ones_are_of_the_same_tab(browse: Browse, owner: User) -> None:
    for number in range(25):
        told(owner, f"Round {number}", kind="dating.link")
        told(owner, f"Theft {number}", kind="alert")
    client, seen, query = browse(owner), [], "show=dating"
    while True:
        seen += titles(client, query)
        found = re.findall(
            r'id="load-older" href="/inbox/\?([^"]+)"', client.get(f"{PATH}?{query}").content.decode()
        )
        if not found:
            break
        query = found[0].replace("&amp;", "&")
    assert seen == [f"Round {number}" for number in reversed(range(25))]


def test_what_arrives_joins_the_list_only_if_it_belongs_there_and_is_counted_all_the_same(
    client: Client, owner: User
) -> None:
    page = client.get(f"{PATH}?show=critical").content.decode()
    (news,) = re.findall(r'data-news="([^"]+)"', page)
    after = re.findall(r'data-last="(\d+)"', page)[0]
    told(owner, "Fire", severity="critical")
    told(owner, "Tea", severity="standard")
    answer = client.get(f"{news.replace('&amp;', '&')}after={after}").json()
    assert "Fire" in answer["html"]
    assert "Tea" not in answer["html"]
    assert (answer["unread"], answer["last"]) == (5, int(after) + 2)


def test_what_is_rare_is_looked_for_among_the_newest_alone(
    browse: Browse, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(owner, "Rare")
    for number in range(3):
        told(owner, f"Usual {number}")
    monkeypatch.setattr(pages, "LOOKED_THROUGH", 3)
    page = browse(owner).get(PATH, {"q": "rare"}).content.decode()
    assert "Nothing like that among your 3 newest messages." in page
    monkeypatch.setattr(pages, "LOOKED_THROUGH", 4)
    assert titles(browse(owner), "q=rare") == ["Rare"]
