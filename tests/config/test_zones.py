"""Time zones are those of the tzdata package, whatever the operating system has."""

import os
import subprocess
import sys
import uuid
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest
from django.conf import settings

from config import zones
from escalation.schedules.row import Roster, on_call
from escalation.schedules.turns import Turns
from notifications.checks import zones_come_from_the_package

ASK = "from zoneinfo import ZoneInfo as Z; print(__import__('datetime').datetime.now(Z('Africa/Casablanca')))"


@pytest.fixture
def other_system(tmp_path: Path) -> Path:
    """Zones' data as an operating system has them, by which it is noon in Casablanca when it is in Tokyo."""
    (tmp_path / "Africa").mkdir()
    tokyo = resources.files("tzdata.zoneinfo.Asia").joinpath("Tokyo").read_bytes()
    (tmp_path / "Africa" / "Casablanca").write_bytes(tokyo)
    return tmp_path


@pytest.fixture
def _zones_put_right() -> Iterator[None]:
    yield
    zones.use_package()


def answer(code: str, system: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONTZPATH": str(system)},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("module", ["config.settings", "manage", "tests.settings"])
def test_a_process_does_not_ask_the_operating_system_for_zones(module: str, other_system: Path) -> None:
    assert answer(ASK, other_system).endswith("+09:00"), "the other system's data would be read"
    assert not answer(f"import {module}; {ASK}", other_system).endswith("+09:00")


def test_a_handoff_in_casablanca_is_at_eight_by_the_law_of_2026() -> None:
    """Morocco gave up its summer time for good that September, which older data don't know."""
    turns = Turns(
        zone=zoneinfo.ZoneInfo("Africa/Casablanca"),
        begins=datetime(2026, 11, 28, 8),
        shift=timedelta(days=1),
        people=(uuid.UUID(int=1), uuid.UUID(int=2)),
    )
    turn = on_call(Roster((turns,)), datetime(2026, 11, 29, 12, tzinfo=UTC))
    assert turn is not None
    assert turn.starts_at == datetime(2026, 11, 29, 8, tzinfo=UTC)


@pytest.mark.usefixtures("_zones_put_right")
def test_a_process_that_reads_zones_from_elsewhere_is_refused(other_system: Path) -> None:
    assert zones_come_from_the_package() == []
    zoneinfo.reset_tzpath([str(other_system)])
    (fault,) = zones_come_from_the_package()
    assert zones.package_version() in fault.msg
    assert str(other_system) in fault.msg
