"""Which rule decides: in Python, and the same in the fan-out's SQL."""

import random
from dataclasses import dataclass

import pytest

from accounts.models import User
from notifications import rules
from notifications.models import Subscription
from tests.factories import ContactPointFactory
from tests.notifications.preferences.conftest import Tell


@dataclass
class Rule:
    channel: str
    kind: str
    is_enabled: bool


@pytest.mark.parametrize(
    ("kind", "severity", "expected"),
    [
        ("alert", "standard", ["alert", ""]),
        ("stage.accepted", "standard", ["stage.accepted", "stage.*", ""]),
        ("a.b.c", "standard", ["a.b.c", "a.b.*", "a.*", ""]),
        ("a.b.c", "critical", ["a.b.c"]),
        ("account.verify_email", "standard", []),
        ("account", "standard", []),
        ("accounting.closed", "standard", ["accounting.closed", "accounting.*", ""]),
        ("test", "standard", []),
        ("tests", "standard", ["tests", ""]),
        ("test", "critical", []),
    ],
)
def test_the_kinds_of_rules_that_hold_the_narrowest_first(
    kind: str, severity: str, expected: list[str]
) -> None:
    assert rules.applicable(kind, severity) == expected


@pytest.mark.parametrize("kind", ["", "*", ".*", "a b", "a..b", "a.*.b", "a.", ".a", "a.b*", "a\n"])
def test_what_is_no_kind_cannot_be_switched_off(kind: str) -> None:
    assert not rules.can_be_switched_off(kind)


# From the widest to the narrowest: each is overruled by the next.
NARROWER = [
    ("", ""),
    ("", "stage.*"),
    ("", "stage.accepted"),
    ("email", ""),
    ("email", "stage.*"),
    ("email", "stage.accepted"),
]


@pytest.mark.parametrize("place", range(len(NARROWER)))
@pytest.mark.parametrize("wanted", [True, False])
def test_the_narrowest_rule_wins(place: int, wanted: bool) -> None:
    held = [Rule(*key, is_enabled=not wanted) for key in NARROWER[:place]]
    held.append(Rule(*NARROWER[place], is_enabled=wanted))
    random.Random(place).shuffle(held)
    assert rules.silences(held, channel="email", kind="stage.accepted", severity="standard") is not wanted


@pytest.mark.parametrize(
    "other", [("webhook", ""), ("email", "stage.rejected"), ("email", "stag.*"), ("email", "offer.*")]
)
def test_rules_about_something_else_do_not_count(other: tuple[str, str]) -> None:
    held = [Rule(*other, is_enabled=False)]
    assert not rules.silences(held, channel="email", kind="stage.accepted", severity="standard")


@pytest.mark.parametrize("wide", ["", "stage.*"])
def test_what_is_critical_is_silenced_only_by_a_rule_for_exactly_its_kind(wide: str) -> None:
    def silenced(kind: str) -> bool:
        rule = Rule("email", kind, is_enabled=False)
        return rules.silences([rule], channel="email", kind="stage.accepted", severity="critical")

    assert not silenced(wide)
    assert silenced("stage.accepted")


CHANNELS = ["email", "webhook", ""]
KINDS = ["stage.accepted", "stage.*", "", "offer.created", "alert"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_the_fan_out_decides_as_the_rules_say(owner: User, tell: Tell, seed: int) -> None:
    chance = random.Random(seed)
    ContactPointFactory(user=owner, channel="email", address="a@example.com")
    ContactPointFactory(user=owner, channel="webhook")
    keys = [(channel, kind) for channel in [*CHANNELS, "inbox"] for kind in KINDS]
    for channel, kind in chance.sample(keys, k=chance.randrange(1, len(keys))):
        Subscription.objects.create(user=owner, channel=channel, kind=kind, is_enabled=chance.random() < 0.5)
    held = list(Subscription.objects.all())
    for kind in ("stage.accepted", "alert", "account.verified"):
        for severity in ("standard", "critical"):
            for inbox in (True, False):
                made = tell(owner, kind, severity=severity, inbox=inbox)
                assert {each.channel for each in made} == {"email", "webhook", *(["inbox"] if inbox else [])}
                for each in made:
                    silenced = rules.silences(held, channel=each.channel, kind=kind, severity=severity)
                    assert (each.status == "suppressed") is silenced
                    assert each.reason == ("unsubscribed" if silenced else "")


def test_the_default_channel_can_be_switched_off_too(owner: User, tell: Tell) -> None:
    Subscription.objects.create(user=owner, channel="third_party", kind="alert", is_enabled=False)
    (made,) = tell(owner, "alert")
    assert (made.channel, made.status, made.reason) == ("third_party", "suppressed", "unsubscribed")


def test_somebody_elses_rules_do_not_count(owner: User, stranger: User, tell: Tell) -> None:
    Subscription.objects.create(user=stranger, channel="", kind="", is_enabled=False)
    assert [each.status for each in tell(owner, "alert")] == ["pending"]
