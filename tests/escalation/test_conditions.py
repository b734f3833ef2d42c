"""Conditions of steps and targets: by brute force over minutes, in plans, in history, and refused."""

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from escalation.models import EscalationProcess, Policy
from escalation.policies.conditions import Condition, failure, rest, stretches
from escalation.policies.definition import Definition
from escalation.policies.gaps import condition_gaps
from escalation.policies.parsing import steps_of
from escalation.policies.plan import World, plan
from escalation.schedules.hours import WEEK_S, WEEKDAYS
from escalation.selectors import deliveries_of
from escalation.services.policies import policy_create
from tests.factories import ContactPointFactory

PATH = "/api/v1/escalations/policies/"
MINUTE = timedelta(minutes=1)
NOBODY = World({}, {}, {})
DAY, NIGHT = {"begin": "08:00", "end": "20:00"}, {"begin": "20:00", "end": "08:00"}
# Each with a change of the clock in the fortnight that begins then: by an hour, by half an hour, forth, back.
FORTNIGHTS = (
    ("Europe/Paris", date(2026, 3, 23)),
    ("Europe/Paris", date(2026, 10, 19)),
    ("America/St_Johns", date(2026, 3, 2)),
    ("Australia/Lord_Howe", date(2026, 4, 1)),
    ("Africa/Casablanca", date(2026, 2, 9)),
)
TIMES = st.builds(time, st.integers(0, 23), st.sampled_from([0, 1, 30, 59]))


def address(digit: int = 8, **only: Any) -> dict[str, Any]:
    target: dict[str, Any] = {"type": "address", "channel": "phone", "address": f"+3361234567{digit}"}
    return target | ({"only": only} if only else {})


def step(*targets: dict[str, Any], after_s: int = 0, **only: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"after_s": after_s, "targets": list(targets)}
    return made | ({"only": only} if only else {})


def definition(*steps: dict[str, Any], **more: Any) -> Definition:
    return Definition(steps_of(list(steps)), **more)


def told(policy: Definition, at: datetime, severity: str = "critical") -> list[str]:
    recipients = plan(policy, NOBODY, started_at=at, severity=severity)
    return [each.address for each in recipients if each.is_told]


# --- By brute force ---


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    days = draw(st.sets(st.integers(0, 6), max_size=6))
    hours = draw(st.none() | st.lists(TIMES, min_size=2, max_size=2))
    begins, ends = hours or (None, None)
    return Condition(tuple(sorted(days)), begins, ends, draw(st.sampled_from(["", "critical", "standard"])))


def minutes_within(condition: Condition, begin: date) -> set[datetime]:
    """Return the minutes on the wall, from the day before a fortnight to its end, that its windows cover."""
    found: set[datetime] = set()
    for number in range(-1, 15):
        day = begin + timedelta(days=number)
        if condition.weekdays and day.weekday() not in condition.weekdays:
            continue
        first = datetime.combine(day, condition.begins or time())
        last = datetime.combine(day, condition.ends) if condition.ends else first + timedelta(days=1)
        if last <= first:
            last += timedelta(days=1)
        while first < last:
            found.add(first)
            first += MINUTE
    return found


@pytest.mark.slow
@settings(deadline=None, derandomize=True, max_examples=60)
@given(conditions(), st.sampled_from(FORTNIGHTS), st.sampled_from(["critical", "standard"]))
def test_a_condition_holds_in_the_minutes_that_the_clock_on_the_wall_shows_within_its_windows(
    condition: Condition, fortnight: tuple[str, date], severity: str
) -> None:
    name, begin = fortnight
    zone = ZoneInfo(name)
    windows = minutes_within(condition, begin)
    at = datetime.combine(begin, time(), zone).astimezone(UTC)
    end = datetime.combine(begin + timedelta(days=14), time(), zone).astimezone(UTC)
    while at < end:
        wall = at.astimezone(zone).replace(tzinfo=None, fold=0)
        expected = wall in windows and condition.severity in ("", severity)
        assert (failure(condition, at, zone=zone, severity=severity) == "") == expected, wall
        at += MINUTE


@pytest.mark.slow
@settings(deadline=None, derandomize=True, max_examples=60)
@given(conditions(), st.integers(0, 6), st.integers(0, 1439))
def test_the_parts_of_a_week_are_those_in_which_it_holds(condition: Condition, day: int, minute: int) -> None:
    at = datetime(2026, 1, 5 + day, tzinfo=UTC) + minute * MINUTE
    second = day * 86_400 + minute * 60
    holds = failure(condition, at, zone=ZoneInfo("UTC"), severity=condition.severity) == ""
    assert any(begin <= second < end for begin, end in stretches(condition)) == holds
    assert any(begin <= second < end for begin, end in rest(stretches(condition))) != holds


@pytest.mark.slow
@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    st.lists(st.tuples(conditions(), st.integers(0, 300)), min_size=1, max_size=3),
    st.integers(0, 2),
    st.integers(0, 7 * 96 - 1),
)
def test_a_warning_is_about_the_times_at_which_a_start_tells_nobody(
    given_steps: list[tuple[Condition, int]], repeats: int, quarter: int
) -> None:
    steps = [step(address(), after_s=minutes * 60, **only.as_json()) for only, minutes in given_steps]
    policy = definition(*steps, repeats=repeats, repeat_every_s=6 * 3600)
    at = datetime(2026, 1, 5, tzinfo=UTC) + quarter * timedelta(minutes=15)
    for severity in ("critical", "standard"):
        warned = [each for each in condition_gaps(policy) if each.startswith(f"A {severity} ")]
        if not warned:
            assert told(policy, at, severity)
        elif "at any time" in warned[0]:
            assert not told(policy, at, severity)
        else:
            assert within(warned[0], at) == (not told(policy, at, severity))


def within(warning: str, at: datetime) -> bool:
    """Read a warning's stretches back."""
    words = warning.replace(",", " ").split()
    second = int((at - datetime(2026, 1, 5, tzinfo=UTC)).total_seconds())
    for place, word in enumerate(words):
        if word == "from":
            begin, end = (moment(words[place + 1 + more], words[place + 2 + more]) for more in (0, 3))
            if (second - begin) % WEEK_S < ((end - begin) % WEEK_S or WEEK_S):
                return True
    return False


def moment(day: str, clock: str) -> int:
    hour, minute, *rest_ = map(int, clock.split(":"))
    return WEEKDAYS.index(day.lower()) * 86_400 + hour * 3600 + minute * 60 + sum(rest_)


# --- What a condition says ---


def test_the_night_of_a_friday_ends_on_saturday_morning() -> None:
    policy = definition(step(address(), weekdays=["fri"], **NIGHT), time_zone="Europe/Paris")
    saturday = datetime(2026, 3, 7, tzinfo=ZoneInfo("Europe/Paris"))
    hours = [hour for hour in range(24) if told(policy, saturday.replace(hour=hour))]
    assert hours == list(range(8))


def test_a_step_is_asked_for_the_time_at_which_it_is_due() -> None:
    policy = definition(step(address(1), after_s=0, **DAY), step(address(2), after_s=3600, **NIGHT))
    assert told(policy, datetime(2026, 3, 2, 19, 30, tzinfo=UTC)) == ["+33612345671", "+33612345672"]
    assert told(policy, datetime(2026, 3, 2, 18, 30, tzinfo=UTC)) == ["+33612345671"]
    assert told(policy, datetime(2026, 3, 2, 7, 30, tzinfo=UTC)) == []


def test_it_is_stored_as_it_was_said_and_what_says_nothing_is_left_away() -> None:
    given_ = step(address(1, severity="critical"), weekdays=["sun", "sat"], **NIGHT)
    stored = [each.as_json() for each in steps_of([given_])]
    assert stored[0]["only"] == {"weekdays": ["sat", "sun"], **NIGHT}
    assert stored[0]["targets"][0]["only"] == {"severity": "critical"}
    assert steps_of(stored) == steps_of([given_])
    plain = steps_of([step(address(), weekdays=list(WEEKDAYS))])[0].as_json()
    assert "only" not in plain
    assert "only" not in plain["targets"][0]


@pytest.mark.parametrize(
    ("given_", "where"),
    [
        (step(address()) | {"only": 7}, "step 1: only: Expected an object"),
        (step(address(), day="mon"), "step 1: only.day: There is no such field"),
        (step(address(), weekdays=[]), "step 1: only.weekdays"),
        (step(address(), weekdays=["Monday"]), "step 1: only.weekdays"),
        (step(address(), weekdays=[[]]), "step 1: only.weekdays"),
        (step(address(), begin="8:00", end="20:00"), "step 1: only.begin"),
        (step(address(), begin="08:00", end="24:00"), "step 1: only.end"),
        (step(address(), begin="08:00"), "step 1: only.end: Hours need"),
        (step(address(), end="08:00"), "step 1: only.begin: Hours need"),
        (step(address(), severity="high"), "step 1: only.severity"),
        (step(address(weekdays=["sun"]), weekdays=["mon"]), "step 1: target 1: only.weekdays: This never"),
        (
            step(address(severity="standard"), severity="critical"),
            "step 1: target 1: only.severity: This never",
        ),
        (step(address(**DAY), **NIGHT), "step 1: target 1: only.begin: This never"),
        (step({"type": "schedule", "schedule_id": "x", "whom": "all"}), "step 1: target 1: whom"),
        (step(address() | {"whom": "next"}), "step 1: target 1: whom: There is no such field"),
    ],
)
def test_what_is_impossible_is_refused_with_its_field(given_: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as refused:
        steps_of([given_])
    assert any(message.startswith(where) for message in refused.value.messages), refused.value.messages


# --- Over the API and the pages ---


@pytest.mark.slow
def test_the_api_takes_conditions_and_warns_of_the_hours_at_which_nobody_is_told(
    as_user: Any, operator: Any
) -> None:
    staff = as_user(operator)
    body = {
        "name": "Office",
        "steps": [step(address(), weekdays=list(WEEKDAYS[:5]), **DAY)],
        "time_zone": "Europe/Paris",
    }
    made = staff.post(PATH, body)
    assert made.status_code == 201, made.content
    assert made.json()["time_zone"] == "Europe/Paris"
    assert made.json()["steps"][0]["only"] == {"weekdays": list(WEEKDAYS[:5]), **DAY}
    gaps = [f"from {day} 20:00 until {after} 08:00" for day, after in zip(*_days(), strict=True)]
    said = f"{', '.join(gaps[:-1])} and {gaps[-1]} (Europe/Paris) would tell nobody"
    assert [said in each["explanation"] for each in problems_of(staff, made.json())] == [True, True]
    critical = staff.patch(
        f"{PATH}{made.json()['id']}/", {"steps": [step(address(severity="critical"))]}
    ).json()
    assert [each["explanation"].split(" (")[0] for each in problems_of(staff, critical)] == [
        "A standard escalation that starts at any time"
    ]
    whole = staff.patch(f"{PATH}{made.json()['id']}/", {"steps": [step(address())]}).json()
    assert problems_of(staff, whole) == []


def problems_of(staff: Any, policy: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = staff.get(f"{PATH}{policy['id']}/").json()["problems"]
    assert {each["step"] for each in found} <= {None}
    return found


def _days() -> tuple[list[str], list[str]]:
    return ["Mon", "Tue", "Wed", "Thu", "Fri"], ["Tue", "Wed", "Thu", "Fri", "Mon"]


def test_a_policy_that_could_tell_nobody_at_its_own_severity_is_refused(as_user: Any, operator: Any) -> None:
    body = {"name": "Never", "steps": [step(address(), severity="critical")], "severity": "standard"}
    refused = as_user(operator).post(PATH, body)
    assert refused.status_code == 400
    assert "for critical only" in refused.json()["severity"][0]
    zone = as_user(operator).post(PATH, {"name": "Where", "steps": [step(address())], "time_zone": "Paris"})
    assert zone.status_code == 400
    assert list(zone.json()) == ["time_zone"]
    assert not Policy.objects.exists()


def test_the_dry_run_shows_what_is_left_out_and_why(as_user: Any, operator: Any) -> None:
    steps = [
        step(address(1), **NIGHT),
        step(address(2), address(3, severity="standard"), after_s=60),
        step(address(4), after_s=120, weekdays=["sun"]),
    ]
    made, _ = policy_create(name="Orders", definition=definition(*steps))
    asked = {"at": "2026-03-02T12:00:00Z", "severity": "critical"}
    shown = as_user(operator).post(f"{PATH}{made.pk}/simulate/", asked).json()
    assert shown["severity"] == "critical"
    assert [(each["step"], each["address"], each["reason"]) for each in shown["tellings"]] == [
        (1, "", "outside_hours"),
        (2, "+33612345672", ""),
        (2, "", "other_severity"),
        (3, "", "other_weekday"),
    ]
    hours = shown["tellings"][0]
    assert hours["outcome"] == "not_told"
    assert hours["explanation"] == "Left out: it is due outside its hours. Only from 20:00 until 08:00."
    standard = as_user(operator).post(f"{PATH}{made.pk}/simulate/", {**asked, "severity": "standard"}).json()
    assert [each["address"] for each in standard["tellings"] if each["outcome"] == "told"] == [
        "+33612345672",
        "+33612345673",
    ]


@pytest.mark.slow
def test_a_process_makes_only_what_holds_and_remembers_the_rest(
    as_user: Any, operator: Any, owner: Any, stranger: Any
) -> None:
    ContactPointFactory(user=owner, channel="email", address="ana@example.com")
    person = {"type": "user", "user_id": str(owner.pk), "channels": ["email"]}
    steps = [step(person, address(3, severity="standard")), step(address(4), after_s=60, severity="standard")]
    policy_create(name="Orders", definition=definition(*steps))
    staff = as_user(operator)
    start = {"process-id": "oven", "action": "start", "policy": "Orders", "details": "It smells."}
    assert staff.post("/api/v1/escalations/", start).status_code == 201
    process = EscalationProcess.objects.get()
    assert [each.address for each in deliveries_of(process)] == ["ana@example.com"]
    history = staff.get("/api/v1/escalations/oven/").json()
    assert (history["severity"], history["details"]) == ("critical", "It smells.")
    why = "Left out: the escalation has another severity. Only if standard."
    assert left_out(staff) == [f"Step 1: {why}", f"Step 2: {why}"]
    page = Client()
    page.force_login(operator)
    shown = page.get(f"/escalations/{process.pk}/").content.decode()
    assert why in shown
    assert "It smells." in shown
    staff.post("/api/v1/escalations/oven/stop/")
    # What would have been due later says nothing any more.
    assert left_out(staff) == [f"Step 1: {why}"]
    assert staff.post("/api/v1/escalations/", {**start, "severity": "standard"}).status_code == 201
    later = EscalationProcess.objects.latest("started_at")
    assert sorted(each.address for each in deliveries_of(later)) == [
        "+33612345673", "+33612345674", "ana@example.com",
    ]  # fmt: skip
    assert left_out(staff) == []
    assert {each.notification.severity for each in deliveries_of(later)} == {"standard"}


def left_out(staff: Any) -> list[str]:
    lines = staff.get("/api/v1/escalations/oven/timeline/").json()["lines"]
    return [each["text"] for each in lines if each["kind"] == "left_out"]


def test_a_start_at_a_time_when_no_condition_holds_is_refused(as_machine: Any, operator: Any) -> None:
    policy_create(name="Orders", definition=definition(step(address(), severity="critical")))
    machine = as_machine("escalations:write")
    start = {"process-id": "oven", "action": "start", "policy": "Orders"}
    assert machine.post("/api/v1/escalations/", {**start, "severity": "standard"}).status_code == 400
    assert machine.post("/api/v1/escalations/", {**start, "severity": "loud"}).json() == {
        "severity": ["Expected one of: critical, standard."]
    }
    assert machine.post("/api/v1/escalations/", {**start, "details": "x" * 2001}).status_code == 400
    assert not EscalationProcess.objects.exists()
    assert machine.post("/api/v1/escalations/", start).status_code == 201


@pytest.mark.slow
def test_the_admin_says_when_a_policy_tells_nobody(operator: Any) -> None:
    desk = Client()
    desk.force_login(operator)
    form = {
        "name": "Orders",
        "steps": json.dumps([step(address(), weekdays=["sat"])]),
        "repeats": 0, "repeat_every_s": 0, "severity": "critical", "time_zone": "Europe/Paris",
    }  # fmt: skip
    desk.post(reverse("admin:escalation_policy_add"), form)
    said = "A critical escalation that starts from Sun 00:00 until Sat 00:00 (Europe/Paris) would tell nobody"
    policy = Policy.objects.get()
    assert said in desk.get(reverse("admin:escalation_policy_change", args=[policy.pk])).content.decode()
    refused = desk.post(reverse("admin:escalation_policy_add"), {**form, "name": "B", "time_zone": "Paris"})
    assert "IANA time zone" in refused.content.decode()
