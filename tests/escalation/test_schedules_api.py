"""Schedules over HTTP: made of layers, changed, asked for their final row, and named by policies."""

import uuid

import icalendar
import pytest

from escalation.models import Layer, Schedule, ScheduleOverride
from tests.factories import ContactPointFactory, UserFactory

PATH = "/api/v1/escalations/schedules/"
ROTATIONS = "/api/v1/escalations/rotations/"
WORKDAYS = ["mon", "tue", "wed", "thu", "fri"]


def layer(*members, **more):
    return {
        "time_zone": "Europe/Paris",
        "starts_on": "2026-01-05",
        "handoff_at": "08:00",
        "shift_h": 168,
        "members": [str(member.pk) for member in members],
        **more,
    }


def people_of(entry):
    return [each["user_id"] for each in entry["people"]]


@pytest.fixture
def staff(as_user, operator):
    return as_user(operator)


@pytest.fixture
def body(owner, teammate, stranger):
    """Weeks of owner and teammate; over them, on workdays from 9 to 17, stranger with one of the others."""
    hours = [{"weekdays": WORKDAYS, "begin": "09:00", "end": "17:00"}]
    days = layer(owner, stranger, teammate, name="Days", shift_h=24, per_turn=2, restrictions=hours)
    return {"name": "Counter", "layers": [layer(owner, teammate), days]}


@pytest.fixture
def path(staff, body):
    return f"{PATH}{staff.post(PATH, body).json()['id']}/"


@pytest.mark.slow
def test_a_schedule_is_made_once_and_the_same_again_answers_200(staff, body, owner, stranger, teammate):
    first, again = (staff.post(PATH, body) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    weeks, days = first.json()["layers"]
    assert (weeks["name"], weeks["per_turn"], weeks["restrictions"]) == ("", 1, [])
    assert days["restrictions"] == body["layers"][1]["restrictions"]
    assert [each["user_id"] for each in days["members"]] == [str(u.pk) for u in (owner, stranger, teammate)]
    body["layers"][1]["per_turn"] = 1
    assert staff.post(PATH, body).status_code == 409
    assert (Schedule.objects.count(), Layer.objects.count()) == (1, 2)


@pytest.mark.slow
def test_bad_input_is_refused_by_field(staff, owner):
    def of(**change):
        return {"layers": [layer(owner), layer(owner, **change)]}

    restriction = {"weekdays": ["sat"], "begin": "08:00", "end": "20:00"}
    for change, field in (
        ({"name": ""}, "name"),
        ({"layers": []}, "layers"),
        ({"layers": [layer(owner)] * 21}, "layers"),
        ({"layers": {"0": layer(owner)}}, "layers"),
        (of(shift_h=0), "layers"),
        (of(per_turn=0), "layers"),
        (of(per_turn=True), "layers"),
        (of(time_zone="Europe/Lutetia"), "layers"),
        (of(members=[]), "layers"),
        (of(members=[str(uuid.uuid4())]), "members"),
        (of(restrictions=restriction), "layers"),
        (of(restrictions=[restriction] * 21), "layers"),
        (of(restrictions=[{**restriction, "weekdays": []}]), "layers"),
        (of(restrictions=[{**restriction, "weekdays": [["sat"]]}]), "layers"),
        (of(restrictions=[{**restriction, "begin": "24:00"}]), "layers"),
        (of(restrictions=[{**restriction, "begin": "٠٨:00"}]), "layers"),
        (of(restrictions=[{**restriction, "until": "20:00"}]), "layers"),
    ):
        refused = staff.post(PATH, {"name": "Nights", "layers": [layer(owner)], **change})
        assert (refused.status_code, list(refused.json())) == (400, [field]), change
    assert not Schedule.objects.exists()
    wrong = of(restrictions=[{**restriction, "weekdays": ["saturday"]}])
    said = staff.post(PATH, {"name": "Nights", **wrong}).json()["layers"]
    expected = "weekdays: Expected a list of one or more of: mon, tue, wed, thu, fri, sat, sun."
    assert said == [f"1: restrictions: restriction 1: {expected}"]


@pytest.mark.slow
def test_the_final_row_says_who_is_on_call_and_where_that_comes_from(staff, path, owner, teammate, stranger):
    made = staff.post(
        f"{path}overrides/",
        {"user_id": str(owner.pk), "starts_at": "2026-01-06T10:00:00Z", "ends_at": "2026-01-06T12:00:00Z"},
    )
    assert made.status_code == 201
    span = {"begin": "2026-01-06T00:00:00Z", "end": "2026-01-07T08:00:00Z"}
    row = staff.get(f"{path}final/", span).json()["final"]
    shown = [
        (
            [each["user_id"] for each in entry["people"]],
            entry["starts_at"],
            entry["layer"],
            entry["override_id"],
        )
        for entry in row
    ]
    # In January it is an hour less by UTC than in Paris; Monday the 5th was the first turn.
    two = [str(teammate.pk), str(owner.pk)]
    assert shown == [
        ([str(owner.pk)], "2026-01-05T16:00:00Z", 1, None),
        (two, "2026-01-06T08:00:00Z", 2, None),
        ([str(owner.pk)], "2026-01-06T10:00:00Z", None, made.json()["id"]),
        (two, "2026-01-06T12:00:00Z", 2, None),
        ([str(owner.pk)], "2026-01-06T16:00:00Z", 1, None),
    ]
    assert row[-1]["ends_at"] == "2026-01-07T08:00:00Z"
    now = staff.get(f"{path}on-call/", {"at": "2026-01-06T09:59:59Z"}).json()["on_call"]
    assert people_of(now) == two
    assert (now["starts_at"], now["ends_at"]) == ("2026-01-06T08:00:00Z", "2026-01-06T10:00:00Z")
    assert staff.get(f"{path}on-call/", {"at": "2026-01-05T06:59:00Z"}).json()["on_call"] is None
    too_long = {"begin": "2026-01-01T00:00:00Z", "end": "2026-06-01T00:00:00Z"}
    assert list(staff.get(f"{path}final/", too_long).json()) == ["end"]
    assert staff.delete(f"{path}overrides/{made.json()['id']}/").status_code == 204
    assert not ScheduleOverride.objects.exists()


@pytest.mark.slow
def test_a_change_replaces_all_layers_or_the_name_alone(staff, path, body, owner, teammate):
    assert [each["name"] for each in staff.patch(path, {"name": "Shop"}).json()["layers"]] == ["", "Days"]
    changed = staff.patch(path, {"layers": [layer(teammate, shift_h=24)]}).json()
    assert (changed["name"], [each["shift_h"] for each in changed["layers"]]) == ("Shop", [24])
    # Whoever is in it already may stay, though switched off meanwhile.
    teammate.is_active = False
    teammate.save()
    assert staff.patch(path, {"layers": [layer(teammate, owner)]}).status_code == 200
    staff.post(PATH, {**body, "name": "Another", "layers": [layer(owner)]})
    assert staff.patch(path, {"name": "Another"}).status_code == 409
    assert staff.delete(path).status_code == 204
    assert staff.get(path).status_code == 404


@pytest.mark.slow
def test_who_takes_turns_may_look_and_strangers_may_not(
    staff, path, as_user, as_machine, anonymous, teammate
):
    for each in ("", "on-call/", "final/", "calendar/", "overrides/"):
        assert as_user(teammate).get(f"{path}{each}").status_code == 200, each
        assert as_machine("escalations:read").get(f"{path}{each}").status_code == 200, each
        assert as_user(UserFactory()).get(f"{path}{each}").status_code == 404, each
        assert anonymous.get(f"{path}{each}").status_code == 401, each
    for client in (as_user(teammate), as_machine("escalations:read", "escalations:write")):
        assert client.post(PATH, {}).status_code == 403
        assert client.patch(path, {}).status_code == 403
        assert client.delete(path).status_code == 403
        assert client.post(f"{path}overrides/", {}).status_code == 403
        assert client.post(f"{path}renew-link/").status_code == 403


@pytest.mark.slow
def test_a_schedule_of_one_plain_layer_is_a_rotation_and_no_other_is(staff, path, owner, teammate):
    pk = staff.post(PATH, {"name": "Nights", "layers": [layer(owner, teammate)]}).json()["id"]
    rotation = staff.get(f"{ROTATIONS}{pk}/").json()
    assert (rotation["kind"], rotation["shift_h"], rotation["time_zone"]) == ("weekly", 168, "Europe/Paris")
    assert [each["id"] for each in staff.get(ROTATIONS).json()["results"]] == [pk]
    assert staff.patch(f"{ROTATIONS}{pk}/", {"kind": "daily"}).json()["shift_h"] == 24
    assert staff.get(f"{PATH}{pk}/").json()["layers"][0]["shift_h"] == 24
    more = path.replace("schedules", "rotations")
    for each in ("", "on-call/", "shifts/", "calendar/", "overrides/"):
        assert staff.get(f"{ROTATIONS}{pk}/{each}").status_code == 200, each
        assert staff.get(f"{more}{each}").status_code == 404, each
    saturdays = [{"weekdays": ["sat"], "begin": "08:00", "end": "20:00"}]
    for layers in (
        [layer(owner, teammate, per_turn=2)],
        [layer(owner, teammate, restrictions=saturdays)],
        [layer(owner), layer(teammate)],
    ):
        assert staff.patch(f"{PATH}{pk}/", {"layers": layers}).status_code == 200
        assert staff.get(f"{ROTATIONS}{pk}/").status_code == 404, layers


@pytest.mark.slow
def test_the_calendar_names_everybody_of_a_turn(staff, path, owner, teammate, stranger):
    for user, name in ((owner, "Ana"), (teammate, "Ben"), (stranger, "Cleo")):
        user.first_name, user.last_name = name, ""
        user.save()
    calendar = icalendar.Calendar.from_ical(staff.get(f"{path}calendar/").content)
    names = {str(event["SUMMARY"]) for event in calendar.walk("VEVENT")}
    assert names == {
        "Counter: Ana", "Counter: Ben",
        "Counter: Ana, Cleo", "Counter: Ben, Ana", "Counter: Cleo, Ben",
    }  # fmt: skip


@pytest.mark.slow
def test_a_policy_tells_everybody_who_is_on_call(staff, path, owner, teammate):
    for user in (owner, teammate):
        ContactPointFactory(user=user, channel="email", address=user.email)
    pk = path.split("/")[-2]
    target = {"type": "schedule", "schedule_id": pk, "channels": ["email"]}
    steps = [{"after_s": 0, "targets": [target]}]
    made = staff.post("/api/v1/escalations/policies/", {"name": "Orders", "steps": steps})
    assert (made.status_code, made.json()["steps"]) == (201, steps)
    simulate = f"/api/v1/escalations/policies/{made.json()['id']}/simulate/"
    tellings = staff.post(simulate, {"at": "2026-01-06T09:00:00Z"}).json()["tellings"]
    assert [(each["user_id"], each["via"]) for each in tellings] == [
        (str(teammate.pk), "Counter"), (str(owner.pk), "Counter"),
    ]  # fmt: skip
    steps[0]["targets"][0] = {**target, "schedule_id": str(uuid.uuid4())}
    refused = staff.post("/api/v1/escalations/policies/", {"name": "Others", "steps": steps})
    assert "There is no schedule" in refused.json()["steps"][0]


@pytest.mark.slow
def test_a_list_asks_the_same_however_many_there_are(staff, path, owner, django_assert_num_queries):
    for number in range(3):
        staff.post(PATH, {"name": f"Days {number}", "layers": [layer(owner)] * 2})
    with django_assert_num_queries(6):  # session, user, schedules, layers, places, who stands in
        assert len(staff.get(PATH).json()["results"]) == 4
    assert len(staff.get(PATH, {"member": str(owner.pk)}).json()["results"]) == 4
