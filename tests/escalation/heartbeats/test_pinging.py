"""Pings: at Healthchecks' addresses and with its answers; what they change, and who is told of it."""

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test import Client, RequestFactory
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from config import admission
from escalation.heartbeats import links, missing
from escalation.heartbeats.due import when_due
from escalation.heartbeats.pinging import Ping, heartbeat_ping
from escalation.models import AlertGroup, AlertOccurrence, Heartbeat, HeartbeatPing
from notifications.jobs import sweep
from tests.escalation.heartbeats.conftest import pass_by

pytestmark = pytest.mark.django_db

Kind = HeartbeatPing.Kind
NOW = datetime(2026, 1, 31, 10, tzinfo=UTC)


def path_of(heartbeat: Heartbeat) -> str:
    return f"/ping/{heartbeat.ping_uuid}"


def slug_path_of(heartbeat: Heartbeat) -> str:
    key = links.keys_of([heartbeat])[heartbeat.shop_id]
    return f"/ping/{key}/{heartbeat.slug}"


def groups() -> list[tuple[str, str]]:
    return list(AlertGroup.objects.order_by("opened_at", "pk").values_list("title", "state"))


@pytest.mark.slow
@pytest.mark.parametrize("path_by", [path_of, slug_path_of])
@pytest.mark.parametrize("method", ["get", "head", "post"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_each_address_takes_each_method_with_and_without_a_slash(
    heartbeat: Heartbeat, path_by: Callable[[Heartbeat], str], method: str, slash: str
) -> None:
    client, path = Client(enforce_csrf_checks=True), path_by(heartbeat)
    for act in ("/start", "/log", "", "/0", "/fail", "/3", "/255"):
        answer = getattr(client, method)(f"{path}{act}{slash}")
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
        assert answer.content == (b"" if method == "head" else b"OK")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Ping-Body-Limit"] == "10000"
    pings = heartbeat.last_pings.order_by("number").values_list("kind", "exit_status", "method")
    name = method.upper()
    assert list(pings) == [
        ("start", None, name),
        ("log", None, name),
        ("success", None, name),
        ("success", 0, name),
        ("fail", None, name),
        ("fail", 3, name),
        ("fail", 255, name),
    ]


def test_other_addresses_answer_as_healthchecks_does_and_change_nothing(heartbeat: Heartbeat) -> None:
    client, path = Client(), path_of(heartbeat)
    key_path = slug_path_of(heartbeat).rpartition("/")[0]
    for wrong, status, text in (
        (f"/ping/{uuid.uuid4()}", 404, b"not found"),
        (f"/ping/{uuid.uuid4()}/fail", 404, b"not found"),
        (f"{path}/end", 404, b"not found"),
        (f"{path}/-1", 404, b"not found"),
        (f"{path}/256", 400, b"invalid url format"),
        (f"{path}/0000", 400, b"invalid url format"),
        (f"{path}?rid=1", 400, b"invalid uuid format"),
        (f"{key_path}/nothing", 404, b"not found"),
        (f"/ping/{'x' * 22}/{heartbeat.slug}", 404, b"not found"),
    ):
        answer = client.get(wrong)
        assert (answer.status_code, answer.content) == (status, text), wrong
    assert client.get("/ping/nothing").status_code == 404
    assert client.put(path).status_code == 405
    heartbeat.refresh_from_db()
    assert (heartbeat.pings, heartbeat.state) == (0, "new")


def test_two_shops_have_keys_of_their_own(make: Callable[..., Heartbeat], shop: object) -> None:
    here, nowhere = make(shop=shop), make()
    assert slug_path_of(here) != slug_path_of(nowhere)
    assert Client().get(slug_path_of(here)).status_code == 200
    here.refresh_from_db(), nowhere.refresh_from_db()
    assert (here.pings, nowhere.pings) == (1, 0)


def test_a_plain_ping_is_one_statement(heartbeat: Heartbeat, asked: list[str]) -> None:
    client = Client()
    asked.clear()
    for act in ("", "/start", "", "/log"):
        client.get(f"{path_of(heartbeat)}{act}")
    assert len(asked) == 4, asked
    heartbeat.refresh_from_db()
    assert heartbeat.pings == 4


@pytest.mark.slow
def test_the_last_hundred_pings_are_kept_with_the_beginning_of_their_bodies(heartbeat: Heartbeat) -> None:
    client = Client()
    for number in range(1, 104):
        body = b"\0\xff" + f"{number} ".encode() + b"x" * 20_000
        client.post(path_of(heartbeat), body, content_type="application/octet-stream")
    pings = list(heartbeat.last_pings.order_by("number"))
    assert [ping.number for ping in pings] == list(range(4, 104))
    assert pings[-1].body.startswith("\ufffd103 xxx")
    assert len(pings[-1].body) == 9_999  # without the NUL, which PostgreSQL can't store


@pytest.mark.parametrize("path_by", [path_of, slug_path_of])
def test_whoever_knows_the_address_may_post_a_whole_log(
    heartbeat: Heartbeat, path_by: Callable[[Heartbeat], str]
) -> None:
    path = path_by(heartbeat)
    for there in (path, f"{path}/fail", f"{path}/"):
        assert admission.refusal(RequestFactory().post(there)) is None
    Heartbeat.objects.all().delete()
    refused = admission.refusal(RequestFactory().post(path))
    assert refused is not None
    assert refused.status_code == 404


@dataclass
class Model:
    """What Healthchecks does with a ping."""

    state: str = "new"
    ping_at: datetime | None = None
    start_at: datetime | None = None
    rid: uuid.UUID | None = None
    duration_s: float | None = None

    def ping(self, kind: Kind, rid: uuid.UUID | None, now: datetime) -> None:
        if kind == Kind.START:
            self.start_at, self.rid = now, rid
            if self.state == "paused":
                self.state = "new"
        elif kind != Kind.LOG:
            self.ping_at, self.duration_s = now, None
            if self.start_at and self.rid == rid:
                self.duration_s, self.start_at = (now - self.start_at).total_seconds(), None
            elif kind == Kind.FAIL or rid is None:
                self.start_at = None
            self.state = "down" if kind == Kind.FAIL else "up"

    def due_at(self, period: timedelta, grace: timedelta) -> datetime | None:
        if self.state in ("down", "paused"):
            return None
        times = [self.start_at + grace] if self.start_at else []
        if self.state == "up" and self.ping_at:
            times.append(self.ping_at + period + grace)
        return min(times, default=None)


RIDS = [None, uuid.UUID(int=1), uuid.UUID(int=2)]
PINGS = st.tuples(st.sampled_from(list(Kind)), st.sampled_from(RIDS), st.integers(0, 90))


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PINGS, min_size=1, max_size=8), st.booleans())
@example([(Kind.START, RIDS[1], 0), (Kind.SUCCESS, RIDS[2], 5), (Kind.SUCCESS, RIDS[1], 5)], False)
@example([(Kind.START, None, 0)], True)
def test_pings_change_a_heartbeat_as_in_healthchecks(
    make: Callable[..., Heartbeat], pings: list[tuple[Kind, uuid.UUID | None, int]], is_paused: bool
) -> None:
    with transaction.atomic():
        heartbeat, now, model = make(slug=f"a{uuid.uuid4().hex}"), NOW, Model()
        if is_paused:
            Heartbeat.objects.filter(pk=heartbeat.pk).update(state="paused")
            model.state = "paused"
        for kind, rid, seconds in pings:
            now += timedelta(seconds=seconds)
            model.ping(kind, rid, now)
            heartbeat_ping(ping_uuid=heartbeat.ping_uuid, ping=Ping(kind, "GET", rid=rid), now=now)
            heartbeat.refresh_from_db()
            assert heartbeat.state == model.state
            assert heartbeat.last_ping_at == model.ping_at
            assert heartbeat.last_start_at == model.start_at
            assert heartbeat.last_duration_s == model.duration_s
            assert heartbeat.due_at == model.due_at(timedelta(seconds=60), timedelta(seconds=10))
            assert (heartbeat.expected_at, heartbeat.due_at) == when_due(heartbeat)
        assert heartbeat.pings == len(pings)
        transaction.set_rollback(True)


def test_a_ping_of_a_cron_line_waits_for_its_next_turn(make: Callable[..., Heartbeat]) -> None:
    nightly = make(cron="30 2 * * *", time_zone="Europe/Paris", grace_s=600)
    before_summer = datetime(2026, 3, 28, 1, 30, 20, tzinfo=UTC)
    heartbeat_ping(ping_uuid=nightly.ping_uuid, ping=Ping(Kind.SUCCESS, "GET"), now=before_summer)
    nightly.refresh_from_db()
    assert nightly.expected_at == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert nightly.due_at == datetime(2026, 3, 29, 1, 10, tzinfo=UTC)


@pytest.mark.slow
def test_one_that_is_not_pinged_goes_down_after_its_grace_and_up_with_the_next_ping(
    heartbeat: Heartbeat,
) -> None:
    client = Client()
    sweep()
    assert groups() == []  # nothing is waited for before the first ping
    client.get(path_of(heartbeat))
    pass_by(heartbeat, 65)
    sweep()
    assert (heartbeat.state, heartbeat.due_at is None, groups()) == ("up", False, [])
    pass_by(heartbeat, 6)
    sweep(), sweep()
    heartbeat.refresh_from_db()
    assert (heartbeat.state, heartbeat.due_at) == ("down", None)
    (group,) = AlertGroup.objects.all()
    assert (group.title, group.state) == ("Back-up has not reported", "open")
    assert (group.policy, group.severity) == (heartbeat.policy, "critical")
    assert group.process is not None  # it is told
    assert str(heartbeat.ping_uuid) not in f"{group.key} {group.labels} {group.link}"
    client.get(path_of(heartbeat))
    heartbeat.refresh_from_db()
    group.refresh_from_db()
    assert (heartbeat.state, group.state) == ("up", "resolved")


def test_one_that_started_and_does_not_end_goes_down(heartbeat: Heartbeat) -> None:
    Client().get(f"{path_of(heartbeat)}/start")
    pass_by(heartbeat, 9)
    sweep()
    assert groups() == []
    pass_by(heartbeat, 2)
    sweep()
    assert groups() == [("Back-up has started and not ended", "open")]


def test_a_failure_is_told_at_once_and_once(heartbeat: Heartbeat) -> None:
    client, path = Client(), path_of(heartbeat)
    client.post(f"{path}/3", b"disk full", content_type="text/plain")
    client.get(f"{path}/fail")
    assert groups() == [("Back-up failed (exit status 3)", "open")]
    assert AlertOccurrence.objects.get().details == "disk full"
    client.get(f"{path}/log")
    client.get(f"{path}/start")
    assert groups()[0][1] == "open"
    client.get(path)
    assert groups() == [("Back-up failed (exit status 3)", "resolved")]
    client.get(f"{path}/fail")
    assert [state for _, state in groups()] == ["resolved", "open"]


def test_a_failure_that_is_over_before_the_sweep_is_told_all_the_same(heartbeat: Heartbeat) -> None:
    client, path = Client(), path_of(heartbeat)
    client.get(f"{path}/fail")
    client.get(path)
    assert [each.act for each in AlertOccurrence.objects.order_by("received_at", "pk")] == [
        "trigger",
        "resolve",
    ]


def test_one_that_cannot_be_told_leaves_the_others_theirs(make: Callable[..., Heartbeat]) -> None:
    heartbeats = [make(f"Job {number}") for number in range(3)]
    for each in heartbeats:
        Client().get(path_of(each))
        pass_by(each, 71)
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE escalation_alertgroup ADD CONSTRAINT one_breaks"
            f" CHECK (key <> 'heartbeat:{heartbeats[1].pk}')"
        )
    sweep()
    assert [title for title, _ in groups()] == ["Job 0 has not reported", "Job 2 has not reported"]
    heartbeats[1].refresh_from_db()
    assert heartbeats[1].state == "up"
    assert heartbeats[1].due_at is not None  # it is tried again


@pytest.mark.django_db(transaction=True)
def test_the_sweep_does_not_wait_for_one_that_is_being_pinged(
    make: Callable[..., Heartbeat],
) -> None:
    held, other = make("Held"), make("Other")
    for each in (held, other):
        Client().get(path_of(each))
        pass_by(each, 71)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM escalation_heartbeat WHERE id = %s FOR UPDATE", [held.pk])

        def look() -> None:
            missing.look(datetime.now(UTC))
            connection.close()

        thread = threading.Thread(target=look)
        thread.start()
        thread.join(20)
        assert not thread.is_alive()
    assert [title for title, _ in groups()] == ["Other has not reported"]
