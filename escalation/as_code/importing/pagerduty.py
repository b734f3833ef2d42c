"""PagerDuty's set-up, as its REST API lists it.

API: https://developer.pagerduty.com/api-reference/
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from escalation.as_code.importing.taken import WEEKDAYS, Taken, Thing, layer, restrictions

#: What is listed: the answers of these paths; schedules each by itself, which the list has without layers.
LISTS: Final = ("users", "schedules", "escalation_policies", "services")
_HOUR: Final = timedelta(hours=1)
_WEEK: Final = timedelta(days=7)


def taken_over(lists: Mapping[str, Sequence[Thing]], *, now: datetime) -> Taken:
    """Return the set-up as a document.

    Args:
        lists: by the name of a path, the things that it lists.
    """
    taken = Taken()
    emails = {str(user["id"]): user["email"] for user in lists["users"]}
    for user in lists["users"]:
        zone = {"time_zone": user["time_zone"]} if user.get("time_zone") else {}
        taken.add("users", user["email"], first_name=user.get("name") or "", **zone)
    schedules = {
        str(each["id"]): each["name"] for each in lists["schedules"] if _schedule(taken, each, emails, now)
    }
    policies = {
        str(each["id"]): each["name"]
        for each in lists["escalation_policies"]
        if _policy(taken, each, emails, schedules)
    }
    for service in lists["services"]:
        policy = policies.get(str((service.get("escalation_policy") or {}).get("id")))
        if policy is None:
            taken.leave_out(f"service {service['name']}", "its escalation policy was not taken over.")
        taken.add("integrations", service["name"], format="pagerduty", policy=policy)
    return taken


def _schedule(taken: Taken, schedule: Thing, emails: Mapping[str, str], now: datetime) -> bool:
    what = f"schedule {schedule['name']}"
    layers = [
        made
        # PagerDuty lists the highest first.
        for each in reversed(schedule.get("schedule_layers") or [])
        if (made := _layer(taken, f"{what}, layer {each['name']}", each, schedule["time_zone"], emails, now))
    ]
    if not layers:
        taken.leave_out(what, "none of its layers could be taken over.")
        return False
    taken.add("schedules", schedule["name"], layers=layers)
    return True


def _layer(
    taken: Taken, where: str, given: Thing, zone: str, emails: Mapping[str, str], now: datetime
) -> dict[str, Any] | None:
    """Return a layer; None where none is like it, or it is over."""
    end, turn = given.get("end"), timedelta(seconds=given["rotation_turn_length_seconds"])
    if end and datetime.fromisoformat(end) <= now:
        return None
    if turn % _HOUR:
        taken.leave_out(where, "its turns are not whole hours.")
        return None
    people = [str(each["user"]["id"]) for each in given["users"]]
    if unknown := [each for each in people if each not in emails]:
        taken.leave_out(where, f"there is no user {unknown[0]}.")
        return None
    if end:
        taken.leave_out(where, f"it ends at {end}; here it goes on until you remove it.")
    if datetime.fromisoformat(given["start"]) > now:
        taken.leave_out(where, f"it begins at {given['start']}; here its turns count before that, too.")
    begins = datetime.fromisoformat(given["rotation_virtual_start"]).astimezone(ZoneInfo(zone))
    hours = [part for each in given.get("restrictions") or [] for part in _hours(each)]
    if hours and turn < _WEEK:
        taken.leave_out(
            where,
            "a turn that its restrictions leave out altogether is nobody's here, and not lost: compare.",
        )
    return layer(
        name=given["name"],
        zone=zone,
        begins=begins.replace(tzinfo=None),
        shift=turn,
        turns=[[emails[each]] for each in people],
        hours=hours,
    )


def _hours(restriction: Thing) -> list[Thing]:
    begin = time.fromisoformat(restriction["start_time_of_day"])
    length = timedelta(seconds=restriction["duration_seconds"])
    if restriction["type"] == "daily_restriction":
        return restrictions(WEEKDAYS, begin, length)
    return restrictions([WEEKDAYS[restriction["start_day_of_week"] - 1]], begin, length)


def _policy(taken: Taken, policy: Thing, emails: Mapping[str, str], schedules: Mapping[str, str]) -> bool:
    what = f"escalation policy {policy['name']}"
    steps: list[Thing] = []
    after_s = 0
    for number, rule in enumerate(policy["escalation_rules"], start=1):
        targets: list[Thing] = []
        for target in rule["targets"]:
            id_ = str(target["id"])
            if target["type"].startswith("user") and id_ in emails:
                targets.append({"user": emails[id_]})
            elif target["type"].startswith("schedule") and id_ in schedules:
                targets.append({"schedule": schedules[id_]})
            else:
                taken.leave_out(f"{what}, rule {number}", f"{target['type']} {id_} was not taken over.")
        if targets:
            steps.append({"after_s": after_s, "targets": targets})
        after_s += 60 * int(rule["escalation_delay_in_minutes"])
    if not steps:
        taken.leave_out(what, "it would tell nobody.")
        return False
    repeats = int(policy.get("num_loops") or 0)
    rounds = {"repeats": repeats, "repeat_every_s": after_s} if repeats else {}
    taken.add("policies", policy["name"], **rounds, steps=steps)
    return True
