"""Workers run the product's own jobs, whatever somebody has put into Redis."""

import ast
import inspect
import json
import pickle
import typing
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django_rq
import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from redis import Redis
from rq.job import JobStatus
from rq.serializers import JSONSerializer, resolve_serializer

from accounts.models import Shop, User
from config import jobs as config_jobs
from config.jobs import FORMER, Job
from config.schedule import BY_ID, ENTRIES, Scheduler
from dating import jobs as dating_jobs
from escalation import jobs as escalation_jobs
from escalation.groups import jobs as groups_jobs
from notifications import jobs as notifications_jobs
from notifications import queue
from notifications.departures import jobs as departures_jobs
from notifications.engine import jobs as engine_jobs
from notifications.events import jobs
from tests.factories import AlertFactory
from tests.notifications.engine.conftest import statuses
from tests.servers.third_party import ThirdParty
from tracing import jobs as tracing_jobs

JOB = "planted"
#: What JSON gives back as it was.
PLAIN = {str, int, float, bool, type(None)}


def name_of(job: Callable[..., None]) -> str:
    return f"{job.__module__}.{job.__name__}"


#: In the same order in every process.
JOBS = sorted(queue.known(), key=name_of)


class Writes:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "this ran")


@pytest.fixture
def trace(tmp_path: Path) -> Iterator[Path]:
    """A file that must not be there at the end of the test."""
    path = tmp_path / "trace"
    yield path
    assert not path.exists()


@pytest.fixture
def third_party() -> Iterator[ThirdParty]:
    with ThirdParty() as server:
        yield server


def as_json(*job: Any) -> bytes:
    return json.dumps(job).encode()


HARMLESS = as_json("notifications.engine.jobs.digests", None, [], {})
CALLBACK = b"tests.config.test_jobs.ran"
#: By what is wrong with it: the fields of a job as somebody who can write to Redis may put them there.
PLANTED: dict[str, Callable[[Path], dict[str, bytes]]] = {
    "pickled job": lambda path: {"data": pickle.dumps(Writes(path))},
    "compressed pickled job": lambda path: {"data": zlib.compress(pickle.dumps(Writes(path)))},
    "pickled arguments": lambda path: {
        "data": pickle.dumps(("notifications.engine.jobs.digests", None, (Writes(path),), {}))
    },
    "pickled meta": lambda path: {"data": HARMLESS, "meta": pickle.dumps(Writes(path))},
    "pickled result": lambda path: {"data": HARMLESS, "result": pickle.dumps(Writes(path))},
    "another function": lambda path: {"data": as_json("os.mkdir", None, [str(path)], {})},
    "a builtin": lambda path: {"data": as_json("exec", None, [f"open({str(path)!r}, 'w')"], {})},
    "what a module of jobs imports": lambda path: {
        "data": as_json("notifications.jobs.queue.redis", None, [], {})
    },
    "a private function of a module of jobs": lambda path: {
        "data": as_json("notifications.events.jobs._look_after_events", None, [None], {})
    },
    "a method": lambda path: {"data": as_json("format", "{}", [], {})},
    "a callback on success": lambda path: {
        "data": HARMLESS,
        "success_callback_name": CALLBACK,
    },
    "a callback on failure": lambda path: {
        "data": as_json("os.mkdir", None, [str(path)], {}),
        "failure_callback_name": CALLBACK,
    },
    "no job at all": lambda path: {"data": b"\x80\x04N."},
    "JSON of another shape": lambda path: {"data": b'{"a": 1}'},
}
RUNS = {"pickled meta", "pickled result", "a callback on success"}
called: list[Any] = []


def ran(*args: Any) -> None:
    called.append(args)


def plant(redis: Redis, fields: dict[str, bytes], *, name: str = queue.DEFAULT) -> None:
    now = b"2026-11-29T12:00:00.000000Z"
    known = {"created_at": now, "enqueued_at": now, "origin": name, "status": "queued", "timeout": "60"}
    redis.hset(f"rq:job:{JOB}", mapping=known | fields)
    redis.rpush(f"rq:queue:{name}", JOB)


@pytest.mark.slow
@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_job_runs_nothing_and_the_next_is_done(
    transactional_db: None,
    redis: Redis,
    shop: Shop,
    owner: User,
    third_party: ThirdParty,
    settings: Any,
    trace: Path,
    kind: str,
) -> None:
    settings.THIRD_PARTY_URL = third_party.url
    called.clear()
    plant(redis, PLANTED[kind](trace), name=queue.URGENT)
    AlertFactory(shop=shop)
    call_command("rqworker", burst=True, verbosity=0)
    assert called == []
    assert statuses() == {"sent": 1}
    has_failed = JOB in django_rq.get_queue(queue.URGENT).failed_job_registry.get_job_ids()
    assert has_failed is (kind not in RUNS)


@pytest.mark.slow
def test_a_planted_address_is_not_posted_to(
    transactional_db: None, redis: Redis, third_party: ThirdParty
) -> None:
    hook = json.dumps([{"url": third_party.url, "statuses": ["finished", "failed"]}]).encode()
    for data in (HARMLESS, as_json("os.getpid", None, [], {})):
        plant(redis, {"data": data, "webhooks": hook})
        call_command("rqworker", burst=True, verbosity=0)
    assert third_party.connections == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", PLANTED)
def test_the_pages_of_the_queues_run_nothing(
    db: None, redis: Redis, operator: User, trace: Path, kind: str
) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(operator)
    called.clear()
    plant(redis, PLANTED[kind](trace) | {"status": b"failed"})
    redis.zadd(f"rq:failed:{queue.DEFAULT}", {JOB: 4_000_000_000})
    redis.zadd(f"rq:wip:{queue.DEFAULT}", {JOB: 1})
    index = list(settings.RQ_QUEUES).index(queue.DEFAULT)
    pages = ["", f"queues/{index}/", f"queues/{index}/{JOB}/", f"queues/{index}/failed/"]
    for page in pages:
        client.get(f"/django-rq/{page}")
    client.post(f"/django-rq/queues/{index}/requeue-all/")
    redis.zadd(f"rq:failed:{queue.DEFAULT}", {JOB: 4_000_000_000})
    client.post(f"/django-rq/queues/{index}/delete-all/")
    assert called == []


def test_pickle_is_nowhere_in_rq() -> None:
    for name in (None, "pickle", "rq.serializers.DefaultSerializer", "rq.serializers.PickleSerializer"):
        with pytest.raises(ValueError, match="utf-8"):
            resolve_serializer(name).loads(pickle.dumps(1))


@pytest.mark.parametrize("job", JOBS, ids=name_of)
def test_what_jobs_take_is_plain(job: Callable[..., None]) -> None:
    for name, kind in typing.get_type_hints(job).items():
        kinds = set(typing.get_args(kind)) or {kind}
        assert kinds <= PLAIN, f"{name} of {job.__name__} is stored as JSON"
    assert not any(each.kind is each.VAR_KEYWORD for each in inspect.signature(job).parameters.values())


@pytest.mark.slow
@pytest.mark.parametrize("job", JOBS, ids=name_of)
def test_every_job_can_be_named_in_redis(redis: Redis, job: Callable[..., None]) -> None:
    queue.enqueue(job)
    (waiting,) = django_rq.get_queue(queue.of(job)).jobs
    assert waiting.func is job
    raw = redis.hget(waiting.key, "data")
    assert JSONSerializer.loads(zlib.decompress(raw))[0] == f"{job.__module__}.{job.__name__}"


#: Of jobs of which one that waits does for all: the name that they wait under, and arguments.
ONE_WAITS: dict[str, tuple[Any, ...]] = {
    "broadcasts": (engine_jobs.broadcasts_fan_out,),
    "dating-advance-1": (dating_jobs.advance, 1),
    "dating-ahead-1": (dating_jobs.ahead, 1),
    "dating-calls": (dating_jobs.calls,),
    "dating-looks": (dating_jobs.looks,),
    "dating-pauses": (dating_jobs.pauses,),
    "dating-rooms": (dating_jobs.rooms,),
    "departures": (departures_jobs.departures_go_on,),
    "digests": (engine_jobs.digests,),
    "events-due": (jobs.events_due,),
    "fan-out": (engine_jobs.alert_fan_out, ""),
    "groups-ring": (groups_jobs.groups_ring,),
    "hang-ups": (escalation_jobs.hang_ups,),
    "history-ends": (notifications_jobs.history_end,),
    "tracing-searches": (tracing_jobs.case_search, ""),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ONE_WAITS)
def test_one_that_waits_does_for_all_and_one_that_has_started_for_no_later_one(
    db: None, redis: Redis, name: str
) -> None:
    job, *arguments = ONE_WAITS[name]
    for _ in range(2):
        queue.enqueue_unless_waiting(name, job, *arguments)
    assert django_rq.get_queue(queue.of(job)).count == 1
    job(*arguments)
    queue.enqueue_unless_waiting(name, job, *arguments)
    assert django_rq.get_queue(queue.of(job)).count == 2


@pytest.mark.parametrize("name", FORMER)
def test_a_job_that_the_version_before_queued_under_another_name_is_known(redis: Redis, name: str) -> None:
    assert queue.named(name) is None
    waiting = Job(JOB, connection=redis, serializer=JSONSerializer)
    waiting.restore({b"created_at": b"2026-11-29T12:00:00.000000Z", b"data": as_json(name, None, [], {})})
    assert waiting.func is FORMER[name]


def test_workers_know_the_jobs_of_every_module_that_has_some() -> None:
    """Whatever else is imported there: config.jobs is what makes sure of it."""
    tree = ast.parse(Path(config_jobs.__file__).read_text())
    imported = {
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    missing = {job.__module__ for job in JOBS} - imported
    assert not missing, "Import these in config/jobs.py."


def test_what_is_no_job_cannot_be_queued(redis: Redis) -> None:
    with pytest.raises(KeyError, match=r"builtins\.print is no job"):
        queue.enqueue(print)


def test_an_argument_that_json_does_not_have_is_refused(redis: Redis) -> None:
    with pytest.raises(TypeError, match="JSON"):
        queue.enqueue(jobs.event_handle, datetime.now(UTC))


def pickled_by_an_older_version(redis: Redis) -> None:
    """The schedule as the last version that pickled left it: every entry is due."""
    for job_id, entry in BY_ID.items():
        data = pickle.dumps((f"{entry.job.__module__}.{entry.job.__name__}", None, (), {}))
        meta = {"cron_string": entry.cron} if entry.cron else {"interval": entry.every_s}
        fields = {"data": zlib.compress(data), "meta": pickle.dumps(meta), "status": "scheduled"}
        redis.hset(
            f"rq:job:{job_id}",
            mapping=fields | {"created_at": "2026-11-29T12:00:00Z", "origin": "default", "timeout": "300"},
        )
        redis.zadd(Scheduler.scheduled_jobs_key, {job_id: 1})


def test_each_periodic_job_has_its_time() -> None:
    assert {entry.name: entry.every_s or entry.cron for entry in ENTRIES} == {
        "sweep": 1,
        "expire": "* * * * *",
        "dating-recur": "*/5 * * * *",
        "escalation-calendars": 60,
        "escalation-handoffs": "* * * * *",
        "escalation-drills": "*/10 * * * *",
        "escalation-holes": "*/10 * * * *",
        "tracing-check": "*/15 * * * *",
        "tracing-partitions": "5 * * * *",
        "history-months": "25 * * * *",
        "retention": "35 * * * *",
        "escalation-figures": "0 7 1-7 * *",
        "tracing-pack": "45 2 * * *",
        "history-analyze": "10 3 * * *",
    }


@pytest.mark.slow
def test_after_an_upgrade_periodic_jobs_that_were_pickled_go_on(transactional_db: None, redis: Redis) -> None:
    pickled_by_an_older_version(redis)
    scheduler = django_rq.get_scheduler("default", interval=1)
    scheduler.enqueue_jobs()
    waiting = {job.func for name in settings.RQ_QUEUES for job in django_rq.get_queue(name).jobs}
    assert waiting == {entry.job for entry in ENTRIES}
    assert {job.id for job in scheduler.get_jobs()} == set(BY_ID)
    call_command("rqworker", burst=True, verbosity=0)
    for job_id in BY_ID:
        job = scheduler.job_class.fetch(job_id, connection=redis)
        assert job.get_status() == JobStatus.FINISHED
        assert job.meta.get("interval") or job.meta.get("cron_string")


def test_what_others_have_scheduled_does_not_end_the_scheduler(redis: Redis, trace: Path) -> None:
    plant(redis, PLANTED["pickled job"](trace) | {"meta": pickle.dumps({"queue_class_name": "os.path"})})
    redis.zadd(Scheduler.scheduled_jobs_key, {JOB: 1})
    django_rq.get_scheduler("default", interval=1).enqueue_jobs()
    assert "tocsin-sweep" in django_rq.get_queue(queue.URGENT).job_ids
