"""Rooms are made ahead and calls ended; and what wakes an evening up."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import django_rq
import pytest
from django.utils import timezone
from redis import Redis

from dating import jobs, metrics, services, timers
from dating.models import Event, Room
from dating.services.calls import call_address, calls_end, rooms_make
from dating.web.runsheet import run_sheet_of
from notifications.jobs import sweep
from tests.dating.cast import EIGHT, HOUR, MINUTE, SECOND, Evening, event, person
from tests.servers.meet import Meet


def evening(**fields: object) -> Evening:
    """Two who are about to meet: their room is to be made."""
    made = Evening(event(**fields)).registered(person("Ana"), person("Bob")).confirmed()
    made.at(EIGHT - HOUR)
    return made


def begun(made: Evening) -> Evening:
    made.at(EIGHT - 5 * MINUTE)
    made.at(EIGHT)
    return made


def addresses(made: Evening) -> set[str]:
    """Where the two enter their call."""
    seats = [services.join_mark(event=made.event, user=each, now=made.now) for each in made.people]
    return {call_address(seat, now=made.now) for seat in seats}


@pytest.mark.slow
@pytest.mark.django_db
def test_rooms_are_made_ahead_once_and_both_enter_the_same(settings: Any) -> None:
    settings.JITSI_BASE_URL = "https://jitsi.example.com"
    made = evening(provider="jitsi")
    assert [rooms_make(now=made.now), rooms_make(now=made.now)] == [1, 0]
    room = Room.objects.get()
    assert (room.made_at, room.try_at) == (made.now, None)
    (address,) = addresses(begun(made))
    assert address.startswith("https://jitsi.example.com/")


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize("provider", ["google_meet", "jitsi"])  # which are not set up here
def test_a_room_that_cannot_be_made_is_tried_again_and_in_the_end_replaced_for_both(
    settings: Any, provider: str
) -> None:
    made = evening(provider=provider)
    assert [rooms_make(now=made.now), rooms_make(now=made.now)] == [1, 0]
    assert rooms_make(now=made.now + MINUTE) == 1
    room = Room.objects.get()
    assert room.made_at is None
    assert room.error
    assert room.try_at
    for address in addresses(begun(made)):
        assert address.startswith(f"{settings.PUBLIC_URL}/dating/room/")
    room.refresh_from_db()
    assert (room.provider, room.try_at) == ("built_in", None)


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize("base_url", ["", "https://meet.jit.si", "https://beta.meet.jit.si/"])
def test_rooms_of_a_jitsi_that_is_not_ones_own_are_replaced_for_both(settings: Any, base_url: str) -> None:
    settings.JITSI_BASE_URL = "https://jitsi.example.com"
    made = evening(provider="jitsi")
    rooms_make(now=made.now)
    settings.JITSI_BASE_URL = base_url
    for address in addresses(begun(made)):
        assert address.startswith(f"{settings.PUBLIC_URL}/dating/room/")


def google_is_away(settings: Any, tmp_path: Path, behaviour: str = "status:503") -> Iterator[Meet]:
    with Meet() as server:
        for name, value in server.settings.items():
            setattr(settings, name, value)
        settings.GOOGLE_MEET_TOKEN_FILE = server.token_file(tmp_path)
        server.behave("ok", path="/token")
        server.behave(behaviour)
        yield server


@pytest.fixture
def away(settings: Any, tmp_path: Path, redis: Redis) -> Iterator[Meet]:
    yield from google_is_away(settings, tmp_path)


@pytest.mark.slow
@pytest.mark.django_db
def test_a_provider_that_is_away_shows_in_the_log_once_in_the_metrics_and_on_the_run_sheet(
    away: Meet, caplog: pytest.LogCaptureFixture
) -> None:
    made = evening(provider="google_meet")
    rooms_make(now=made.now)
    rooms_make(now=made.now + MINUTE)
    assert caplog.text.count("dating_room_waits") == 1
    assert waiting() == 1
    (trouble,) = run_sheet_of(made.event, pace="").troubles
    assert trouble.startswith("1 room of Google Meet is not there yet and being tried again: answered 503")
    addresses(begun(made))
    (trouble,) = run_sheet_of(made.event, pace="").troubles
    assert trouble.startswith("1 room of Google Meet is replaced by the built-in room: answered 503")
    assert waiting() == 0


def waiting() -> float:
    """How many rooms the metrics show that could not be made."""
    (found,) = (each for each in metrics.families({}) if each.name == "tocsin_dating_rooms_waiting")
    return found.samples[0].value


@pytest.mark.slow
@pytest.mark.django_db
def test_rooms_that_wait_for_the_quota_alone_are_no_trouble_in_the_log(
    settings: Any, tmp_path: Path, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    settings.RATES = {**settings.RATES, "google-meet": "1/min"}
    with contextmanager(google_is_away)(settings, tmp_path, "ok"):
        made = Evening(event(provider="google_meet")).registered(*map(person, "ABCD")).confirmed()
        made.at(EIGHT - HOUR)
        assert rooms_make(now=made.now) == 2
    assert Room.objects.get(made_at=None).error == "the quota of this minute is used up"
    assert "dating_room_waits" not in caplog.text


@pytest.mark.slow
@pytest.mark.django_db
def test_a_provider_that_hangs_does_not_keep_others_from_their_rooms(
    away: Meet, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dating.services.calls.SLICE_S", 0.0)  # one room a run
    settings.JITSI_BASE_URL = "https://jitsi.example.com"
    sooner = evening(provider="google_meet", starts_at=EIGHT - MINUTE)
    later = evening(provider="jitsi")
    for seconds in (0, 10):
        rooms_make(now=later.now + seconds * SECOND)
    assert Room.objects.get(event=later.event).made_at
    assert Room.objects.get(event=sooner.event).error


@pytest.mark.slow
@pytest.mark.django_db
def test_the_calls_of_a_round_are_ended_after_it_and_those_of_the_next_are_not() -> None:
    made = Evening(event()).registered(*(person(name) for name in ("Ana", "Bob", "Eve", "Tom"))).confirmed()
    made.at(EIGHT - HOUR)
    rooms_make(now=made.now)
    begun(made)
    assert calls_end(now=made.now) == 0
    made.at(EIGHT + 5 * MINUTE)
    assert set(Room.objects.values_list("end_at", flat=True)) == {EIGHT + 5 * MINUTE}
    assert calls_end(now=made.now) == 2
    assert calls_end(now=made.now) == 0
    # What has not been ended by the start of the next round is let be: it would end the wrong call.
    made.at(EIGHT + 6 * MINUTE)
    made.at(EIGHT + 11 * MINUTE)
    made.at(EIGHT + 12 * MINUTE)
    assert calls_end(now=made.now) == 0


@pytest.mark.django_db(transaction=True)
def test_the_tick_hands_out_what_is_due_and_the_job_does_it(redis: Redis) -> None:
    made = event()
    jobs.tick(timezone.now())
    assert django_rq.get_queue("default").count == 0
    past = timezone.now() - SECOND
    Event.objects.filter(pk=made.pk).update(deadline_at=past)
    jobs.tick(timezone.now())
    jobs.tick(timezone.now())  # what waits in the queue is not put there again
    assert [each.func_name for each in django_rq.get_queue("default").jobs] == ["dating.jobs.advance"]
    redis.flushdb()
    sweep()  # every second, where the tick has its turn
    assert "dating.jobs.advance" in [each.func_name for each in django_rq.get_queue("default").jobs]
    jobs.advance(0)
    made.refresh_from_db()
    assert made.step == "confirming"


@pytest.mark.django_db(transaction=True)
def test_one_event_that_fails_does_not_keep_the_others_from_their_steps() -> None:
    broken, sound = event(), event()
    past = timezone.now() - SECOND
    Event.objects.update(deadline_at=past)
    # A step that cannot be: the round that it is to end is not there.
    Event.objects.filter(pk=broken.pk).update(step="round", state=3, current_round=1)
    jobs.advance(0)
    sound.refresh_from_db()
    broken.refresh_from_db()
    assert (sound.step, broken.step) == ("confirming", "round")


def test_a_timer_rings_once_for_each_time() -> None:
    rung = threading.Semaphore(0)
    now = timezone.now()
    moment = now + timedelta(milliseconds=30)
    assert timers.at(moment, "test", rung.release, now=now)
    assert not timers.at(moment, "test", rung.release, now=now)
    assert rung.acquire(timeout=30)
    assert not rung.acquire(timeout=0.1)
    assert timers.at(moment, "test", rung.release, now=timezone.now())
    assert rung.acquire(timeout=30)
