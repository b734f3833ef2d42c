"""A server of calendars, people by their confirmed addresses, and what the queue would run."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from accounts.models import User
from config import clock as product_clock
from escalation.calendars import refreshing
from escalation.models import Schedule
from escalation.services.schedules import LayerSaid, schedule_create
from tests.factories import UserFactory
from tests.servers.calendars import Calendars, certificate


@pytest.fixture(scope="session")
def _certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("calendars"))


@pytest.fixture
def calendars(_certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Calendars]:
    monkeypatch.setenv("SSL_CERT_FILE", str(_certificate))
    with Calendars(_certificate) as server:
        yield server


@pytest.fixture
def person(db: None) -> Callable[..., User]:
    def made(email: str, **more: Any) -> User:
        return UserFactory(email=email, **{"email_verified_at": product_clock.now(), **more})

    return made


@pytest.fixture
def ana(person: Callable[..., User]) -> User:
    return person("ana@example.com", first_name="Ana", last_name="")


@pytest.fixture
def bo(person: Callable[..., User]) -> User:
    return person("bo@example.com", first_name="Bo", last_name="")


def by_calendar(url: str, *, name: str = "Nights", time_zone: str = "UTC") -> Schedule:
    """A schedule of one layer, which that calendar feeds."""
    return schedule_create(name=name, layers=[LayerSaid(time_zone=time_zone, ical_url=url)])[0]


def refreshed(now: datetime) -> None:
    """Do what the jobs do at a time."""
    for calendar_id in refreshing.due(now):
        refreshing.refresh(calendar_id, now=now)


def vcalendar(*events: str, zone: str = "") -> str:
    """A calendar file of these events, each written as lines of properties but UID and DTSTAMP."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Tests//Calendars//EN"]
    lines += [f"X-WR-TIMEZONE:{zone}"] if zone else []
    for number, event in enumerate(events, start=1):
        own = [line.strip() for line in event.strip().splitlines()]
        uid = [] if any(line.startswith("UID:") for line in own) else [f"UID:{number}@tests"]
        lines += ["BEGIN:VEVENT", *uid, "DTSTAMP:20260101T000000Z", *own, "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])
