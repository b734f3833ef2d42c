"""What is set up, from YAML and to YAML: shown first, changed all at once, and the same both ways."""

import io
import json
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
import yaml
from django.core.management import CommandError, call_command

from accounts.models import Membership, Shop, User
from config.processes import REPOSITORY
from escalation.as_code.applying import as_yaml
from escalation.as_code.reading import Loader
from escalation.as_code.schema import schema
from escalation.models import Integration, Policy, Route, Schedule
from escalation.policies.definition import WHOM
from escalation.policies.plan import plan
from escalation.policies.selectors import definition_of, newest_version, world_of
from escalation.schedules.hours import WEEKDAYS
from escalation.schedules.row import on_call
from escalation.schedules.selectors import roster_of, with_layers

Apply = Callable[..., str]

TEAM: Final = """
users:
  - {email: Ana@Example.com, first_name: Ana, time_zone: Europe/Paris, phone: "+33 6 12 34 56 78"}
  - {email: bo@example.com, language: fr}
shops:
  - {slug: paris, name: Paris, members: [bo@example.com, ana@example.com]}
schedules:
  - name: Nights
    layers:
      - time_zone: Europe/Paris
        starts_on: 2026-01-05
        handoff_at: 10:30
        shift_h: 24
        members: [ana@example.com, bo@example.com]
      - name: Weekends
        time_zone: Europe/Paris
        starts_on: 2026-01-05
        handoff_at: 00:00
        shift_h: 168
        per_turn: 2
        members: [Ana@example.com, bo@example.com]
        restrictions: [{weekdays: [sun, sat], begin: 00:00, end: 00:00}]
policies:
  - name: Orders
    repeats: 2
    repeat_every_s: 600
    steps:
      - after_s: 120
        targets:
          - user: ana@example.com
            channels: [sms, phone]
          - {address: "+33 6 12 34 56 78", channel: sms}
      - {after_s: 0, targets: [{schedule: Nights}]}
integrations:
  - {name: Prometheus, format: alertmanager, shop: paris, policy: Orders}
routes:
  - name: databases
    matchers: [{label: team, op: "=", value: db}]
    policy: Orders
  - {name: the rest, policy: null, group_by: [alertname]}
"""


@pytest.fixture
def apply(db: None, tmp_path: Path) -> Apply:
    """Apply texts, each as a file of its own; returns what was said."""

    def run(*texts: str, **options: Any) -> str:
        files = []
        for number, text in enumerate(texts):
            files.append(tmp_path / f"{number}.yaml")
            files[-1].write_text(text)
        out = io.StringIO()
        call_command("apply", *files, **{"yes": True, **options}, stdout=out)
        return out.getvalue()

    return run


def export(*only: str) -> str:
    out = io.StringIO()
    call_command("export", only=list(only), stdout=out)
    return out.getvalue()


def changed(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, text.count(old)
    return text.replace(old, new)


def test_all_of_a_file_is_there_afterwards(apply: Apply) -> None:
    said = apply(TEAM)
    assert "+ user ana@example.com" in said
    assert said.endswith("8 changes made.\n")
    ana, bo = User.objects.order_by("email")
    assert (ana.first_name, ana.time_zone, ana.phone) == ("Ana", "Europe/Paris", "+33612345678")
    assert (bo.language, bo.has_usable_password(), bo.email_verified_at) == ("fr", False, None)
    assert set(Shop.objects.get(slug="paris").members.all()) == {ana, bo}
    schedule = Schedule.objects.get(name="Nights")
    days, weekends = schedule.layers.order_by("position")
    assert (days.handoff_at.isoformat(), days.per_turn, days.restrictions) == ("10:30:00", 1, [])
    assert [place.user for place in days.places.order_by("position")] == [ana, bo]
    assert (weekends.name, weekends.per_turn) == ("Weekends", 2)
    assert weekends.restrictions == [{"weekdays": ["sat", "sun"], "begin": "00:00", "end": "00:00"}]
    first, second = definition_of(newest_version(Policy.objects.get(name="Orders"))).steps
    assert (first.after_s, first.targets[0].id) == (0, schedule.pk)
    assert (second.targets[0].id, second.targets[0].channels) == (ana.pk, ("phone", "sms"))
    assert second.targets[1].address == "+33612345678"
    integration = Integration.objects.select_related("shop", "policy").get()
    assert integration.shop
    assert integration.policy
    assert (integration.shop.slug, integration.policy.name) == ("paris", "Orders")
    databases, rest = Route.objects.order_by("position")
    assert (databases.policy, rest.policy) == (integration.policy, None)
    assert (databases.matchers[0]["value"], rest.group_by) == ("db", ["alertname"])


@pytest.mark.slow
def test_the_same_again_changes_nothing(apply: Apply) -> None:
    apply(TEAM)
    versions = Policy.objects.get().versions.count()
    assert apply(TEAM) == "Nothing to change.\n"
    assert apply(TEAM, check=True, yes=False) == "Nothing to change.\n"
    assert apply(export()) == "Nothing to change.\n"
    assert Policy.objects.get().versions.count() == versions


@pytest.mark.slow
def test_a_schedule_that_a_policy_names_as_a_rotation_is_exported_as_one_and_stays(apply: Apply) -> None:
    apply(TEAM)
    version = newest_version(Policy.objects.get())
    target = {"type": "rotation", "rotation_id": str(Schedule.objects.get().pk), "channels": []}
    version.steps[0]["targets"] = [target]
    version.save()
    assert "schedule: Nights" in export("policies")
    assert apply(TEAM) == "Nothing to change.\n"


@pytest.mark.slow
def test_what_would_change_is_shown_and_only_that_is_changed(apply: Apply) -> None:
    apply(TEAM)
    text = changed(TEAM, "repeats: 2", "repeats: 3")
    with pytest.raises(CommandError, match="1 change to make"):
        apply(text, check=True)
    assert newest_version(Policy.objects.get()).repeats == 2
    said = apply(text)
    assert said == "~ policy Orders\n    - repeats: 2\n    + repeats: 3\n1 change made.\n"
    version = newest_version(Policy.objects.get())
    assert (version.number, version.repeats, version.repeat_every_s) == (2, 3, 600)


@pytest.mark.slow
def test_a_last_resort_and_endless_rounds_come_by_name_and_go_back_so(apply: Apply) -> None:
    resort = "    last_resort: [{user: BO@example.com, channels: [phone]}, {schedule: Nights}]\n"
    endless = f"\n    repeat_until_acknowledged: true\n    repeat_every_s: 600\n{resort}"
    text = changed(TEAM, "\n    repeats: 2\n    repeat_every_s: 600\n", endless)
    apply(text)
    version = newest_version(Policy.objects.get())
    bo, nights = User.objects.get(email="bo@example.com"), Schedule.objects.get()
    assert (version.repeat_until_acknowledged, version.repeats) == (True, 0)
    first, second = definition_of(version).last_resort
    assert (first.id, first.channels, second.id) == (bo.pk, ("phone",), nights.pk)
    assert apply(text) == apply(export()) == "Nothing to change.\n"
    assert apply(changed(text, resort, "")) == "Nothing to change.\n", "what a file leaves out stays"
    with pytest.raises(CommandError, match="There is no user nobody"):
        apply(changed(text, "BO@example.com", "nobody@example.com"))


@pytest.mark.slow
def test_conditions_and_whom_a_schedule_stands_for_come_and_go_back_as_they_are_stored(apply: Apply) -> None:
    targets = "{schedule: Nights, whom: everyone, channels: [], only: {severity: critical}}"
    only = "{weekdays: [sun, sat], begin: 08:00, end: 20:00}"
    text = changed(
        TEAM,
        "[{schedule: Nights}]}",
        f"[{targets}, {{schedule: Nights, whom: on_call, only: {{}}}}], only: {only}}}",
    )
    text = changed(text, "    repeats: 2\n", "    repeats: 2\n    time_zone: Europe/Paris\n")
    apply(text)
    (policy,) = yaml.load(export("policies"), Loader)["policies"]
    assert policy["time_zone"] == "Europe/Paris"
    assert policy["steps"][0]["only"] == {"weekdays": ["sat", "sun"], "begin": "08:00", "end": "20:00"}
    assert policy["steps"][0]["targets"] == [
        {"schedule": "Nights", "whom": "everyone", "only": {"severity": "critical"}},
        {"schedule": "Nights"},
    ]
    assert apply(text) == "Nothing to change.\n"
    with pytest.raises(CommandError, match=r"only.end: Hours need a beginning and an end"):
        apply(changed(text, ", end: 20:00", ""))


@pytest.mark.slow
def test_what_a_file_leaves_out_stays_as_it_is(apply: Apply) -> None:
    apply(TEAM)
    apply(
        "policies: [{name: Orders, severity: standard}]",
        "users: [{email: bo@example.com, first_name: Bo}]",
    )
    assert newest_version(Policy.objects.get()).repeats == 2
    assert User.objects.get(email="bo@example.com").language == "fr"
    assert Integration.objects.count() == 1


@pytest.mark.slow
def test_who_is_no_longer_a_member_has_left_and_can_come_back(apply: Apply) -> None:
    apply(TEAM)
    apply("shops:\n  - {slug: paris, members: [ana@example.com]}")
    left = Membership.objects.get(user__email="bo@example.com")
    assert left.left_at is not None
    apply("shops:\n  - {slug: paris, members: [bo@example.com]}")
    assert Membership.objects.filter(user__email="bo@example.com", left_at=None).count() == 1
    left.refresh_from_db()
    assert left.left_at is not None


@pytest.mark.slow
def test_only_with_prune_is_anything_removed_and_never_people_or_shops(apply: Apply) -> None:
    apply(TEAM)
    less = "users: []\nshops: []\nschedules: []\npolicies: []\nintegrations: []\nroutes: [{name: databases}]"
    assert apply(less) == "Nothing to change.\n"
    said = apply(changed(less, "{name: databases}", "{name: databases, policy: null}"), prune=True)
    # What others need goes last.
    assert [line for line in said.splitlines() if line.startswith("- ")] == [
        "- route the rest", "- integration Prometheus", "- policy Orders", "- schedule Nights",
    ]  # fmt: skip
    assert not Policy.objects.filter(deleted_at=None).exists()
    assert [route.name for route in Route.objects.all()] == ["databases"]
    assert (User.objects.count(), Shop.objects.count()) == (2, 1)


def test_prune_leaves_kinds_alone_of_which_no_file_speaks(apply: Apply) -> None:
    apply(TEAM)
    assert apply("users: []", prune=True) == "Nothing to change.\n"


@pytest.mark.slow
def test_routes_stand_in_the_order_of_the_file_and_before_those_that_it_does_not_name(apply: Apply) -> None:
    apply(TEAM)
    apply("routes: [{name: last}]")
    said = apply("routes: [{name: the rest}, {name: new}, {name: databases}]")
    assert [each.name for each in Route.objects.order_by("position")] == [
        "the rest",
        "new",
        "databases",
        "last",
    ]
    assert "~ route\n" in said


def test_what_a_service_refuses_changes_nothing_at_all(apply: Apply) -> None:
    text = changed(TEAM, "repeat_every_s: 600", "repeat_every_s: 60")
    with pytest.raises(CommandError, match="policy Orders: repeat_every_s: Expected more than 120 seconds"):
        apply(text)
    assert not User.objects.exists()


@pytest.mark.slow
def test_who_is_named_must_be_there(apply: Apply) -> None:
    for old, new, why in (
        ("user: ana@example.com", "user: eva@example.com", "policy Orders: steps: There is no user eva@"),
        ("[{schedule: Nights}]", "[{schedule: Days}]", "There is no schedule Days"),
        ("shop: paris", "shop: rome", "integration Prometheus: shop: There is no shop rome"),
    ):
        with pytest.raises(CommandError, match=why):
            apply(changed(TEAM, old, new))
        assert not User.objects.exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("polices: []", "'polices' was unexpected"),
        ("policies: [{name: A, step: []}]", "policies, A: .*'step' was unexpected"),
        ("policies: [{name: A, steps: [{after_s: 0, targets: [{user: a@b.c, chanels: []}]}]}]", "chanels"),
        ("users: [{email: a@b.c, language: xx}]", "users, a@b.c, language: 'xx' is not one of"),
        ("users: [{first_name: Ana}]", "users, 1: 'email' is a required property"),
        ("users: [{email: a@b.c}, {email: A@b.c}]", "user a@b.c: there are two of them"),
        ("users: [{email: a@b.c, phone: '12'}]", "user a@b.c: Enter a phone number"),
        ("users: []\nusers: []", "users stands there twice"),
        ("users: [", "expected the node content|while parsing"),
        ("- 1", "is not of type 'object'"),
        ("schedules: [{name: A, layers: [{starts_on: soon}]}]", "'soon' is not a 'date'|required"),
        ("schedules: [{name: A, layers: [{}]}]", "schedules, A, layers 1: 'time_zone' is a required"),
    ],
)
def test_a_file_that_is_wrong_says_where(apply: Apply, text: str, why: str) -> None:
    with pytest.raises(CommandError, match=why):
        apply(text)
    assert not User.objects.exists()


def test_several_files_are_one(apply: Apply) -> None:
    apply("routes: [{name: a}]", "users: [{email: a@b.co}]\nroutes: [{name: b}]")
    assert [each.name for each in Route.objects.order_by("position")] == ["a", "b"]
    with pytest.raises(CommandError, match="route a: there are two of them"):
        apply("routes: [{name: a}]", "routes: [{name: a}]")


def test_nobody_to_ask_changes_nothing(apply: Apply) -> None:
    with pytest.raises(CommandError, match="nobody to ask"):
        apply(TEAM, yes=False)
    assert not User.objects.exists()


@pytest.mark.slow
def test_nothing_changes_otherwise_than_it_was_shown(apply: Apply, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(TEAM)

    def somebody_changes_it_and_it_is_agreed_to(_: str) -> str:
        Route.objects.all().delete()
        return "y"

    monkeypatch.setattr("builtins.input", somebody_changes_it_and_it_is_agreed_to)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    with pytest.raises(CommandError, match="in the meantime"):
        apply(changed(TEAM, "repeats: 2", "repeats: 3"), yes=False)
    assert newest_version(Policy.objects.get()).repeats == 2


def test_yaml_is_read_as_its_core_schema_has_it() -> None:
    assert yaml.load("[10:30, no, on, 2026-01-05, 0o7, 1_0, ~, true, 1, 1.5]", Loader) == [
        "10:30", "no", "on", "2026-01-05", "0o7", "1_0", None, True, 1, 1.5,
    ]  # fmt: skip


@pytest.mark.slow
def test_the_schema_is_one_and_what_is_exported_is_by_it(apply: Apply) -> None:
    out = io.StringIO()
    call_command("apply", schema=True, stdout=out)
    jsonschema.Draft202012Validator.check_schema(json.loads(out.getvalue()))
    apply(TEAM)
    jsonschema.Draft202012Validator(schema()).validate(yaml.load(export(), Loader))
    assert yaml.load(export("routes"), Loader).keys() == {"routes"}


@pytest.mark.slow
def test_the_example_of_the_documentation_can_be_applied(apply: Apply) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", (REPOSITORY / "docs/as-code.md").read_text(), re.DOTALL)
    apply(example)
    assert apply(example) == "Nothing to change.\n"
    for model in (Policy, Schedule, Route):
        assert model.objects.exists()


# --- From one installation to an empty one ------------------------------------------------------------------

ZONES: Final = ("Europe/Paris", "America/New_York", "Asia/Tehran", "Australia/Lord_Howe")
PEOPLE: Final = [f"{number}@example.com" for number in range(12)]
SCHEDULES: Final = [f"schedule {number}" for number in range(6)]
POLICIES: Final = [f"policy {number}" for number in range(6)]


def a_world(chance: random.Random) -> dict[str, list[dict[str, Any]]]:
    def override() -> dict[str, Any]:
        begin = datetime(2027, chance.randint(1, 12), chance.randint(1, 28), 7, tzinfo=UTC)
        end = begin + timedelta(hours=chance.randint(1, 900))
        return {
            "user": chance.choice(PEOPLE),
            "instead_of": chance.choice((None, *PEOPLE)),
            "starts_at": begin.isoformat(),
            "ends_at": end.isoformat(),
        }

    def restriction() -> dict[str, Any]:
        begin, end = (f"{chance.randint(0, 23):02}:{chance.choice((0, 30)):02}" for _ in range(2))
        return {"weekdays": chance.sample(WEEKDAYS, chance.randint(1, 7)), "begin": begin, "end": end}

    def layer(*, restricted: bool) -> dict[str, Any]:
        return {
            "shift_h": chance.choice((1, 8, 12, 24, 168)),
            "time_zone": chance.choice(ZONES),
            "starts_on": f"2026-0{chance.randint(1, 9)}-11",
            "handoff_at": f"{chance.randint(0, 23):02}:{chance.choice((0, 30)):02}",
            "members": chance.sample(PEOPLE, chance.randint(1, 5)),
            "per_turn": chance.randint(1, 2),
            "restrictions": [restriction() for _ in range(chance.randint(0, 2))] if restricted else [],
        }

    def target() -> dict[str, Any]:
        schedule = {"schedule": chance.choice(SCHEDULES), "whom": chance.choice(WHOM)}
        chosen: dict[str, Any] = chance.choice(({"user": chance.choice(PEOPLE)}, schedule))
        return chosen | ({"only": {"severity": "critical"}} if chance.random() < 0.2 else {})

    def step(after_s: int) -> dict[str, Any]:
        made = {"after_s": after_s, "targets": [target() for _ in range(chance.randint(1, 3))]}
        return made | ({"only": restriction()} if chance.random() < 0.3 else {})

    return {
        "users": [{"email": email} for email in PEOPLE],
        "schedules": [
            {
                "name": name,
                "layers": [layer(restricted=number > 0) for number in range(chance.randint(1, 3))],
                "overrides": [override() for _ in range(4)],
            }
            for name in SCHEDULES
        ],
        "policies": [
            {
                "name": name,
                "repeats": 1,
                "repeat_every_s": 9000,
                "severity": chance.choice(("critical", "standard")),
                "time_zone": chance.choice(ZONES),
                "steps": [{"after_s": 0, "targets": [{"user": PEOPLE[2]}]}]
                + [step(600 * number) for number in range(chance.randint(1, 3))],
            }
            for name in POLICIES
        ],
    }


def answers(chance: random.Random) -> list[Any]:
    """Who is on call, and who would be told of what is started, at 1,000 times."""
    rosters = {each.name: roster_of(each) for each in with_layers(Schedule.objects.filter(deleted_at=None))}
    said = {each.name: definition_of(newest_version(each)) for each in Policy.objects.filter(deleted_at=None)}
    emails = dict(User.objects.values_list("pk", "email"))
    found: list[Any] = []
    for _ in range(500):
        at = datetime(2027, 1, 1, tzinfo=UTC) + timedelta(minutes=chance.randint(0, 525_600))
        duty = on_call(rosters[chance.choice(SCHEDULES)], at)
        found.append(duty and ([emails[each] for each in duty.user_ids], *duty[1:4]))
        definition = said[chance.choice(POLICIES)]
        told = plan(definition, world_of(definition, since=at), started_at=at)
        found.append(
            [
                (each.user and each.user.email, each.via, each.channel, each.due_at, each.reason, each.data)
                for each in told
            ]
        )
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_an_empty_installation_answers_the_same_once_it_has_what_was_exported(
    apply: Apply, seed: int
) -> None:
    apply(as_yaml(a_world(random.Random(seed))))
    User.objects.filter(email__in=PEOPLE[:2]).update(is_active=False)
    before, text = answers(random.Random(seed)), export()
    assert sum(1 for each in before if each) > 900
    for model in (Policy, Schedule, User):
        model.objects.all().delete()
    apply(text)
    assert answers(random.Random(seed)) == before
    assert export() == text
