"""Figures over the API and on their page, with numbers worked by hand."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import ApiKey, User
from accounts.services import api_key_create
from escalation.figures import reading
from escalation.groups.ending import group_acknowledge, group_resolve, group_snooze
from escalation.models import AlertGroup, EscalationProcess, Integration
from escalation.selectors import deliveries_of
from escalation.services.ending import process_finish
from escalation.services.processes import process_acknowledge, process_start, process_stop
from notifications.engine.recipients import Recipient
from notifications.models import Outgoing
from tests.escalation.groups.conftest import NOON, Monitoring
from tests.factories import ShopFactory
from tests.web.test_pages import Page

URL = "/api/v1/escalations/figures/"
PERIOD = {"since": "2026-03-01T00:00:00Z", "until": "2026-03-31T00:00:00Z"}


def after(seconds: float) -> Any:
    return NOON + timedelta(seconds=seconds)


@pytest.fixture
def machine(as_machine: Any) -> APIClient:
    client: APIClient = as_machine("escalations:read")
    return client


def read(client: APIClient, **more: str) -> Any:
    answer = client.get(URL, {**PERIOD, **more})
    assert answer.status_code == 200, answer.content
    return answer.json()


def counts(sums: Any) -> tuple[int, ...]:
    names = ("incidents", "acknowledged", "over", "unanswered", "open", "resolved")
    return tuple(sums[name] for name in names)


def spread(mean: float, median: float, p90: float) -> Any:
    return {name: pytest.approx(value) for name, value in
            (("mean_s", mean), ("median_s", median), ("p90_s", p90))}  # fmt: skip


@pytest.fixture
def key(db: None) -> ApiKey:
    return api_key_create(name="Orders", scopes=["escalations:write"])[0]


def ordered(key: ApiKey | None, seconds: float, name: str = "order") -> EscalationProcess:
    """An escalation of no group, so long after noon."""
    to = [Recipient("sms", after(seconds + 9000), "+33611111111")]
    return process_start(process_id=name, notifications=to, now=after(seconds), started_by=key).process


@pytest.fixture
def history(monitoring: Monitoring, key: ApiKey, settings: Any) -> Monitoring:
    """Six groups at noon, and two escalations of an API key at one."""
    settings.STORM_GROUPS = 100
    for name in "abcdef":
        monitoring.trigger(name)
    monitoring.later(seconds=0)
    for name, acknowledged in (("a", 60), ("b", 180), ("c", 300)):
        group = monitoring.group(name)
        assert group_acknowledge(group=group, by="Ana", via="web", now=after(acknowledged))
    monitoring.now = after(120)
    monitoring.resolve("d")
    for name, resolved in (("a", 600), ("b", 1200)):
        assert group_resolve(group=monitoring.group(name), by="Ana", via="web", now=after(resolved))
    process_finish(monitoring.group("e").process, now=after(900))  # type: ignore[arg-type]
    ordered(key, 3600)
    process_stop(process_id="order", by="the key", now=after(3630))
    taken = ordered(key, 3700)
    process_acknowledge(process=taken, by="Ana", via="phone", now=after(3710))
    return monitoring


@pytest.mark.slow
def test_means_medians_and_nine_of_ten_are_over_what_was_answered_alone(
    history: Monitoring, machine: APIClient
) -> None:
    shown = read(machine)
    # Incidents, acknowledged, over before, unanswered, open; resolved.
    assert counts(shown["total"]) == (8, 4, 2, 1, 1, 4)
    # 10, 60, 180 and 300 s; 30, 120, 600 and 1200 s.
    assert shown["total"]["to_acknowledge"] == spread(137.5, 120, 264)
    assert shown["total"]["to_resolve"] == spread(487.5, 360, 1020)
    assert shown["is_cut"] is False


@pytest.mark.slow
def test_they_are_told_apart_by_policy_source_shop_and_hour(
    history: Monitoring, machine: APIClient, key: ApiKey
) -> None:
    Integration.objects.update(shop=ShopFactory(name="Corner"))
    AlertGroup.objects.filter(key__in="ab").update(shop=Integration.objects.get().shop)
    shown = read(machine, time_zone="Asia/Tokyo")
    by_policy = {each["name"]: each for each in shown["policies"]}
    assert {name: counts(each) for name, each in by_policy.items()} == {
        "Night shift": (6, 3, 1, 1, 1, 3),
        "No policy": (2, 1, 1, 0, 0, 1),
    }
    # 60, 180 and 300 s; 120, 600 and 1200 s.
    assert by_policy["Night shift"]["to_acknowledge"] == spread(180, 180, 276)
    assert by_policy["Night shift"]["to_resolve"] == spread(640, 600, 1080)
    sources = {(each["source"], each["name"], each["id"]): counts(each) for each in shown["sources"]}
    assert sources == {
        ("integration", "Prometheus", str(history.integration.pk)): (6, 3, 1, 1, 1, 3),
        ("key", "Orders", str(key.pk)): (2, 1, 1, 0, 0, 1),
    }
    assert {each["name"]: counts(each) for each in shown["shops"]} == {
        "Corner": (2, 2, 0, 0, 0, 2),
        "No shop": (6, 2, 2, 1, 1, 2),
    }
    # Noon is nine in the evening there, on a Monday.
    hours = [(each["weekday"], each["hour"], counts(each)) for each in shown["hours"]]
    assert hours == [("Monday", 21, (6, 3, 1, 1, 1, 3)), ("Monday", 22, (2, 1, 1, 0, 0, 1))]
    assert shown["hours"][1]["to_acknowledge"] == spread(10, 10, 10)


@pytest.mark.slow
def test_the_first_acknowledgement_counts_and_that_of_any_escalation_of_a_group(
    monitoring: Monitoring, machine: APIClient
) -> None:
    monitoring.trigger("disk")
    monitoring.later(seconds=0)
    first = monitoring.group("disk").process
    process_acknowledge(process=first, by="Ana", via="phone", now=after(30))
    by = {"group": monitoring.group("disk"), "by": "Ben", "via": "web"}
    assert group_snooze(**by, until=after(60), now=after(45))
    monitoring.later(seconds=60)
    assert monitoring.group("disk").process != first
    assert group_acknowledge(**by, now=after(90))
    shown = read(machine)["total"]
    assert (counts(shown), shown["to_acknowledge"]) == ((1, 1, 0, 0, 0, 0), spread(30, 30, 30))
    assert shown["to_resolve"] is None


def test_what_told_nobody_or_began_outside_the_period_is_not_counted(
    monitoring: Monitoring, machine: APIClient, key: ApiKey
) -> None:
    ordered(key, -86_400 * 2)
    ordered(key, 86_400 * 29, "later")
    AlertGroup.objects.create(key="untold", title="Untold", opened_at=NOON, last_at=NOON)
    shown = read(machine)
    assert counts(shown["total"]) == (0, 0, 0, 0, 0, 0)
    assert shown["policies"] == shown["hours"] == []
    assert [each["incidents"] for each in shown["noisy_sources"]] == [1]


@pytest.mark.slow
def test_sources_and_keys_are_ranked_by_whom_they_wake(
    history: Monitoring, machine: APIClient, guard: User, key: ApiKey
) -> None:
    guard.time_zone = "Asia/Tokyo"
    guard.save()
    history.trigger("a")  # a group of its own, in which it is said twice
    history.trigger("a")
    assert group_resolve(group=history.group("a"), by="Ana", via="web", now=after(200))

    def page(process: Any, *seconds: float) -> None:
        """Have messages sent to the guard so long after noon."""
        told = deliveries_of(process).exclude(channel="inbox").order_by("due_at")
        for each, at in zip(told, seconds, strict=True):
            Outgoing.objects.filter(delivery=each).delete()
            type(each).objects.filter(pk=each.pk).update(status="sent", sent_at=after(at), user=guard)

    # Until 22:00 and from 7:00 by their clock it is day: 13:00 and 22:00 UTC.
    page(history.group("e").process, 3599, 3600)
    page(history.group("f").process, 3600 * 10 - 1, 3600 * 10)
    page(history.group("b").process, 0, 1)
    page(EscalationProcess.objects.get(state="stopped", started_by=key), 3601)
    shown = read(machine)
    names = ("incidents", "occurrences", "pages", "pages_at_night", "acknowledged_soon", "over_soon")
    sources = [(each["name"], *(each[name] for name in names)) for each in shown["noisy_sources"]]
    # Within five minutes a, b and c were acknowledged; d was over by itself, a and b by somebody's hand.
    assert sources == [("Prometheus", 7, 8, 6, 2, 3, 1), ("Orders", 2, 2, 1, 1, 1, 0)]
    keys = [(each["key"], each["pages"], each["pages_at_night"]) for each in shown["noisy_keys"]]
    assert keys == [
        ("e", 2, 1), ("f", 2, 1), ("order", 1, 1), ("b", 2, 0), ("a", 0, 0), ("c", 0, 0), ("d", 0, 0),
    ]  # fmt: skip
    assert [each["title"] for each in shown["noisy_keys"]][:3] == ["E", "F", "order"]
    (again,) = (each for each in shown["noisy_keys"] if each["key"] == "a")
    assert (again["incidents"], again["occurrences"]) == (2, 3)


@pytest.mark.slow
def test_it_takes_two_statements_however_much_there_is_and_says_where_it_stops(
    history: Monitoring, machine: APIClient, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read(machine)
    asked.clear()
    read(machine)
    assert len(asked) == 3  # the key's, and these two
    monkeypatch.setattr(reading, "MOST", 2)
    shown = read(machine)
    assert (shown["is_cut"], counts(shown["total"])[0]) == (True, 4)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"since": "2026-03-31T00:00:00Z", "until": "2026-03-01T00:00:00Z"}, "until"),
        ({"since": "2024-03-01T00:00:00Z", "until": "2026-03-01T00:00:00Z"}, "until"),
        ({"since": "yesterday"}, "since"),
        ({"until": ""}, "until"),
        ({"time_zone": ""}, "time_zone"),
        ({"time_zone": "Europe/Nowhere"}, "time_zone"),
        ({"days": "30"}, "days"),
    ],
)
def test_a_period_that_is_none_is_refused(machine: APIClient, query: dict[str, str], field: str) -> None:
    refused = machine.get(URL, query)
    assert (refused.status_code, list(refused.json())) == (400, [field])


@pytest.mark.slow
def test_figures_are_for_the_staff_and_for_keys_that_read(
    as_user: Any, as_machine: Any, owner: User, operator: User
) -> None:
    assert as_user(owner).get(URL).status_code == 403
    assert as_machine("escalations:write").get(URL).status_code == 403
    assert as_user(operator).get(URL).json()["time_zone"] == operator.time_zone
    for user, status in ((owner, 403), (operator, 200)):
        page = Client(headers={"accept": "text/html"})
        page.force_login(user)
        assert page.get("/escalations/figures/").status_code == status


@pytest.mark.slow
def test_the_page_has_the_same_numbers_in_tables(
    history: Monitoring, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.clock.now", lambda: after(86_400))
    page = Client(headers={"accept": "text/html"})
    page.force_login(operator)
    html = page.get("/escalations/figures/?days=7").content.decode()
    shown = [" ".join(row.split()) for row in html.replace("<td", "\n<td").split("\n")]
    cells = [row.partition(">")[2].removesuffix("</td>") for row in shown if row.startswith("<td")]
    first = [cell.partition("<")[0] for cell in cells[:12]]
    assert first == [
        "8", "4", "2 min 18 s", "2 min", "4 min 24 s", "2", "1", "1", "4", "8 min 8 s", "6 min", "17 min",
    ]  # fmt: skip
    assert "Prometheus" in html
    assert "Monday, 12:00" in html
    assert 'href="?days=7" aria-current="page"' in html
    assert page.get("/escalations/figures/?days=x").status_code == 200


@pytest.mark.slow
def test_each_column_of_the_page_has_a_name_of_its_own(history: Monitoring, operator: User) -> None:
    client = Client(headers={"accept": "text/html"})
    client.force_login(operator)
    html = client.get("/escalations/figures/?days=365").content.decode()
    page = Page(html)
    assert sorted(set(page.ids)) == sorted(page.ids)
    tables = html.split("<table")[1:]
    assert len(tables) == 7
    for table in tables:
        heads = re.findall(r'<th scope="col">(.*?)</th>', table)
        assert len(set(heads)) == len(heads)
        rows = table.partition("<tbody>")[2].split("<tr>")[1:]
        assert {row.count("<td") + row.count('<th scope="row"') for row in rows} <= {len(heads), 1}
