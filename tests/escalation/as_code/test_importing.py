"""Other systems' set-ups, in the shapes that their APIs document, taken over and applied."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from escalation.as_code.importing import oncall, pagerduty
from escalation.as_code.importing.taken import restrictions
from escalation.as_code.reading import Loader
from escalation.models import Integration, Policy
from escalation.policies.selectors import definition_of, newest_version

Taken = tuple[dict[str, Any], str]
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)

ONCALL: dict[str, list[dict[str, Any]]] = {
    "users": [
        {"id": "U1", "email": "ana@example.com", "username": "ana", "role": "user"},
        {"id": "U2", "email": "bo@example.com", "username": "bo", "role": "user"},
        {"id": "U3", "email": "", "username": "robot", "role": "viewer"},
    ],
    "on_call_shifts": [
        {
            "id": "O1", "name": "Nights", "type": "rolling_users", "time_zone": "Europe/Paris", "level": 1,
            "start": "2026-01-05T20:00:00", "duration": 43200, "frequency": "daily", "interval": 1,
            "by_day": None, "rolling_users": [["U1"], ["U2"]], "start_rotation_from_user_index": 1,
        },
        {
            "id": "O2", "name": "Weeks", "type": "rolling_users", "time_zone": None, "level": 0,
            "start": "2026-01-07T09:00:00", "duration": 28800, "frequency": "weekly", "interval": 1,
            "week_start": "MO", "by_day": ["MO", "TU"], "rolling_users": [["U1", "U2"], ["U2", "U1"]],
        },
        {
            "id": "O6", "name": "Uneven", "type": "rolling_users", "level": 0, "duration": 3600,
            "start": "2026-01-07T09:00:00", "frequency": "daily", "rolling_users": [["U1", "U2"], ["U2"]],
        },
        {
            "id": "O3", "name": "Away", "type": "single_event", "time_zone": "UTC", "level": 9,
            "start": "2026-12-24T08:00:00", "duration": 3600, "users": ["U2"],
        },
        {
            "id": "O4", "name": "Over", "type": "recurrent_event", "level": 0, "start": "2020-01-01T00:00:00",
            "duration": 3600, "frequency": "daily", "until": "2021-01-01T00:00:00", "users": ["U1"],
        },
        {
            "id": "O5", "name": "Monthly", "type": "recurrent_event", "level": 0, "users": ["U1"],
            "start": "2026-01-01T00:00:00", "duration": 3600, "frequency": "monthly",
        },
    ],
    "schedules": [
        {
            "id": "S1", "name": "Primary", "type": "calendar", "time_zone": "America/New_York",
            "shifts": ["O1", "O2", "O3", "O4", "O5", "O6"], "ical_url_overrides": None,
        },
        {"id": "S2", "name": "Calendar", "type": "ical", "ical_url_primary": "https://example.com/a.ics"},
    ],
    "escalation_chains": [{"id": "F1", "name": "Orders"}, {"id": "F2", "name": "Only Slack"}],
    "escalation_policies": [
        {"id": "E3", "escalation_chain_id": "F1", "position": 2, "type": "notify_persons",
         "persons_to_notify": ["U2", "U3"], "important": True},
        {"id": "E1", "escalation_chain_id": "F1", "position": 0, "type": "notify_on_call_from_schedule",
         "notify_on_call_from_schedule": "S1"},
        {"id": "E2", "escalation_chain_id": "F1", "position": 1, "type": "wait", "duration": 300},
        {"id": "E4", "escalation_chain_id": "F1", "position": 3, "type": "repeat_escalation"},
        {"id": "E5", "escalation_chain_id": "F2", "position": 0, "type": "notify_whole_channel"},
    ],
    "integrations": [
        {"id": "C1", "name": "Prometheus", "type": "alertmanager",
         "default_route": {"id": "R1", "escalation_chain_id": "F1"}},
        {"id": "C2", "name": "Shop", "type": "formatted_webhook", "default_route": None},
        {"id": "C3", "name": "Jira", "type": "jira", "default_route": {"escalation_chain_id": "F1"}},
    ],
    "routes": [
        {"id": "R2", "integration_id": "C1", "routing_regex": "us-(east|west)", "is_the_last_route": False},
        {"id": "R1", "integration_id": "C1", "routing_regex": ".*", "is_the_last_route": True},
    ],
}  # fmt: skip

PAGERDUTY: dict[str, list[dict[str, Any]]] = {
    "users": [
        {"id": "P1", "name": "Ana Lima", "email": "ana@example.com", "time_zone": "Europe/Paris"},
        {"id": "P2", "name": "Bo", "email": "bo@example.com", "time_zone": "UTC"},
    ],
    "schedules": [
        {
            "id": "S1", "name": "Primary", "time_zone": "Europe/Paris",
            "schedule_layers": [
                {
                    "id": "L2", "name": "Weekend", "start": "2026-01-01T00:00:00+01:00", "end": None,
                    "rotation_virtual_start": "2026-01-05T09:00:00+01:00",
                    "rotation_turn_length_seconds": 604800, "users": [{"user": {"id": "P2"}}],
                    "restrictions": [
                        {"type": "weekly_restriction", "start_day_of_week": 6,
                         "start_time_of_day": "09:00:00", "duration_seconds": 172800}
                    ],
                },
                {
                    "id": "L1", "name": "Days", "start": "2026-01-01T00:00:00+01:00", "end": None,
                    "rotation_virtual_start": "2026-01-05T08:00:00Z",
                    "rotation_turn_length_seconds": 604800,
                    "users": [{"user": {"id": "P1"}}, {"user": {"id": "P2"}}],
                    "restrictions": [
                        {"type": "daily_restriction", "start_time_of_day": "09:00:00",
                         "duration_seconds": 28800}
                    ],
                },
                {
                    "id": "L0", "name": "Old", "start": "2020-01-01T00:00:00Z", "end": "2021-01-01T00:00:00Z",
                    "rotation_virtual_start": "2020-01-01T00:00:00Z",
                    "rotation_turn_length_seconds": 86400, "users": [{"user": {"id": "P1"}}],
                    "restrictions": [],
                },
            ],
        },
    ],
    "escalation_policies": [
        {
            "id": "E1", "name": "Orders", "num_loops": 2,
            "escalation_rules": [
                {"escalation_delay_in_minutes": 10, "targets": [{"id": "S1", "type": "schedule_reference"}]},
                {"escalation_delay_in_minutes": 30, "targets": [{"id": "P2", "type": "user_reference"},
                                                               {"id": "P9", "type": "user_reference"}]},
            ],
        },
    ],
    "services": [{"id": "V1", "name": "Web shop", "escalation_policy": {"id": "E1"}}],
}  # fmt: skip


@pytest.fixture
def take_over(tmp_path: Path) -> Callable[..., Taken]:
    """Import a set-up from files; returns the document, and what was said of what it leaves out."""

    def run(command: str, lists: dict[str, Any]) -> Taken:
        for name, given in lists.items():
            (tmp_path / f"{name}.json").write_text(json.dumps(given))
        out, said = io.StringIO(), io.StringIO()
        call_command(command, tmp_path, stdout=out, stderr=said)
        (tmp_path / "team.yaml").write_text(out.getvalue())
        return yaml.load(out.getvalue(), Loader), said.getvalue()

    return run


def test_oncalls_calendars_by_link_are_layers_that_are_fed_by_them() -> None:
    calendars = {"ical_url_overrides": "https://example.com/b.ics", "time_zone": "Europe/Paris"}
    lists = {**ONCALL, "schedules": [ONCALL["schedules"][0] | calendars, ONCALL["schedules"][1]]}
    primary, calendar = oncall.taken_over(lists, now=NOW).document["schedules"]
    assert primary["layers"][-1] == {
        "name": "iCal overrides", "time_zone": "Europe/Paris", "ical_url": "https://example.com/b.ics",
    }  # fmt: skip
    assert calendar["layers"] == [
        {"name": "iCal", "time_zone": "UTC", "ical_url": "https://example.com/a.ics"}
    ]


def test_oncalls_shifts_are_layers_with_the_higher_level_on_top() -> None:
    schedule = oncall.taken_over(ONCALL, now=NOW).document["schedules"][0]
    weeks, nights = schedule["layers"]
    assert nights == {
        "name": "Nights",
        "time_zone": "Europe/Paris",
        "starts_on": "2026-01-05",
        "handoff_at": "20:00",
        "shift_h": 24,
        "per_turn": 1,
        "members": ["bo@example.com", "ana@example.com"],
        "restrictions": [
            {"weekdays": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "begin": "20:00", "end": "08:00"}
        ],
    }
    assert (weeks["time_zone"], weeks["shift_h"]) == ("America/New_York", 168)
    # The week of the first shift began on the Monday before.
    assert weeks["starts_on"] == "2026-01-05"
    assert weeks["per_turn"] == 2
    assert weeks["members"] == ["ana@example.com", "bo@example.com", "bo@example.com", "ana@example.com"]
    assert weeks["restrictions"] == [{"weekdays": ["mon", "tue"], "begin": "09:00", "end": "17:00"}]
    assert schedule["overrides"] == [
        {
            "user": "bo@example.com",
            "starts_at": "2026-12-24T08:00:00+00:00",
            "ends_at": "2026-12-24T09:00:00+00:00",
        }
    ]


def test_oncalls_chain_is_a_policy() -> None:
    (policy,) = oncall.taken_over(ONCALL, now=NOW).document["policies"]
    assert policy == {
        "name": "Orders",
        "repeats": 5,
        "repeat_every_s": 360,
        "steps": [
            {"after_s": 0, "targets": [{"schedule": "Primary"}]},
            {"after_s": 300, "targets": [{"user": "bo@example.com"}]},
        ],
    }


def test_what_oncall_has_and_we_have_not_is_listed() -> None:
    left_out = oncall.taken_over(ONCALL, now=NOW).left_out
    for part in (
        "user robot: has no email address",
        "schedule Primary, shift Monthly: a frequency",
        "schedule Primary, shift Uneven: some of its turns",
        "escalation chain Orders, step 3: there is no user U3",
        "escalation chain Orders, step 3: “important”",
        "escalation chain Only Slack, step 1: a step of this type is not taken over: notify_whole_channel",
        "escalation chain Only Slack: it would tell nobody",
        "integration Jira: it is of the type jira",
        "route 'us-(east|west)' of Prometheus",
    ):
        assert any(line.startswith(part) for line in left_out), part
    assert len(left_out) == 9


def test_pagerdutys_layers_stand_the_other_way_round() -> None:
    taken = pagerduty.taken_over(PAGERDUTY, now=NOW)
    days, weekend = taken.document["schedules"][0]["layers"]
    assert (days["starts_on"], days["handoff_at"]) == ("2026-01-05", "09:00")
    assert days["members"] == ["ana@example.com", "bo@example.com"]
    assert weekend["restrictions"] == [{"weekdays": ["sat", "sun"], "begin": "09:00", "end": "09:00"}]
    assert taken.document["policies"] == [
        {
            "name": "Orders",
            "repeats": 2,
            "repeat_every_s": 2400,
            "steps": [
                {"after_s": 0, "targets": [{"schedule": "Primary"}]},
                {"after_s": 600, "targets": [{"user": "bo@example.com"}]},
            ],
        }
    ]
    assert taken.left_out == ["escalation policy Orders, rule 2: user_reference P9 was not taken over."]


def test_hours_over_several_days_are_in_parts() -> None:
    given = datetime(2026, 1, 2, 18).time()
    assert restrictions(["fri"], given, datetime(2026, 1, 5, 6) - datetime(2026, 1, 2, 18)) == [
        {"weekdays": ["fri", "sat"], "begin": "18:00", "end": "18:00"},
        {"weekdays": ["sun"], "begin": "18:00", "end": "06:00"},
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "lists"),
    [("import_oncall", ONCALL), ("import_pagerduty", PAGERDUTY)],
    ids=["oncall", "pagerduty"],
)
def test_what_is_imported_can_be_applied(
    db: None, take_over: Callable[..., Taken], tmp_path: Path, command: str, lists: dict[str, Any]
) -> None:
    _, said = take_over(command, lists)
    assert "things were not taken over" in said
    for expected in ("changes made", "Nothing to change"):
        out = io.StringIO()
        call_command("apply", tmp_path / "team.yaml", yes=True, stdout=out)
        assert expected in out.getvalue()
    steps = definition_of(newest_version(Policy.objects.get(name="Orders"))).steps
    assert [step.after_s for step in steps] == ([0, 300] if command == "import_oncall" else [0, 600])
    assert Integration.objects.exclude(policy=None).exists()


def test_pages_of_a_list_are_one(take_over: Callable[..., Taken], tmp_path: Path) -> None:
    more = [{"id": "U9", "email": "eva@example.com", "username": "eva"}]
    (tmp_path / "users-2.json").write_text(json.dumps({"count": 1, "next": None, "results": more}))
    document, _ = take_over("import_oncall", {**ONCALL, "users": {"results": ONCALL["users"]}})
    assert [each["email"] for each in document["users"]] == [
        "ana@example.com", "bo@example.com", "eva@example.com",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lists", "why"),
    [
        ({"users": {"detail": "Invalid token."}}, "users.json: expected an answer of the API"),
        ({"users": "<html>"}, "expected an answer"),
        ({"users": [{"id": "U1"}, "U2"]}, "not as the API documents it"),
        ({"schedules": [{"id": "S1"}]}, "not as the API documents it"),
    ],
)
def test_answers_that_are_none_are_refused(take_over: Callable[..., Taken], lists: Any, why: str) -> None:
    with pytest.raises(CommandError, match=why):
        take_over("import_oncall", {**ONCALL, **lists})


def test_a_list_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"users\.json: .*No such file"):
        call_command("import_pagerduty", tmp_path)
