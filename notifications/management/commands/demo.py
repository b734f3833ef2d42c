"""`make demo`: the whole product in an instance of its own, 200 alerts, and a check of who was told."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from typing import Any

import requests
from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import module_has_submodule

from config import embedded
from config.processes import REPOSITORY, TIED_TO_PARENT, Stack, StackError, free_port
from config.scenes import Scene, Site
from notifications.demo import Cast, DemoAlert, Outcome, alerts_for, faults_of

ALERTS = 200
REPEAT_EVERY = 10
SEED = 20250320
READY_WITHIN_S = 30
SETTLED_WITHIN_S = 45
POLL_S = 0.1
FAULTS_SHOWN = 10
SCOPES = ("alerts:write", "deliveries:read", "metrics:read")


class Command(BaseCommand):
    help = "Send 200 real alerts through the whole product, and check that everyone was told exactly once."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler)
        started = time.monotonic()
        try:
            with alone(embedded.home() / "demo") as home:
                self.run_in(home)
        except KeyboardInterrupt:
            raise CommandError("Interrupted; everything is stopped.") from None
        except (StackError, embedded.EmbeddedError, requests.RequestException) as error:
            raise CommandError(str(error)) from error
        took_s = time.monotonic() - started
        self.say(f"\nAll as it should be: everyone was told exactly once, and nobody else ({took_s:.0f} s).")

    def run_in(self, home: Path) -> None:
        with ExitStack() as running:
            third_party_url = running.enter_context(third_party())
            self.say("Starting PostgreSQL, Redis, web, two workers, the scheduler and a third party …")
            port, played = free_port(), scenes()
            env = {
                "DATABASE_URL": "",
                "REDIS_URL": "",
                "PUBLIC_URL": f"http://127.0.0.1:{port}",
                "THIRD_PARTY_URL": f"{third_party_url}/webhook/notifications/",
            }
            for scene in played:
                env.update(running.enter_context(scene.providers()))
            stack = running.enter_context(Stack(home, port=port, env=env))
            running.callback(self.say, "Stopping …")
            self.say("Loading shops and staff, making an API key …")
            stack.manage("loaddata", "initial_data")
            made = stack.manage("create_api_key", "demo", *(part for s in SCOPES for part in ("--scope", s)))
            http = running.enter_context(requests.Session())
            http.trust_env = False
            http.headers["Authorization"] = f"Bearer {made.stdout.split()[-1]}"
            client = Client(stack, third_party_url, http)
            client.wait_until_ready()
            self.send_and_check(stack, client)
            self.play(stack, played)

    def play(self, stack: Stack, played: Sequence[Scene]) -> None:
        """Have each domain show itself.

        Raises:
            CommandError: something was not as it should be; says what.
        """
        site = Site(base_url=stack.base_url, home=stack.home, manage=stack.manage, say=self.say)
        faults = []
        for scene in played:
            self.say(f"\n{scene.title}")
            faults += scene.play(site)
        if played:
            conclude(faults, stack.manage("audit_deliveries", check=False))

    def send_and_check(self, stack: Stack, client: "Client") -> None:
        cast = Cast(settings.BASE_DIR / "fixtures" / "initial_data.json")
        alerts = alerts_for(cast, ALERTS, SEED)
        expected = cast.expect(alerts)
        posted_at, answers = self.send(client, alerts)
        to_arrive = sum(count for telling, count in expected.told.items() if telling.channel == "third_party")
        self.wait_until_settled(client, to_arrive)
        outcome = Outcome(arrived=client.arrived(), deliveries=client.deliveries())
        audit = stack.manage("audit_deliveries", "--settled", check=False)
        self.show(answers, outcome, outcome.latencies_s(posted_at), audit.stdout.strip().splitlines()[-1:])
        faults = faults_of(cast, expected, outcome)
        if answers != {HTTPStatus.CREATED: ALERTS, HTTPStatus.OK: ALERTS // REPEAT_EVERY}:
            faults.append(f"The answers to the POSTs were not as expected: {dict(answers)}.")
        conclude(faults, audit)

    def send(self, client: "Client", alerts: list[DemoAlert]) -> tuple[dict[str, float], Counter[int]]:
        """Post every alert, some of them twice; return when each was posted first, and the answers."""
        posted_at: dict[str, float] = {}
        answers: Counter[int] = Counter()
        self.say(f"Sending {len(alerts)} alerts over HTTP …")
        for number, alert in enumerate(alerts, start=1):
            posted_at[alert.id] = time.time()
            answers[client.post(alert)] += 1
            if number % REPEAT_EVERY == 0:
                answers[client.post(alert)] += 1
            self.progress(f"{number} alerts sent", last=number == len(alerts), show=number % 50 == 0)
        return posted_at, answers

    def wait_until_settled(self, client: "Client", to_arrive: int) -> None:
        deadline = time.monotonic() + SETTLED_WITHIN_S
        while True:
            arrived = client.arrived_count()
            done = arrived >= to_arrive and not client.deliveries("pending", "sending", first_page=True)
            self.progress(f"{arrived} of {to_arrive} arrived at the third party", last=done, show=done)
            if done or time.monotonic() > deadline:
                return
            time.sleep(POLL_S)

    def show(
        self, answers: Counter[int], outcome: Outcome, latencies_s: list[float], audit: list[str]
    ) -> None:
        states = Counter((row["status"], row["reason"]) for row in outcome.deliveries)
        channels = Counter(row["channel"] for row in outcome.deliveries if row["status"] == "sent")
        distinct = len({request["id"] for request in outcome.arrived})
        self.say("")
        self.row("Alerts", "accepted (201)", answers[HTTPStatus.CREATED])
        self.row("", "posted again, known already (200)", answers[HTTPStatus.OK])
        for place, ((status, reason), count) in enumerate(sorted(states.items())):
            self.row("" if place else "Deliveries", f"{status} {reason and f'({reason})'}", count)
        for place, (channel, count) in enumerate(sorted(channels.items())):
            self.row("" if place else "Sent by", channel, count)
        self.row("Third party", "requests received", len(outcome.arrived))
        self.row("", "different deliveries among them", distinct)
        if latencies_s:
            for place, percent in enumerate((50, 99)):
                at = latencies_s[min(len(latencies_s) - 1, len(latencies_s) * percent // 100)]
                name = f"from POST to arrival, p{percent}"
                self.row("" if place else "Latency", name, f"{at * 1000:.1f} ms")
        self.say(f"  {'Audit':<14}{''.join(audit)}")

    def row(self, heading: str, name: str, value: object) -> None:
        self.say(f"  {heading:<14}{name:<36}{value:>10}")

    def progress(self, text: str, *, last: bool, show: bool) -> None:
        """Count in place on a terminal; elsewhere write a line now and then."""
        if sys.stdout.isatty():
            self.stdout.write(f"\r  {text:<60}", ending="\n" if last else "")
            self.stdout.flush()
        elif show or last:
            self.say(f"  {text}")

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


class Client:
    """Talks to the product as a camera system and an operator would, and to the third party."""

    def __init__(self, stack: Stack, third_party_url: str, http: requests.Session) -> None:
        self._stack = stack
        self._third_party_url = third_party_url
        self._http = http

    def wait_until_ready(self) -> None:
        """Wait until workers and scheduler have come up too.

        Raises:
            StackError: they have not in time; says what is missing.
        """
        deadline = time.monotonic() + READY_WITHIN_S
        while (answer := self._get(f"{self._stack.base_url}/health/ready")).status_code != HTTPStatus.OK:
            if time.monotonic() > deadline:
                raise StackError(f"Not ready after {READY_WITHIN_S} s: {answer.text[:500]}")
            time.sleep(POLL_S)

    def post(self, alert: DemoAlert) -> int:
        url = f"{self._stack.base_url}/webhooks/alerts/"
        return self._http.post(url, json=alert.payload, timeout=30).status_code

    def deliveries(self, *statuses: str, first_page: bool = False) -> list[dict[str, Any]]:
        query = "&".join(["page_size=200", *(f"status={status}" for status in statuses)])
        url = f"{self._stack.base_url}/api/v1/deliveries/?{query}"
        rows: list[dict[str, Any]] = []
        while url:
            page = self._json(url)
            rows += page["results"]
            url = "" if first_page else page["next"]
        return rows

    def arrived_count(self) -> int:
        return int(self._json(f"{self._third_party_url}/stats")["count"])

    def arrived(self) -> list[dict[str, Any]]:
        requests_: list[dict[str, Any]] = self._json(f"{self._third_party_url}/stats?full=1")["requests"]
        return requests_

    def _get(self, url: str) -> requests.Response:
        return self._http.get(url, timeout=30)

    def _json(self, url: str) -> Any:
        answer = self._get(url)
        answer.raise_for_status()
        return answer.json()


def conclude(faults: list[str], audit: subprocess.CompletedProcess[str]) -> None:
    """Raise CommandError where something was not as it should be, or the audit found gaps."""
    if audit.returncode:
        faults.append(f"The audit found gaps:\n{audit.stdout}{audit.stderr}")
    if faults:
        more = f"\n… and {len(faults) - FAULTS_SHOWN} more" if len(faults) > FAULTS_SHOWN else ""
        raise CommandError("\n".join(faults[:FAULTS_SHOWN]) + more)


def scenes() -> list[Scene]:
    """Return what the installed apps have to show, in their order."""
    found = []
    for app in apps.get_app_configs():
        if app.module is not None and module_has_submodule(app.module, "demo"):
            found.append(getattr(import_module(f"{app.name}.demo"), "SCENE", None))
    return [scene for scene in found if scene is not None]


@contextmanager
def alone(home: Path) -> Iterator[Path]:
    """Hold an empty instance directory; what an earlier run left there, even a killed one, is wiped.

    Raises:
        CommandError: another demo is running, or the files are somebody else's.
    """
    lock = home.with_name("demo.lock")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    except PermissionError as error:
        raise CommandError(f"{error.filename} is not yours: run `make clean` as its owner.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        wipe(home)
        yield home
    except BlockingIOError:
        raise CommandError("Another demo is running here: wait until it is done.") from None
    finally:
        os.close(descriptor)


def wipe(home: Path) -> None:
    embedded.destroy(at=home)
    try:
        shutil.rmtree(home)
    except FileNotFoundError:
        return
    except PermissionError as error:
        raise CommandError(f"{error.filename} is not yours: run `make clean` as its owner.") from error


@contextmanager
def third_party() -> Iterator[str]:
    """Run the local third party of the tests; yields where it listens."""
    command = [sys.executable, "-m", "tests.servers.third_party", "--port", "0"]
    tied = [sys.executable, "-I", "-S", "-c", TIED_TO_PARENT, str(os.getpid()), *command]
    with subprocess.Popen(tied, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line.startswith("listening on "):
                raise CommandError("The local third party did not start; the demo needs a whole checkout.")
            yield f"http://127.0.0.1:{int(line.split()[-1])}"
        finally:
            process.terminate()
