"""How the time on call was shared: a week worked by hand, and what each way of standing in does to it."""

from datetime import UTC, date, datetime, time, timedelta
from time import perf_counter
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from escalation.figures.fairness import Load, loads_of
from escalation.models import Schedule, ScheduleOverride
from escalation.schedules.hours import WEEKDAYS, Restriction, hours_of
from escalation.schedules.row import Roster, StandIn
from escalation.schedules.turns import Turns
from notifications.models import Delivery
from tests.factories import NotificationFactory, UserFactory, schedule_of
from tests.queued import stored
from tests.web.test_pages import Page

PATH = "/api/v1/escalations/schedules/"
UTC_ZONE = ZoneInfo("UTC")
ANA, BEN, CLEO = (UUID(int=number) for number in (1, 2, 3))
#: A Monday; Ana has been on call since eight the day before, and they hand over each day at eight.
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
END = BEGIN + timedelta(days=7)
WEEK = {"begin": BEGIN.isoformat(), "end": END.isoformat()}

OFFICE = hours_of([Restriction(WEEKDAYS[:5], time(9), time(17))])


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def daily(*people: UUID, **more: Any) -> Turns:
    return Turns(UTC_ZONE, datetime(2026, 2, 23, 8), hours(24), people, **more)


def loads(*rosters: Roster, zone: str = "UTC", begin: datetime = BEGIN, end: datetime = END) -> list[Load]:
    """What Ana, Ben and Cleo have of it."""
    found = loads_of(rosters, dict.fromkeys((ANA, BEN, CLEO), ZoneInfo(zone)), begin=begin, end=end)
    return [found[each] for each in (ANA, BEN, CLEO)]


def stand_in(user_id: UUID, first: float, last: float, instead_of: UUID | None = None) -> StandIn:
    """From so many hours after the beginning until so many."""
    return StandIn(uuid4(), user_id, BEGIN + hours(first), BEGIN + hours(last), instead_of)


def test_hours_nights_weekends_turns_and_the_longest_are_what_a_week_has() -> None:
    ana, ben, cleo = loads(Roster((daily(ANA, BEN),)))
    assert (ana.on_call, ben.on_call) == (hours(80), hours(88))
    assert (ana.at_night, ben.at_night) == (hours(34), hours(29))
    assert (ana.at_weekends, ben.at_weekends) == (hours(24), hours(24))
    assert (ana.turns, ben.turns) == (4, 4)
    assert (ana.longest, ben.longest) == (hours(24), hours(24))
    # Ana's last day off ended on Saturday at eight, and Ben's on Sunday.
    assert (ana.since_time_off, ben.since_time_off) == (hours(40), hours(16))
    assert cleo == Load()


def test_whoever_stands_in_has_the_time_and_the_other_has_not() -> None:
    row = Roster((daily(ANA, BEN),), (stand_in(CLEO, 12, 36),))
    ana, ben, cleo = loads(row)
    # Ben's from Monday noon, and four hours of Ana's.
    assert (ana.on_call, ben.on_call, cleo.on_call) == (hours(76), hours(68), hours(24))
    assert (ana.turns, ben.turns, cleo.turns) == (4, 4, 1)


def test_in_a_turn_of_two_only_the_one_who_is_replaced_loses_time() -> None:
    row = Roster((daily(ANA, BEN, per_turn=2),), (stand_in(CLEO, 12, 32, BEN),))
    ana, ben, cleo = loads(row)
    assert (ana.on_call, ben.on_call, cleo.on_call) == (hours(168), hours(148), hours(20))
    # Each day from Sunday on is a turn of both; that Cleo is there with Ana makes no other turn of hers.
    assert (ana.turns, ben.turns, cleo.turns) == (8, 8, 1)
    assert (ana.longest, ben.longest) == (hours(168), hours(136))
    # Twenty hours off are no time off.
    assert (ana.since_time_off, ben.since_time_off) == (hours(168), hours(168))


def test_a_turn_in_parts_is_one_turn() -> None:
    weeks = Turns(UTC_ZONE, datetime(2026, 2, 23), timedelta(weeks=1), (BEN, ANA), hours=OFFICE)
    ana, ben, _ = loads(Roster((weeks,)))
    assert (ana.on_call, ana.turns, ana.longest, ben.turns) == (hours(40), 1, hours(8), 0)
    # From Friday at five on, they are off.
    assert ana.since_time_off == hours(0)


def test_nights_and_weekends_are_by_the_clock_of_whoever_is_on_call() -> None:
    # From eight to eight UTC is from 17:00 to 17:00 in Tokyo, where Monday begins nine hours sooner.
    ana, ben, _ = loads(Roster((daily(ANA, BEN),)), zone="Asia/Tokyo")
    # Ana's first night ends there at 22:00 UTC, before the period, and Ben's last is whole.
    assert (ana.at_night, ben.at_night) == (hours(27), hours(36))
    # Saturday is from Friday 15:00 UTC on, and Sunday until 15:00.
    assert (ana.at_weekends, ben.at_weekends) == (hours(24), hours(24))


def test_time_by_two_schedules_at_once_counts_once_and_the_turns_are_both() -> None:
    ana, ben, _ = loads(Roster((daily(ANA, BEN),)), Roster((daily(ANA),)))
    assert (ana.on_call, ana.turns, ana.longest) == (hours(168), 12, hours(168))
    assert ben.on_call == hours(88)


def test_a_year_of_layers_and_overrides_takes_less_than_300_ms() -> None:
    people = tuple(UUID(int=number) for number in range(1, 11))
    begins = datetime(2026, 1, 5, 8)
    paris = ZoneInfo("Europe/Paris")
    layers = (
        Turns(paris, begins, hours(168), people),
        Turns(paris, begins, hours(12), people, per_turn=2),
        Turns(ZoneInfo("America/New_York"), begins, hours(24), people, hours=OFFICE),
    )
    covers = tuple(
        stand_in(people[number % 10], number * 80, number * 80 + 9, people[number % 7])
        for number in range(100)
    )
    roster = Roster(layers, covers)
    took = []
    for _ in range(3):
        since = perf_counter()
        found = loads_of([roster], dict.fromkeys(people, paris), begin=BEGIN, end=BEGIN + timedelta(days=365))
        took.append(perf_counter() - since)
    assert sum((each.on_call for each in found.values()), hours(0)) > timedelta(days=365)
    assert min(took) < 0.3


# --- Over the API and on the page ---------------------------------------------------------------------------


@pytest.fixture
def team(db: None) -> list[User]:
    return [UserFactory(first_name=name, last_name="", time_zone="UTC") for name in ("Ana", "Ben")]


@pytest.fixture
def schedule(team: list[User]) -> Schedule:
    return schedule_of(*team, shift_h=24, starts_on=date(2026, 2, 23))


def page_sent(
    user: User, at: datetime, *, channel: str = "sms", kind: str = "escalation", **more: Any
) -> None:
    """A message of an escalation that reached somebody."""
    told = NotificationFactory(kind=kind, source_type="escalation")
    said = {"status": "sent", "sent_at": at, "due_at": at, "expires_at": at, "id": _id_at(at)} | more
    stored([Delivery(notification=told, user=user, channel=channel, address="", **said)])


def _id_at(at: datetime) -> UUID:
    return UUID(int=int(at.timestamp() * 1000) << 80 | 8 << 76 | 2 << 62 | (uuid4().int & ((1 << 62) - 1)))


def read(client: APIClient, path: str, **query: str) -> dict[str, Any]:
    answer = client.get(f"{PATH}{path}", {**WEEK, **query})
    assert answer.status_code == 200, answer.content
    return {each["name"]: each for each in answer.json()["people"]}


def test_the_api_shows_what_each_had_whoever_had_most_first(
    as_user: Any, team: list[User], schedule: Schedule
) -> None:
    answer = as_user(team[0]).get(f"{PATH}{schedule.pk}/fairness/", WEEK).json()
    assert answer["on_call_s"] == 168 * 3600
    assert [each["name"] for each in answer["people"]] == ["Ben", "Ana"]
    assert answer["people"][1] == {
        "user_id": str(team[0].pk), "name": "Ana", "time_zone": "UTC", "on_call_s": 80 * 3600,
        "night_s": 34 * 3600, "weekend_s": 24 * 3600, "turns": 4, "longest_s": 24 * 3600,
        "since_time_off_s": 40 * 3600, "pages": 0, "pages_at_night": 0,
    }  # fmt: skip


def test_pages_count_for_whoever_was_on_call_then_and_at_night_by_their_clock(
    as_user: Any, operator: User, team: list[User], schedule: Schedule
) -> None:
    ana, _ = team
    # Ana has Monday until eight, and Tuesday from eight on.
    page_sent(ana, BEGIN + hours(6.9))
    page_sent(ana, BEGIN + hours(7))
    page_sent(ana, BEGIN + hours(8))  # no more on call
    page_sent(ana, BEGIN + hours(32 + 13.9))
    page_sent(ana, BEGIN + hours(32 + 14), channel="phone")
    page_sent(ana, BEGIN + hours(40), channel="inbox")
    page_sent(ana, BEGIN + hours(40), kind="escalation.resolved")
    page_sent(ana, BEGIN + hours(40), status="failed", sent_at=None)
    found = read(as_user(operator), f"{schedule.pk}/fairness/")
    assert (found["Ana"]["pages"], found["Ana"]["pages_at_night"]) == (4, 2)
    assert found["Ben"]["pages"] == 0


def test_whoever_takes_no_turns_is_there_once_they_stand_in(
    as_user: Any, operator: User, team: list[User], schedule: Schedule
) -> None:
    cleo = UserFactory(first_name="Cleo", last_name="", time_zone="UTC")
    late = END + timedelta(days=1)
    ScheduleOverride.objects.create(schedule=schedule, user=cleo, starts_at=END, ends_at=late)
    assert set(read(as_user(operator), f"{schedule.pk}/fairness/")) == {"Ana", "Ben"}
    found = read(as_user(operator), f"{schedule.pk}/fairness/", end=late.isoformat())
    assert found["Cleo"]["on_call_s"] == 86_400


def test_all_schedules_together_are_those_that_one_sees(
    as_user: Any, as_machine: Any, team: list[User], schedule: Schedule, owner: User
) -> None:
    User.objects.filter(pk=owner.pk).update(first_name="Owner", last_name="")
    schedule_of(owner, team[0], name="Other", shift_h=24, starts_on=date(2026, 2, 23))
    assert read(as_user(owner), "fairness/").keys() == {"Ana", "Owner"}
    assert read(as_user(team[1]), "fairness/").keys() == {"Ana", "Ben"}
    everything = read(as_machine("escalations:read"), "fairness/")
    assert everything["Ana"]["turns"] == 8


def test_the_schedule_does_not_exist_to_strangers(as_user: Any, stranger: User, schedule: Schedule) -> None:
    assert as_user(stranger).get(f"{PATH}{schedule.pk}/fairness/").status_code == 404
    assert as_user(stranger).get(f"{PATH}fairness/").json()["people"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"begin": END.isoformat(), "end": BEGIN.isoformat()}, "end"),
        ({"begin": "2024-03-01T00:00:00Z", "end": END.isoformat()}, "end"),
        ({"begin": "yesterday"}, "begin"),
        ({"days": "30"}, "days"),
    ],
)
def test_a_period_that_is_none_is_refused(
    as_user: Any, operator: User, schedule: Schedule, query: dict[str, str], field: str
) -> None:
    for path in (f"{PATH}{schedule.pk}/fairness/", f"{PATH}fairness/"):
        refused = as_user(operator).get(path, query)
        assert (refused.status_code, list(refused.json())) == (400, [field])


def test_the_questions_do_not_grow_with_the_schedules(
    as_user: Any, operator: User, team: list[User], schedule: Schedule, asked: list[str]
) -> None:
    client = as_user(operator)
    read(client, "fairness/")
    asked.clear()
    read(client, "fairness/")
    few = len(asked)
    for number in range(5):
        schedule_of(*team, name=f"Another {number}")
    asked.clear()
    read(client, "fairness/")
    assert len(asked) == few


def test_the_page_shows_the_same_in_words(
    team: list[User], schedule: Schedule, stranger: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.clock.now", lambda: END)
    client = Client(headers={"accept": "text/html"})
    client.force_login(team[0])
    html = client.get(f"/on-call/fairness/?days=7&schedule={schedule.pk}").content.decode()
    row = html.partition('<th scope="row">Ana</th>')[2].partition("</tr>")[0]
    cells = [cell.partition("</td>")[0] for cell in row.split("<td>")[1:]]
    assert cells == ["3 d 8 h", "48 %", "1 d 10 h", "1 d", "4", "1 d", "1 d 16 h", "0", "0"]
    page = Page(html)
    assert sorted(set(page.ids)) == sorted(page.ids)
    for query in ("?schedule=x", f"?schedule={uuid4()}"):
        assert client.get(f"/on-call/fairness/{query}").status_code == 404
    client.force_login(stranger)
    assert "Nobody takes turns here." in client.get("/on-call/fairness/").content.decode()
