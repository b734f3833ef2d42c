"""Grafana OnCall's set-up, as its public API lists it (``GET /api/v1/…/``).

API: https://grafana.com/docs/oncall/latest/oncall-api-reference/
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any, Final
from zoneinfo import ZoneInfo

from escalation.as_code.importing.taken import WEEKDAYS, Taken, Thing, by_id, layer, restrictions

#: What is listed: the answers of these paths.
LISTS: Final = (
    "users", "schedules", "on_call_shifts", "escalation_chains", "escalation_policies", "integrations",
    "routes",
)  # fmt: skip
_FORMATS: Final = {"alertmanager": "alertmanager", "grafana_alerting": "grafana"}
#: Of integrations of the type "formatted webhook": its documented fields.
_FORMATTED: Final = {
    "key": "alert_uid",
    "title": "title",
    "state": "state",
    "details": "message",
    "link": "link_to_upstream_details",
}
_HOURS: Final = {"hourly": 1, "daily": 24, "weekly": 168}
#: How often OnCall begins a chain again at most.
_REPEATS: Final = 5
_DAY: Final = timedelta(days=1)


def taken_over(lists: Mapping[str, Sequence[Thing]], *, now: datetime) -> Taken:
    """Return the set-up as a document.

    Args:
        lists: by the name of a path, the things that it lists.
    """
    taken = Taken()
    emails = {}
    for user in lists["users"]:
        if user.get("email"):
            emails[str(user["id"])] = user["email"]
            taken.add("users", user["email"])
        else:
            taken.leave_out(f"user {user.get('username')}", "has no email address.")
    shifts = by_id(lists["on_call_shifts"])
    schedules = {
        str(each["id"]): each["name"]
        for each in lists["schedules"]
        if _schedule(taken, each, shifts, emails, now)
    }
    chains = {str(each["id"]): each["name"] for each in lists["escalation_chains"]}
    policies = {
        id_: name
        for id_, name in chains.items()
        if _policy(taken, name, _steps_of(lists["escalation_policies"], id_), emails, schedules)
    }
    names = {str(each["id"]): each["name"] for each in lists["integrations"]}
    for each in lists["integrations"]:
        _integration(taken, each, policies)
    for route in lists["routes"]:
        if not route.get("is_the_last_route"):
            what = f"route {route.get('routing_regex')!r} of {names.get(str(route['integration_id']))}"
            taken.leave_out(what, "its pattern is asked of the whole body; write a route by labels.")
    return taken


# --- Schedules ----------------------------------------------------------------------------------------------


def _schedule(
    taken: Taken, schedule: Thing, shifts: Mapping[str, Thing], emails: Mapping[str, str], now: datetime
) -> bool:
    what = f"schedule {schedule['name']}"
    layers, overrides = [], []
    if url := schedule.get("ical_url_primary"):
        layers.append(_by_calendar("iCal", url, schedule))
    own = [shifts[str(id_)] for id_ in schedule.get("shifts") or [] if str(id_) in shifts]
    # The higher level counts.
    for shift in sorted(own, key=lambda each: each.get("level") or 0):
        zone = shift.get("time_zone") or schedule.get("time_zone") or "UTC"
        where = f"{what}, shift {shift['name'] or shift['id']}"
        if shift["type"] in ("single_event", "override"):
            overrides += _overrides(taken, where, shift, zone, emails, now)
        elif made := _layer(taken, where, shift, zone, emails, now):
            layers.append(made)
    # There, what it has somebody on call by counts before all shifts.
    if url := schedule.get("ical_url_overrides"):
        layers.append(_by_calendar("iCal overrides", url, schedule))
    if not layers:
        taken.leave_out(what, "none of its shifts could be taken over.")
        return False
    taken.add("schedules", schedule["name"], layers=layers, overrides=overrides)
    return True


def _by_calendar(name: str, url: str, schedule: Thing) -> dict[str, Any]:
    return {"name": name, "time_zone": schedule.get("time_zone") or "UTC", "ical_url": url}


def _layer(
    taken: Taken, where: str, shift: Thing, zone: str, emails: Mapping[str, str], now: datetime
) -> dict[str, Any] | None:
    """Return a recurring shift as a layer; None where none is like it."""
    local_now = now.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    frequency, until = shift.get("frequency"), shift.get("until")
    if until and _wall(until) <= local_now:
        return None  # It is over.
    if frequency not in _HOURS or shift.get("by_month") or shift.get("by_monthday"):
        taken.leave_out(where, f"a frequency like this is not taken over: {frequency}.")
        return None
    turns = shift.get("rolling_users") or [shift.get("users") or []]
    first = shift.get("start_rotation_from_user_index") or 0
    members = [_known(taken, where, users, emails) for users in [*turns[first:], *turns[:first]]]
    if not all(members):
        taken.leave_out(where, "a turn of it has nobody.")
        return None
    if len({len(turn) for turn in members}) > 1:
        taken.leave_out(where, "some of its turns have more people than others.")
        return None
    if until:
        taken.leave_out(where, f"it ends on {until}; here it goes on until you remove it.")
    begins, length = _wall(shift["start"]), timedelta(seconds=shift["duration"])
    turn = timedelta(hours=_HOURS[frequency]) * (shift.get("interval") or 1)
    days = [each for each in WEEKDAYS if each[:2].upper() in (shift.get("by_day") or [])]
    if frequency == "weekly" and days:
        # Whoever's week it is: from its first day on.
        begins -= timedelta(days=(begins.weekday() - _week_start(shift)) % 7)
    hours = _hours(frequency, turn, begins if not days else _wall(shift["start"]), length, days)
    if hours is None:
        taken.leave_out(where, "its hours don't come again each week, so they are not taken over.")
        return None
    return layer(name=shift["name"] or "", zone=zone, begins=begins, shift=turn, turns=members, hours=hours)


def _hours(
    frequency: str, turn: timedelta, begins: datetime, length: timedelta, days: Sequence[str]
) -> list[Thing] | None:
    """Return when within the week somebody is on call, empty for always; None where each week is another."""
    if length >= (turn if not days else _DAY) and not days:
        return []
    match frequency:
        case "hourly":
            return None
        case "daily":
            if turn != _DAY or length > _DAY:
                return None
            return restrictions(days or WEEKDAYS, begins.time(), length)
        case _:
            if turn > timedelta(days=7):
                return None
            return restrictions(days or [WEEKDAYS[begins.weekday()]], begins.time(), length)


def _overrides(
    taken: Taken, where: str, shift: Thing, zone: str, emails: Mapping[str, str], now: datetime
) -> list[Thing]:
    begins = _wall(shift["start"]).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    ends = begins + timedelta(seconds=shift["duration"])
    turns = shift.get("rolling_users") or [shift.get("users") or []]
    people = _known(taken, where, turns[0] if turns else [], emails)
    if ends <= now:
        return []
    if len(people) != 1:
        taken.leave_out(where, "an override has one person here.")
        return []
    return [{"user": people[0], "starts_at": begins.isoformat(), "ends_at": ends.isoformat()}]


def _known(taken: Taken, where: str, users: Sequence[str], emails: Mapping[str, str]) -> list[str]:
    for user in users:
        if user not in emails:
            taken.leave_out(where, f"there is no user {user}.")
    return [emails[user] for user in users if user in emails]


def _wall(given: str) -> datetime:
    return datetime.fromisoformat(given).replace(tzinfo=None)


def _week_start(shift: Thing) -> int:
    start = (shift.get("week_start") or "SU").lower()
    return next(place for place, each in enumerate(WEEKDAYS) if each.startswith(start))


# --- Chains -------------------------------------------------------------------------------------------------


def _steps_of(policies: Sequence[Thing], chain: str) -> list[Thing]:
    own = [each for each in policies if str(each["escalation_chain_id"]) == chain]
    return sorted(own, key=itemgetter("position"))


def _policy(
    taken: Taken, name: str, steps: Sequence[Thing], emails: Mapping[str, str], schedules: Mapping[str, str]
) -> bool:
    """Take an escalation chain over; returns whether there is a policy of it."""
    what = f"escalation chain {name}"
    after_s, repeats = 0, 0
    told: dict[int, list[Thing]] = {}
    for number, step in enumerate(steps, start=1):
        where = f"{what}, step {number}"
        match step["type"]:
            case "wait":
                after_s += int(step.get("duration") or 0)
            case "notify_persons":
                people = _known(taken, where, step.get("persons_to_notify") or [], emails)
                told.setdefault(after_s, []).extend({"user": email} for email in people)
            case "notify_on_call_from_schedule":
                schedule = schedules.get(str(step.get("notify_on_call_from_schedule")))
                if schedule:
                    told.setdefault(after_s, []).append({"schedule": schedule})
                else:
                    taken.leave_out(where, "its schedule was not taken over.")
            case "repeat_escalation":
                repeats = _REPEATS
            case other:
                taken.leave_out(where, f"a step of this type is not taken over: {other}.")
        if step.get("important"):
            taken.leave_out(where, "“important” is a severity here: set it on the policy.")
    told = {at: targets for at, targets in told.items() if targets}
    if not told:
        taken.leave_out(what, "it would tell nobody.")
        return False
    # A round begins after the last step of the one before.
    rounds = (
        {"repeats": repeats, "repeat_every_s": max(after_s, *(at + 60 for at in told))} if repeats else {}
    )
    taken.add("policies", name, **rounds, steps=[{"after_s": at, "targets": told[at]} for at in sorted(told)])
    return True


def _integration(taken: Taken, integration: Thing, policies: Mapping[str, str]) -> None:
    name, type_ = integration["name"], integration["type"]
    format_ = _FORMATS.get(type_, "generic" if type_ == "formatted_webhook" else None)
    if format_ is None:
        taken.leave_out(f"integration {name}", f"it is of the type {type_}: see docs/integrations.md.")
        return
    chain = (integration.get("default_route") or {}).get("escalation_chain_id")
    policy = policies.get(str(chain))
    if chain and policy is None:
        taken.leave_out(
            f"integration {name}", "the escalation chain of its default route was not taken over."
        )
    mapping = {"mapping": _FORMATTED} if format_ == "generic" else {}
    taken.add("integrations", name, format=format_, policy=policy, **mapping)
