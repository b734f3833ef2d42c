"""`make run`: the whole product on this machine until Ctrl-C, with a log-in and a key to try it."""

import json
import os
import secrets
import signal
import time
import uuid
from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from accounts.models import Shop, User
from config import embedded
from config.processes import Stack, StackError, answers
from notifications.brokers import sources

ADMIN_EMAIL = "admin@example.com"
# What the printed key may do: all that a newcomer would try.
SCOPES = (
    "alerts:write",
    "alerts:read",
    "preferences:write",
    "deliveries:read",
    "deliveries:write",
    "metrics:read",
)
CHECK_INTERVAL_S = 0.5
BACKOFF_MAX_S = 30.0
# A part that ran this long is healthy: its next death starts from the shortest wait again.
HEALTHY_AFTER_S = 60.0


def of_brokers() -> dict[str, list[str]]:
    """The processes of the brokers that are configured: a consumer for each source, and the publisher."""
    names = sources.names()
    consumers = {f"consume-{name}": ["consume", name] for name in names}
    return consumers | {"publisher": ["publish"]} if names else {}


@dataclass
class Restarts:
    """When a part was last started, how long to wait after its next death, and until when."""

    started_at: float
    wait_s: float = 1.0
    due_at: float | None = None


class Command(BaseCommand):
    help = "Run web, workers and scheduler with the embedded servers until Ctrl-C."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="port of the web process (8000)")
        parser.add_argument("--workers", type=int, default=2, help="number of workers (2)")

    def handle(self, *args: Any, port: int, workers: int, **options: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler)
        self.say("Starting PostgreSQL, Redis, web, workers and scheduler …")
        try:
            with Stack(embedded.home(), port=port, workers=workers, more=of_brokers()) as stack:
                try:
                    self.first_start(stack)
                    self.introduce(stack)
                    self.supervise(stack)
                finally:
                    self.say("\nStopping …")
        except KeyboardInterrupt:
            self.say("Stopped.")
        except (StackError, embedded.EmbeddedError) as error:
            raise CommandError(str(error)) from error

    def first_start(self, stack: Stack) -> None:
        """Fixtures, an administrator and a key, each unless it is there."""
        if not Shop.objects.exists():
            self.say("Loading shops and staff …")
            stack.manage("loaddata", "initial_data")
        if not User.objects.filter(email=ADMIN_EMAIL).exists():
            password = secrets.token_urlsafe(12)
            User.objects.create_superuser(email=ADMIN_EMAIL, password=password)
            write_secret(stack.home / "admin-password", password)
        if not key_works(stack.base_url, read_secret(stack.home / "api-key")):
            scopes = [part for scope in SCOPES for part in ("--scope", scope)]
            made = stack.manage("create_api_key", "make run", *scopes)
            write_secret(stack.home / "api-key", made.stdout.split()[-1])
        connection.close()

    def introduce(self, stack: Stack) -> None:
        url = f"http://localhost:{stack.port}"
        key = read_secret(stack.home / "api-key")
        password = read_secret(stack.home / "admin-password") or "(the one that you set)"
        alert = {
            "url": "https://cameras.example.com/clips/1.mp4",
            "location": "fr-auchan-larochelle",
            "alert_uuid": str(uuid.uuid4()),
            "label": "theft",
            "time_spotted": round(time.time(), 1),
        }
        self.say(
            f"""
Tocsin is up.

  Web        {url}/
  Admin      {url}/admin/
  API docs   {url}/api/docs/
  Health     {url}/health/live
  Logs       {stack.log_dir}

  Log-in     {ADMIN_EMAIL}
  Password   {password}
  API key    {key}

Send an alert:

  curl -u '{key}:x' -H 'Content-Type: application/json' {url}/webhooks/alerts/ \\
    -d '{json.dumps(alert)}'

For scripts that log in from ~/.netrc:

  machine localhost login {key} password x

Ctrl-C stops everything."""
        )

    def supervise(self, stack: Stack) -> None:
        """Bring back whatever dies, waiting longer each time, until a signal ends it."""
        now = time.monotonic()
        restarts = {name: Restarts(started_at=now) for name in stack.processes}
        while True:
            time.sleep(CHECK_INTERVAL_S)
            self.restart_servers(stack)
            for name, restart in restarts.items():
                self.restart_if_dead(stack, name, restart)

    def restart_servers(self, stack: Stack) -> None:
        try:
            if stack.ensure_servers():
                self.say("An embedded server was down; it is up again.")
        except embedded.EmbeddedError as error:
            self.say(str(error))

    def restart_if_dead(self, stack: Stack, name: str, restart: Restarts) -> None:
        code = stack.processes[name].poll()
        now = time.monotonic()
        if code is None:
            return
        if restart.due_at is None:
            if now - restart.started_at > HEALTHY_AFTER_S:
                restart.wait_s = 1.0
            restart.due_at = now + restart.wait_s
            self.say(f"{name} ended with code {code}; starting it again in {restart.wait_s:g} s.")
        elif now >= restart.due_at:
            restart.due_at, restart.started_at = None, now
            restart.wait_s = min(restart.wait_s * 2, BACKOFF_MAX_S)
            try:
                stack.start(name)
            except StackError as error:
                self.say(str(error))

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def key_works(base_url: str, key: str) -> bool:
    """Whether the kept key is one of this database: the data may have been deleted since."""
    authorization = {"Authorization": f"Api-Key {key}"}
    return bool(key) and answers(f"{base_url}/api/v1/deliveries/", timeout_s=10, headers=authorization)


def read_secret(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""


def write_secret(path: Path, value: str) -> None:
    """Readable by the owner alone from the start, not only after a chmod."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(value + "\n")
