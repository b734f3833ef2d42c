"""Where pairs meet: rooms of Jitsi, and of Google Meet by Google's own client against a local server."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from django.core.exceptions import ImproperlyConfigured
from redis import Redis

from dating.meetings import (
    PROVIDERS,
    Guest,
    MeetingRefused,
    MeetingUnavailable,
    Provider,
    RoomInfo,
    is_offered,
    offered,
    provider,
)
from dating.meetings.google_meet import GoogleMeet
from dating.meetings.jitsi import Jitsi
from tests.servers.meet import Meet

UNTIL = datetime(2026, 5, 8, 20, 5, tzinfo=UTC)


def provider_named(name: str) -> Provider:
    return provider(name)


class TestJitsi:
    @pytest.fixture(autouse=True)
    def ones_own(self, settings: Any) -> None:
        settings.JITSI_BASE_URL = "https://jitsi.example.com"

    def test_the_same_key_gives_the_same_room_and_another_key_another(self) -> None:
        first, again, other = (
            Jitsi().create_room(key=key, title="An evening")
            for key in ("event 1 room 1", "event 1 room 1", "b")
        )
        assert first == again
        assert first.url != other.url
        assert first.url.startswith("https://jitsi.example.com/tocsin-")

    def test_the_name_can_be_guessed_only_with_the_secret_key(self, settings: Any) -> None:
        room = Jitsi().create_room(key="event 1 room 1", title="An evening")
        settings.SECRET_KEY = "another"
        assert Jitsi().create_room(key="event 1 room 1", title="An evening").url != room.url
        assert len(room.reference.removeprefix("tocsin-")) * 4 == 128  # bits

    def test_each_call_in_a_room_has_an_address_of_its_own(self) -> None:
        room = Jitsi().create_room(key="room", title="An evening")
        links = [Jitsi().link(room, call=call, until=UNTIL) for call in ("1", "1", "2")]
        assert links[0] == links[1]
        assert len({room.url, *links}) == 3
        assert {urlsplit(link).fragment for link in links} == {"config.subject=%22An%20evening%22"}

    def test_without_an_account_no_token_is_made(self) -> None:
        room = Jitsi().create_room(key="room", title="An evening")
        assert "jwt" not in Jitsi().link(room, call="1", guest=Guest("a", "Ana"), until=UNTIL)

    def test_with_an_account_each_person_gets_a_token_for_one_call(self, settings: Any) -> None:
        settings.JITSI_BASE_URL = "https://jitsi.example.com/here"
        settings.JITSI_APP_ID, settings.JITSI_APP_SECRET = "tocsin", "s" * 32
        room = Jitsi().create_room(key="room", title="An evening")
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=5)
        link = urlsplit(Jitsi().link(room, call="3", guest=Guest("a1", "Ana"), until=until))
        claims = jwt.decode(
            parse_qs(link.query)["jwt"][0], "s" * 32, algorithms=["HS256"], audience="tocsin", issuer="tocsin"
        )
        assert link.path == f"/here/{claims['room']}"
        assert claims["sub"] == "jitsi.example.com"
        assert claims["context"] == {"user": {"id": "a1", "name": "Ana"}}
        assert claims["exp"] == (until + timedelta(minutes=1)).timestamp()

    def test_whom_a_token_is_for_can_be_said(self, settings: Any) -> None:
        """Of Docker's Jitsi the XMPP domain is meet.jitsi, whatever it is called outside."""
        settings.JITSI_APP_ID, settings.JITSI_APP_SECRET = "tocsin", "s" * 32
        settings.JITSI_JWT_SUB = "meet.jitsi"
        until = datetime.now(UTC) + timedelta(minutes=5)
        link = Jitsi().link(Jitsi().create_room(key="room", title="An evening"), call="1", until=until)
        token = parse_qs(urlsplit(link).query)["jwt"][0]
        assert jwt.decode(token, "s" * 32, algorithms=["HS256"], audience="tocsin")["sub"] == "meet.jitsi"

    @pytest.mark.parametrize("base_url", ["", "https://meet.jit.si", "https://MEET.JIT.SI/x"])
    def test_one_that_is_not_ones_own_makes_no_room(self, settings: Any, base_url: str) -> None:
        settings.JITSI_BASE_URL = base_url
        with pytest.raises(MeetingRefused):
            Jitsi().create_room(key="room", title="An evening")

    def test_ending_a_call_and_asking_who_is_there_need_no_server(self) -> None:
        assert Jitsi().end_call("room") is None
        assert Jitsi().participants("room") == []


@pytest.fixture
def meet(settings: Any, tmp_path: Path, redis: Redis) -> Iterator[Meet]:
    with Meet() as server:
        use(settings, server, tmp_path)
        yield server


def use(settings: Any, server: Meet, folder: Path, **token: str) -> None:
    for name, value in server.settings.items():
        setattr(settings, name, value)
    settings.GOOGLE_MEET_TOKEN_FILE = server.token_file(folder, **token)


def made(provider: Provider | None = None) -> RoomInfo:
    return (provider or GoogleMeet()).create_room(key="k", title="An evening")


class TestGoogleMeet:
    def test_a_room_is_open_to_whoever_has_its_address(self, meet: Meet) -> None:
        room = made()
        assert room.url == f"https://meet.google.com/{meet.spaces[room.reference].code}"
        assert meet.spaces[room.reference].access == "OPEN"
        assert meet.calls == [("POST", "/token"), ("POST", "/v2/spaces")]

    def test_a_default_of_the_organisation_is_overruled(
        self, settings: Any, tmp_path: Path, redis: Redis
    ) -> None:
        with Meet(obeys_access=False) as server:
            use(settings, server, tmp_path)
            room = made()
            assert server.spaces[room.reference].access == "OPEN"
            assert server.calls[-1] == ("PATCH", f"/v2/{room.reference}")

    def test_a_call_is_ended_and_the_room_is_good_for_the_next(self, meet: Meet) -> None:
        room = made()
        for _ in range(2):
            meet.join(room.reference, "Ana")
            GoogleMeet().end_call(room.reference)
        assert meet.ended == [room.reference] * 2

    def test_no_active_conference_is_no_error(self, meet: Meet) -> None:
        room = made()
        GoogleMeet().end_call(room.reference)
        assert meet.ended == []

    def test_another_refusal_is_one(self, meet: Meet) -> None:
        with pytest.raises(MeetingRefused, match="answered 403"):
            GoogleMeet().end_call("spaces/nobodys")

    def test_who_is_there_is_told_of_every_page(self, meet: Meet) -> None:
        room = made()
        assert GoogleMeet().participants(room.reference) == []
        for person in ("Bo", "Ana", "Cy"):
            meet.join(room.reference, person)
        assert GoogleMeet().participants(room.reference) == ["Ana", "Bo", "Cy"]

    def test_an_access_token_that_ran_out_is_replaced(self, meet: Meet) -> None:
        provider = GoogleMeet()
        made(provider)
        meet.revoke()
        made(provider)
        assert [path for _, path in meet.calls].count("/token") == 2

    def test_the_quota_is_kept_by_all_processes_together(self, meet: Meet) -> None:
        """Fourteen at once, from providers that know nothing of each other; Google never has to say no."""

        def attempt(_: int) -> float | None:
            try:
                made()
            except MeetingUnavailable as error:
                return error.retry_after
            return None

        with ThreadPoolExecutor(4) as pool:
            waits = list(pool.map(attempt, range(14)))
        assert waits.count(None) == len(meet.spaces) == 10
        refused = [wait for wait in waits if wait is not None]
        assert all(0 < wait <= 60 for wait in refused)
        assert [path for method, path in meet.calls if method == "POST"].count("/v2/spaces") == 10

    @pytest.mark.parametrize(
        ("behaviour", "error", "wait"),
        [
            ("status:503", MeetingUnavailable, None),
            ("retry_after:7", MeetingUnavailable, 7.0),
            ("retry_after:Thu, 01 Jan 2026 00:00:00 GMT", MeetingUnavailable, 0.0),
            ("reset", MeetingUnavailable, None),
            ("status:403", MeetingRefused, None),
        ],
    )
    def test_what_may_pass_is_told_from_what_does_not(
        self, meet: Meet, behaviour: str, error: type[Exception], wait: float | None
    ) -> None:
        provider = GoogleMeet()
        made(provider)  # has its access token
        meet.behave(behaviour)
        with pytest.raises(error) as caught:
            made(provider)
        assert getattr(caught.value, "retry_after", None) == wait

    def test_a_token_file_that_google_does_not_take_is_refused(
        self, settings: Any, tmp_path: Path, redis: Redis
    ) -> None:
        with Meet() as server:
            use(settings, server, tmp_path, refresh_token="revoked")
            with pytest.raises(MeetingRefused) as caught:
                made()
            assert "revoked" not in str(caught.value)

    @pytest.mark.parametrize("content", ["", "[]", '{"refresh_token": "x"}'])
    def test_a_broken_token_file_is_said_so(self, meet: Meet, settings: Any, content: str) -> None:
        Path(settings.GOOGLE_MEET_TOKEN_FILE).write_text(content)
        with pytest.raises(MeetingRefused, match="GOOGLE_MEET_TOKEN_FILE"):
            made()

    def test_it_gives_up_on_a_server_that_hangs(self, meet: Meet, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("dating.meetings.google_meet._TIMEOUT_S", 0.2)
        provider = GoogleMeet()
        made(provider)
        meet.behave("hang")
        began = time.monotonic()
        with pytest.raises(MeetingUnavailable):
            made(provider)
        assert time.monotonic() - began < 8


class TestChoosing:
    def test_each_name_leads_to_its_provider(self) -> None:
        for name in PROVIDERS:
            assert provider_named(name).name == name

    def test_only_what_is_configured_is_offered(self, settings: Any) -> None:
        assert offered() == ["built_in"]
        assert not is_offered("google_meet")
        settings.JITSI_BASE_URL = "https://meet.jit.si"
        assert not is_offered("jitsi")
        settings.JITSI_BASE_URL = "https://jitsi.example.com"
        assert is_offered("jitsi")
        assert not is_offered("smoke signals")
        settings.GOOGLE_MEET_TOKEN_FILE = "token.json"
        assert is_offered("google_meet")

    def test_connections_are_kept_until_the_settings_change(self, settings: Any, tmp_path: Path) -> None:
        settings.GOOGLE_MEET_TOKEN_FILE = str(tmp_path / "token.json")
        first = provider_named("google_meet")
        assert provider_named("google_meet") is first
        settings.GOOGLE_MEET_BASE_URL = "https://meet.example.com"
        assert provider_named("google_meet") is not first
        again = provider_named("google_meet")
        Path(settings.GOOGLE_MEET_TOKEN_FILE).write_text("{}")
        assert provider_named("google_meet") is not again

    def test_a_missing_package_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(PROVIDERS, "google_meet", "not_installed.GoogleMeet")
        assert not is_offered("google_meet")
        with pytest.raises(ImproperlyConfigured, match=r"not_installed.*pip install google-apps-meet,"):
            provider_named("google_meet")
