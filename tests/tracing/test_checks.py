"""A cron line that can't be meant is refused before anything starts."""

import pytest
from django.core.checks import run_checks
from pytest_django import Settings

from notifications.checks import BEFORE_START
from tracing.checks import the_check_has_its_times


@pytest.mark.parametrize("line", ["*/15 * * * *", "0 3 29 2 *", "5,35 8-18 * * MON-FRI"])
def test_the_check_runs_by_any_cron_line(settings: Settings, line: str) -> None:
    settings.TRACING_CHECK_CRON = line
    assert the_check_has_its_times() == []


@pytest.mark.parametrize("line", ["", "*/15 * * *", "61 * * * *", "often", "0 0 30 2 *"])
def test_nothing_starts_with_another(settings: Settings, line: str) -> None:
    settings.TRACING_CHECK_CRON = line
    assert [fault.id for fault in run_checks(tags=BEFORE_START)] == ["tracing.E001"]
