"""The built-in room: who may come in, what is passed on, who counts as having come, and how a call ends."""

import base64
import hashlib
import hmac
import html
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from django.core.checks import run_checks
from django.db import connections
from django.test import Client
from django.utils import timezone

from accounts.models import User
from config.handler import Handler
from config.lifespan import Lifespan
from dating import services
from dating.links import join_token
from dating.models import Date, Event, Room, Round, Seat, Step
from dating.rooms import hubs, signals
from notifications import queue
from tests.dating.cast import person
from tests.dating.test_pages import NAVIGATES, evening, part_of, said, to
from tests.notifications.inbox.listening import Listening
from tests.servers.web import served

# On a machine with other things to do; it takes milliseconds on one without.
PATIENCE_S = 20.0
HERE = {"page": "p1", "kind": "here", "number": "1", "text": ""}


def path_of(event: Event, user: User, number: int = 1) -> str:
    seat = Seat.objects.get(round__event=event, round__number=number, registration__user=user)
    return f"/dating/room/{join_token(seat.round_id, seat.registration_id, user.links_version)}/"


def join_path(event: Event, user: User) -> str:
    return path_of(event, user).replace("/room/", "/join/")


def partner_of(event: Event, user: User) -> User:
    seat = Seat.objects.get(round__event=event, round__number=1, registration__user=user)
    return User.objects.get(dating_registrations__seats__in=seat.date.seats.exclude(pk=seat.pk))


@pytest.fixture
def two(transactional_db: None) -> tuple[Event, User, User]:
    """An evening in its first round, and the two who have a date."""
    ana, bo = person("Ana"), person("Bo")
    return evening(Step.ROUND, [ana, bo]), ana, bo


@pytest.fixture
def port(transactional_db: None) -> Iterator[int]:
    """The real application on the real server, in a thread."""
    application = Lifespan(
        Handler(), on_starting=lambda: None, on_stopping=hubs.end_all, on_stopped=hubs.stop
    )
    with served(application, before_end=hubs.end_all) as port:
        yield port


Enter = Callable[..., Listening]


@pytest.fixture
def enter(port: int) -> Iterator[Enter]:
    """Have a page in a room, by its stream; all leave with the test."""
    with ExitStack() as opened:

        def begin(path: str, page: str = "p1") -> Listening:
            stream = Listening(port, {}, path=path, query=f"?page={page}")
            return opened.enter_context(stream).wait_until_open()

        yield begin


def heard(stream: Listening) -> list[tuple[str, str]]:
    signals = [event.data for event in list(stream.events) if event.name == "signal"]
    return [(each["kind"], each["text"]) for each in signals]


def ends(stream: Listening) -> list[str]:
    return [event.data["why"] for event in list(stream.events) if event.name == "end"]


class TestSignals:
    @pytest.mark.slow
    def test_what_one_says_reaches_the_partner_and_nobody_else(
        self, enter: Enter, client: Client, transactional_db: None
    ) -> None:
        people = [person(name) for name in ("Ana", "Bo", "Cy", "Di")]
        event = evening(Step.ROUND, people)
        streams = {user: enter(f"{path_of(event, user)}signals/") for user in people}
        offer = {"page": "p1", "kind": "offer", "number": "7", "text": '{"sdp": "\r\n\u2028data: x"}'}
        assert client.post(f"{path_of(event, people[0])}signals/", offer).status_code == 204
        partner = partner_of(event, people[0])
        streams[partner].wait_for(lambda: bool(heard(streams[partner])), PATIENCE_S)
        assert heard(streams[partner]) == [("offer", offer["text"])]
        # What is passed on later has come by then, in whatever order the others are served.
        assert client.post(f"{path_of(event, partner)}signals/", HERE).status_code == 204
        streams[people[0]].wait_for(lambda: bool(heard(streams[people[0]])), PATIENCE_S)
        others = [streams[user] for user in people if user not in (people[0], partner)]
        assert [heard(each) for each in others] == [[], []]

    @pytest.mark.slow
    def test_what_another_version_says_ends_nobodys_stream(
        self, enter: Enter, client: Client, two: tuple[Event, User, User]
    ) -> None:
        event, ana, bo = two
        stream = enter(f"{path_of(event, bo)}signals/")
        to = str(Seat.objects.get(registration__user=bo).pk)
        for odd in ({"to": to}, {"to": 7}, {"to": to, "signal": [7]}, [7], 7, None):
            queue.redis().publish(queue.channel(signals.CHANNEL), orjson.dumps(odd))
        queue.redis().publish(queue.channel(signals.CHANNEL), b"{")
        assert client.post(f"{path_of(event, ana)}signals/", HERE).status_code == 204
        stream.wait_for(lambda: bool(heard(stream)), PATIENCE_S)
        assert heard(stream) == [("here", "")]

    @pytest.mark.slow
    def test_twenty_pairs_find_each_other_at_once(self, enter: Enter, transactional_db: None) -> None:
        people = [person(f"P{number:02}") for number in range(40)]
        event = evening(Step.ROUND, people, users_limit=40, max_rounds=1)
        paths = {user: f"{path_of(event, user)}signals/" for user in people}
        partners = {user: partner_of(event, user) for user in people}

        def say(user: User) -> int:
            try:
                return Client().post(paths[user], HERE | {"text": user.first_name}).status_code
            finally:
                connections.close_all()  # those of this thread

        with ThreadPoolExecutor(8) as pool:
            opened = pool.map(lambda user: enter(paths[user]), people)
            streams = dict(zip(people, opened, strict=True))
            assert set(pool.map(say, people)) == {204}
        for user, stream in streams.items():
            stream.wait_for(lambda stream=stream: bool(heard(stream)), PATIENCE_S)
            assert heard(stream) == [("here", partners[user].first_name)]
        assert Seat.objects.filter(joined_at__isnull=False).count() == 40

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("changes", "word"),
        [
            ({"kind": "shout"}, "kind"),
            ({"kind": ""}, "kind"),
            ({"page": ""}, "page"),
            ({"page": "p" * 65}, "page"),
            ({"number": "-1"}, "number"),
            ({"number": "1" * 5000}, "number"),
            ({"number": "²"}, "number"),
            ({"text": "x" * (signals.TEXT_MOST + 1)}, "text"),
        ],
    )
    def test_what_no_page_of_ours_says_is_refused(
        self, client: Client, two: tuple[Event, User, User], changes: dict[str, str], word: str
    ) -> None:
        event, ana, _ = two
        response = client.post(f"{path_of(event, ana)}signals/", HERE | changes)
        assert response.status_code == 400
        assert response.content.decode().startswith(f"{word}: expected")

    @pytest.mark.slow
    def test_who_says_too_much_is_asked_to_wait(
        self, client: Client, two: tuple[Event, User, User], settings: Any
    ) -> None:
        settings.RATES = settings.RATES | {"room-signal": "3/min"}
        event, ana, bo = two
        path = f"{path_of(event, ana)}signals/"
        assert [client.post(path, HERE).status_code for _ in range(4)] == [204, 204, 204, 429]
        assert 0 < int(client.post(path, HERE)["Retry-After"]) <= 60
        assert client.get(path, {"page": "p"}).status_code == 429
        # The partner has a measure of their own.
        assert client.post(f"{path_of(event, bo)}signals/", HERE).status_code == 204

    @pytest.mark.slow
    def test_a_second_page_takes_the_place_of_the_first(
        self, enter: Enter, client: Client, two: tuple[Event, User, User]
    ) -> None:
        event, ana, bo = two
        path = f"{path_of(event, ana)}signals/"
        first, second = enter(path, "p1"), enter(path, "p2")
        first.wait_until_ended()
        assert (ends(first), first.is_whole) == (["moved"], True)
        client.post(f"{path_of(event, bo)}signals/", HERE)
        second.wait_for(lambda: bool(heard(second)), PATIENCE_S)
        assert not second.has_ended


class TestComingIn:
    @pytest.mark.slow
    def test_following_the_link_is_a_sign_and_being_in_the_room_is_coming(
        self, client: Client, two: tuple[Event, User, User]
    ) -> None:
        event, ana, bo = two
        for user in (ana, bo):
            response = client.get(join_path(event, user), headers=NAVIGATES)
            assert urlsplit(response["Location"]).path == path_of(event, user)
            assert client.get(response["Location"]).status_code == 200
        assert not Seat.objects.filter(joined_at__isnull=False).exists()
        client.get(f"{path_of(event, ana)}signals/", {"page": "p1"})
        (seat,) = Seat.objects.filter(joined_at__isnull=False)
        assert seat.registration == part_of(ana, event)
        event.refresh_from_db()
        to(event, event.deadline_at)
        assert [part_of(user, event).no_shows for user in (ana, bo)] == [0, 1]
        assert Date.objects.get().status == Date.Status.NO_SHOW

    @pytest.mark.slow
    def test_the_page_says_whom_one_meets_and_keeps_to_the_policy_of_pages(
        self, client: Client, two: tuple[Event, User, User]
    ) -> None:
        event, ana, _ = two
        response = client.get(path_of(event, ana))
        assert "Round 1: you meet Bo" in said(response)
        assert "script-src 'self'" in response["Content-Security-Policy"]
        scripts = re.findall(r"<script\b[^>]*>", response.content.decode())
        assert len(scripts) == 3
        assert all(" src=" in each for each in scripts)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "what", ["later", "ended", "dropped", "partner dropped", "locked out", "renewed"]
    )
    def test_nobody_comes_in_but_the_two_while_the_call_is_on(
        self, client: Client, two: tuple[Event, User, User], what: str
    ) -> None:
        event, ana, bo = two
        path = path_of(event, ana)
        if what == "later":
            soon = timezone.now() + timedelta(minutes=1)
            Round.objects.update(starts_at=soon, ends_at=soon + timedelta(minutes=1))
        elif what == "ended":
            event.refresh_from_db()
            to(event, event.deadline_at)
        elif what == "locked out":
            User.objects.filter(pk=ana.pk).update(is_active=False)
        elif what == "renewed":
            User.objects.filter(pk=ana.pk).update(links_version=1)
        else:
            gone = part_of(ana if what == "dropped" else bo, event)
            services.event_drop(event=event, registration_id=gone.pk, now=timezone.now())
        status = 404 if what in ("locked out", "renewed") else 409
        assert client.get(path).status_code == status
        assert client.post(f"{path}signals/", HERE).status_code == status
        stream = client.get(f"{path}signals/", {"page": "p1"})
        assert stream.status_code == (404 if status == 404 else 200)
        assert status == 404 or b'{"why":"over"}' in stream.content
        assert not Seat.objects.filter(joined_at__isnull=False).exists()

    @pytest.mark.slow
    def test_a_forged_link_and_a_room_elsewhere_lead_nowhere(
        self, client: Client, two: tuple[Event, User, User]
    ) -> None:
        event, ana, _ = two
        path = path_of(event, ana)
        forged = path[:-2] + ("0/" if path[-2] != "0" else "1/")
        assert [client.get(each).status_code for each in (forged, "/dating/room/x/")] == [404, 404]
        Room.objects.update(provider="jitsi")
        assert client.get(path).status_code == 409


class TestTheEnd:
    @pytest.mark.slow
    def test_the_server_ends_the_call_for_both_when_the_round_is_over(
        self, enter: Enter, two: tuple[Event, User, User]
    ) -> None:
        event, *people = two
        streams = [enter(f"{path_of(event, user)}signals/") for user in people]
        ends_at = timezone.now() + timedelta(seconds=2)
        Round.objects.update(ends_at=ends_at)
        for stream in streams:
            stream.wait_for(lambda stream=stream: bool(ends(stream)), PATIENCE_S)
        late = timezone.now() - ends_at
        assert timedelta() <= late < timedelta(seconds=5), late  # a tenth of a second, left alone
        for stream in streams:
            stream.wait_until_ended()
            assert (ends(stream), stream.is_whole) == (["over"], True)

    @pytest.mark.slow
    def test_a_longer_round_and_a_pause_are_told_and_the_call_goes_on(
        self, enter: Enter, client: Client, two: tuple[Event, User, User]
    ) -> None:
        event, ana, _ = two
        stream = enter(f"{path_of(event, ana)}signals/")

        def until() -> float | None:
            last: float | None = [each.data["until"] for each in list(stream.events) if each.name == "until"][
                -1
            ]
            return last

        before = until()
        assert before
        services.event_extend_round(event=event, by=timedelta(minutes=5), now=timezone.now())
        stream.wait_for(lambda: until() == pytest.approx(before + 300), PATIENCE_S)
        services.event_pause(event=event, now=timezone.now())
        stream.wait_for(lambda: until() is None, PATIENCE_S)
        # However long the pause: whoever lost the connection gets back in.
        Round.objects.update(ends_at=timezone.now() - timedelta(minutes=1))
        assert client.get(join_path(event, ana), headers=NAVIGATES).status_code == 302
        assert client.get(path_of(event, ana)).status_code == 200
        services.event_resume(event=event, now=timezone.now())
        stream.wait_for(lambda: until() is not None, PATIENCE_S)
        assert ends(stream) == []

    @pytest.mark.slow
    def test_dropping_one_ends_the_call_for_both(self, enter: Enter, two: tuple[Event, User, User]) -> None:
        event, ana, bo = two
        streams = [enter(f"{path_of(event, user)}signals/") for user in (ana, bo)]
        services.event_drop(event=event, registration_id=part_of(bo, event).pk, now=timezone.now())
        for stream in streams:
            stream.wait_until_ended()
            assert ends(stream) == ["over"]


class TestWaysThroughTheNetwork:
    def connection(self, client: Client, event: Event, user: User) -> dict[str, Any]:
        page = client.get(path_of(event, user)).content.decode()
        found = re.search(r'data-connection="([^"]*)"', page)
        assert found
        content: dict[str, Any] = json.loads(html.unescape(found[1]))
        return content

    @pytest.mark.slow
    def test_credentials_for_turn_are_ones_own_and_end_after_the_call(
        self, client: Client, two: tuple[Event, User, User], settings: Any
    ) -> None:
        settings.ROOM_STUN_URLS, settings.ROOM_TURN_URLS = ["stun:s.example"], ["turn:t.example:3478"]
        settings.ROOM_TURN_SECRET = "north"
        event, ana, bo = two
        stun, turn = self.connection(client, event, ana)["iceServers"]
        assert stun == {"urls": ["stun:s.example"]}
        expires_at, _, who = turn["username"].partition(":")
        ends_at = Round.objects.get(number=1).ends_at
        assert ends_at
        assert int(expires_at) == int((ends_at + timedelta(hours=1)).timestamp())
        digest = hmac.new(b"north", turn["username"].encode(), hashlib.sha1).digest()
        assert turn["credential"] == base64.b64encode(digest).decode()
        other = self.connection(client, event, bo)["iceServers"][1]
        assert who
        assert other["username"] != turn["username"]

    @pytest.mark.slow
    def test_all_can_be_made_to_go_through_turn(
        self, client: Client, two: tuple[Event, User, User], settings: Any
    ) -> None:
        event, ana, _ = two
        assert self.connection(client, event, ana)["iceTransportPolicy"] == "all"
        settings.ROOM_TURN_URLS, settings.ROOM_TURN_SECRET = ["turn:t.example"], "north"
        settings.ROOM_RELAY_ONLY = True
        assert self.connection(client, event, ana)["iceTransportPolicy"] == "relay"

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("wrong", "fault"),
        [
            ({"ROOM_STUN_URLS": ["https://s.example"]}, "dating.E001"),
            ({"ROOM_TURN_URLS": ["stun:s.example"], "ROOM_TURN_SECRET": "x"}, "dating.E002"),
            ({"ROOM_TURN_URLS": ["turn:t.example"]}, "dating.E003"),
            ({"ROOM_TURN_SECRET": "x"}, "dating.E003"),
            ({"ROOM_RELAY_ONLY": True}, "dating.E004"),
            ({"DATING_BOT_TIME_ZONE": "Moscow"}, "dating.E005"),
            ({"JITSI_BASE_URL": "https://meet.jit.si/"}, "dating.W001"),
            ({}, None),
        ],
    )
    def test_settings_that_cannot_work_are_named(
        self, settings: Any, wrong: dict[str, Any], fault: str | None
    ) -> None:
        for name, value in wrong.items():
            setattr(settings, name, value)
        found = [each.id for each in run_checks() if (each.id or "").startswith("dating.")]
        assert found == ([fault] if fault else [])
