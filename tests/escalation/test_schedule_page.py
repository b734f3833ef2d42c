"""A schedule's page: its weeks as they are, and overrides that staff make there."""

import html
import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from accounts.models import User
from config import clock
from escalation.models import Schedule, ScheduleOverride
from escalation.schedules.hours import WEEKDAYS, Restriction
from escalation.schedules.row import Roster, StandIn
from escalation.schedules.selectors import roster_of, with_layers
from escalation.schedules.turns import Turns
from escalation.schedules.weeks import DAY, DAYS, weeks_of
from escalation.services.schedules import LayerSaid, schedule_create
from tests.factories import UserFactory, schedule_of

MONDAY = date(2026, 3, 23)
PARIS = ZoneInfo("Europe/Paris")


@pytest.fixture
def team(db: None) -> list[User]:
    return [UserFactory(first_name=name, last_name="") for name in ("Ana", "Bo")]


def roster(schedule: Schedule) -> Roster:
    return roster_of(with_layers(Schedule.objects.filter(pk=schedule.pk)).get())


def two_layers(team: list[User]) -> Schedule:
    """Weeks from Monday at 8 that Bo takes first, and Ana from Tuesday on, in office hours, above."""
    weeks = LayerSaid("Europe/Paris", MONDAY - timedelta(days=7), time(8), 168, (team[0].pk, team[1].pk))
    office = LayerSaid(
        "Europe/Paris", MONDAY, time(0), 24, (team[0].pk,), name="Office",
        restrictions=(Restriction(WEEKDAYS[1:2], time(9), time(17)),),
    )  # fmt: skip
    return schedule_create(name="Nights", layers=[weeks, office])[0]


def test_a_week_has_a_row_for_each_layer_and_the_final_one(team: list[User]) -> None:
    names = {person.pk: person.first_name for person in team}
    (week,) = weeks_of(
        roster(two_layers(team)), ["Weeks", "Office"], names, first=MONDAY, count=1, zone=PARIS
    )
    shown = [(row.label, [(block.names, block.x, block.width) for block in row.blocks]) for row in week.rows]
    # The clock goes forth on Sunday: the week has 167 hours.
    hour = DAYS * DAY / 167
    assert shown == [
        ("Weeks", [("Ana", 0.0, round(8 * hour, 2)), ("Bo", round(8 * hour, 2), round(159 * hour, 2))]),
        ("Office", [("Ana", round(33 * hour, 2), round(8 * hour, 2))]),
        (
            "On call",
            [
                ("Ana", 0.0, round(8 * hour, 2)),
                ("Bo", round(8 * hour, 2), round(25 * hour, 2)),
                ("Ana", round(33 * hour, 2), pytest.approx(8 * hour, abs=0.02)),
                ("Bo", round(41 * hour, 2), pytest.approx(126 * hour, abs=0.02)),
            ],
        ),
    ]
    assert [day for day, _ in week.days] == [MONDAY + timedelta(days=number) for number in range(7)]


def test_time_with_nobody_is_a_block_of_its_own() -> None:
    ana = UserFactory.build()
    begins = datetime(2026, 3, 25, 8)
    layer = Turns(PARIS, begins, timedelta(hours=24), (ana.pk,))
    end = datetime(2026, 3, 26, 12, tzinfo=PARIS)
    away = Roster((layer,), (StandIn(ana.pk, UserFactory.build().pk, end, end + timedelta(days=9)),))
    (week,) = weeks_of(away, ["One"], {ana.pk: "Ana"}, first=MONDAY, count=1, zone=PARIS)
    (row,) = week.rows
    assert [block.names for block in row.blocks][:2] == ["", "Ana"]
    assert row.blocks[0].ends_at == datetime(2026, 3, 25, 7, tzinfo=UTC)
    assert sum(block.width for block in row.blocks) == pytest.approx(DAYS * DAY, abs=0.1)


def browser(user: User) -> Client:
    client = Client(headers={"accept": "text/html"})
    client.force_login(user)
    return client


def test_its_people_see_it_and_only_staff_change_it(team: list[User], operator: User, stranger: User) -> None:
    ana, bo = team
    schedule = schedule_of(ana, bo, shift_h=24)
    path = f"/on-call/{schedule.pk}/"
    begin = (clock.now() + timedelta(days=1)).replace(second=0, microsecond=0)
    sent = {
        "user": str(bo.pk),
        "starts_at": f"{begin:%Y-%m-%dT%H:%M}",
        "ends_at": f"{begin + timedelta(hours=3):%Y-%m-%dT%H:%M}",
    }
    assert browser(stranger).get(path).status_code == 404
    shown = browser(ana).get(path).content.decode()
    assert "Ana" in shown
    assert "Have them stand in" not in shown
    assert browser(ana).post(path, sent).status_code == 403
    assert "They stand in" in browser(operator).post(path, sent, follow=True).content.decode()
    override = ScheduleOverride.objects.get()
    assert (override.user, override.starts_at, override.ends_at) == (bo, begin, begin + timedelta(hours=3))
    assert browser(ana).post(f"/on-call/overrides/{override.pk}/remove/").status_code == 403
    assert (
        "Removed."
        in browser(operator).post(f"/on-call/overrides/{override.pk}/remove/", follow=True).content.decode()
    )
    assert not ScheduleOverride.objects.exists()


def test_what_is_no_override_is_said_at_its_field(team: list[User], operator: User) -> None:
    schedule = schedule_of(*team, shift_h=24)
    sent = {"user": str(team[0].pk), "starts_at": "2027-01-02T10:00", "ends_at": "2027-01-02T09:00"}
    answer = browser(operator).post(f"/on-call/{schedule.pk}/", sent)
    assert answer.status_code == 422
    assert b"errorlist" in answer.content
    assert not ScheduleOverride.objects.exists()


@pytest.mark.slow
@pytest.mark.parametrize("given", ["2026-03-25", "x", "9999-12-31", "0001-01-01", ""])
def test_it_begins_on_a_monday_whatever_is_asked_for(team: list[User], operator: User, given: str) -> None:
    schedule = schedule_of(*team, shift_h=24)
    shown = browser(operator).get(f"/on-call/{schedule.pk}/", {"from": given}).content.decode()
    weeks = re.findall(r">From (\d+ \w+ \d+)<", shown)
    assert len(weeks) == 4
    assert datetime.strptime(weeks[0], "%d %b %Y").weekday() == 0
    if given == "2026-03-25":
        assert weeks[0] == "23 Mar 2026"
        assert re.findall(r'href="\?from=([\d-]+)">(\w+)', shown) == [
            ("2026-02-23", "Earlier"),
            ("2026-04-20", "Later"),
        ]


def test_a_block_leads_to_the_form_with_its_times(team: list[User], operator: User) -> None:
    User.objects.filter(pk=operator.pk).update(time_zone="Europe/Paris")
    schedule = schedule_of(*team, shift_h=24, starts_on=MONDAY, time_zone="Europe/Paris")
    path = f"/on-call/{schedule.pk}/"
    page = browser(operator).get(f"{path}?from={MONDAY}").content.decode()
    links = re.findall(r'<a class="unseen" href="([^"#]+)#overrides">\s*(\w+): Tue 24 Mar', page)
    assert links[0] == (f"?from={MONDAY}&amp;starts_at=2026-03-24T08:00&amp;ends_at=2026-03-25T08:00", "Bo")
    filled = browser(operator).get(path + html.unescape(links[0][0])).content.decode()
    assert re.search(r'name="starts_at" value="2026-03-24[T ]08:00', filled)
    assert re.search(r'name="ends_at" value="2026-03-25[T ]08:00', filled)
    # The zone's own drawing, for whoever draws over it.
    assert f'data-begins="{int(datetime(2026, 3, 23, tzinfo=PARIS).timestamp())}"' in page
    assert browser(operator).get(f"{path}?starts_at=x&ends_at=9999-01-01T00:00").status_code == 200
    assert "data-draws" not in browser(team[0]).get(path).content.decode()
