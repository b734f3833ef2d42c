"""Each format: what real systems send means what its sample says; and what is special to one."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from escalation.intake.formats import alertmanager, generic, grafana, opsgenie, pagerduty
from escalation.intake.occurrence import MAX_OCCURRENCES, Act, Malformed
from tests.escalation.intake.taken import DEFAULTS, TAKERS, Sample, as_sampled, samples, taken

NOW = datetime(2026, 11, 30, 9, 4, 2, tzinfo=UTC)
SECRET = "s3cret"
BODY = b'{"alerts":[]}'
# Of openssl dgst -sha256 -hmac s3cret: of the body, and of "1796029442:" before it.
SIGNATURE = "ebee03b5dfcb900cf23c43b292f0713ca2f3328f92de490ae50b178fb8a92c77"
SIGNATURE_WITH_TIME = "51d2981c33144493c634cd4ccfe6cc6203e6743e454d4bcf5ddf024c3a91e74e"


@pytest.mark.parametrize("sample", samples())
def test_a_recorded_body_means_what_its_sample_says(sample: Sample) -> None:
    before = deepcopy(sample["body"])
    if "malformed" in sample:
        with pytest.raises(Malformed) as caught:
            taken(sample, sample["body"])
        assert str(caught.value) == sample["malformed"]
    else:
        expected = [{**DEFAULTS, **each} for each in sample["occurrences"]]
        assert [as_sampled(each) for each in taken(sample, sample["body"])] == expected
    assert sample["body"] == before, "a format changed the body that it was given"


def test_each_format_has_samples() -> None:
    assert {each.values[0]["format"] for each in samples()} == set(TAKERS)


def test_a_problem_and_its_end_have_one_key() -> None:
    """Of each format that can say both, some key begins and ends."""
    acts: dict[tuple[str, str], set[Act]] = {}
    for each in samples():
        sample = each.values[0]
        for occurrence in [] if "malformed" in sample else taken(sample, sample["body"]):
            acts.setdefault((sample["format"], occurrence.key), set()).add(occurrence.act)
    whole = {format_ for (format_, _), seen in acts.items() if {Act.TRIGGER, Act.RESOLVE} <= seen}
    assert whole == set(TAKERS) - {"generic"}


def test_a_body_with_more_alerts_than_one_may_hold_is_malformed() -> None:
    alert = {"labels": {"alertname": "Down"}, "fingerprint": "1"}
    assert len(alertmanager.occurrences({"alerts": [alert] * MAX_OCCURRENCES})) == MAX_OCCURRENCES
    with pytest.raises(Malformed, match="more than 1000"):
        alertmanager.occurrences({"alerts": [alert] * (MAX_OCCURRENCES + 1)})


def test_labels_of_the_alert_itself_win() -> None:
    alert = {"labels": {"receiver": "gate 4"}, "fingerprint": "1"}
    [occurrence] = alertmanager.occurrences({"receiver": "tocsin", "groupKey": "{}", "alerts": [alert]})
    assert occurrence.labels == {"receiver": "gate 4", "groupKey": "{}"}


@pytest.mark.parametrize(
    "alerts",
    [None, "firing", [None], [{}], [{"labels": {}}]],
    ids=["none", "text", "null", "empty", "no-labels"],
)
def test_what_is_no_list_of_alerts_is_malformed(alerts: Any) -> None:
    for take in (alertmanager.occurrences, grafana.occurrences):
        with pytest.raises(Malformed):
            take({"alerts": alerts})


def test_two_alerts_without_fingerprints_are_told_apart_by_their_labels() -> None:
    one = {"labels": {"alertname": "Down", "shop": "7"}}
    same = {"labels": {"shop": "7", "alertname": "Down"}, "status": "resolved"}
    other = {"labels": {"alertname": "Down", "shop": "8"}}
    keys = [each.key for each in alertmanager.occurrences({"alerts": [one, same, other]})]
    assert keys[0] == keys[1] != keys[2]


def test_grafanas_signature_is_that_of_the_body() -> None:
    assert _is_signed(SIGNATURE)
    assert _is_signed(SIGNATURE.upper())
    assert not _is_signed(SIGNATURE, body=BODY + b" ")
    assert not _is_signed(SIGNATURE, secret="another")
    assert not _is_signed(SIGNATURE[:-1])
    assert not _is_signed("")
    assert not _is_signed("é\ud800")


def test_grafanas_signature_with_a_time_holds_for_five_minutes() -> None:
    timestamp = "1796029442"
    assert _is_signed(SIGNATURE_WITH_TIME, timestamp=timestamp)
    for seconds in (-300, 300):
        assert _is_signed(SIGNATURE_WITH_TIME, timestamp=timestamp, now=NOW + timedelta(seconds=seconds))
        assert not _is_signed(
            SIGNATURE_WITH_TIME, timestamp=timestamp, now=NOW + timedelta(seconds=seconds * 1.01)
        )
    # Whoever has an old body can't sign another time, nor leave it out.
    assert not _is_signed(SIGNATURE_WITH_TIME, timestamp="1796029443")
    assert not _is_signed(SIGNATURE_WITH_TIME, timestamp=None)
    for timestamp in ("", "soon", "-1", "1796029442.0", "9" * 5000):
        assert not _is_signed(SIGNATURE_WITH_TIME, timestamp=timestamp)


def test_pagerdutys_keys_are_given_back_as_they_came() -> None:
    body = {
        "routing_key": "r",
        "event_action": "trigger",
        "dedup_key": "k" * 300,
        "payload": {"summary": "s"},
    }
    event = pagerduty.event(body)
    assert (pagerduty.routing_key_of(body), event.dedup_key) == ("r", "k" * 300)
    assert event.occurrence.key.startswith("sha256:")
    resolve = pagerduty.event({"event_action": "resolve", "dedup_key": event.dedup_key})
    assert resolve.occurrence.key == event.occurrence.key


@pytest.mark.parametrize("body", [{}, {"routing_key": 7}, {"routing_key": None}, [], "r", None])
def test_a_body_of_pagerdutys_that_names_nothing_has_no_routing_key(body: Any) -> None:
    assert pagerduty.routing_key_of(body) == ""


def test_a_trigger_that_is_sent_again_without_a_key_has_the_same() -> None:
    body = {"event_action": "trigger", "payload": {"summary": "Backup failed", "source": "nas"}}
    event = pagerduty.event(body)
    assert pagerduty.event(dict(reversed(body.items()))).dedup_key == event.dedup_key == event.occurrence.key
    other = pagerduty.event({**body, "payload": {"summary": "Backup failed", "source": "web"}})
    assert other.dedup_key != event.dedup_key
    resolved = pagerduty.event({"event_action": "resolve", "dedup_key": event.dedup_key})
    assert resolved.occurrence.key == event.occurrence.key


def test_opsgenies_alerts_are_named_by_alias_id_or_number() -> None:
    assert opsgenie.identified("checkout-7", "alias") == ("alias", "checkout-7")
    assert opsgenie.identified("8743a1b2", None) == ("id", "8743a1b2")
    assert opsgenie.identified("8743a1b2", "id") == ("id", "8743a1b2")
    assert opsgenie.identified("23", "tiny") == ("tiny", "23")
    # An alias that is too long is the key that creating it made.
    created = opsgenie.created({"message": "m", "alias": "a" * 300})
    assert opsgenie.identified("a" * 300, "alias").value == created.key
    for identifier, kind in (("x", "name"), ("", "alias")):
        with pytest.raises(Malformed):
            opsgenie.identified(identifier, kind)


def test_each_action_of_opsgenie_is_taken() -> None:
    for action, act in opsgenie.ACTIONS.items():
        occurrence = opsgenie.acted(action, "k", {"note": "n", "user": "u"})
        assert (occurrence.key, occurrence.act, occurrence.by) == ("k", act, "u")
        assert "n" in occurrence.details


def test_ready_mappings_are_usable() -> None:
    assert not any(generic.problems_of(mapping) for mapping in generic.READY.values())


def test_a_mapping_says_which_of_its_expressions_is_wrong() -> None:
    wrong = generic.JsonMapping(
        key="", title="a[", link="x" * 1001, details="(" * 1000, labels="unknown(@)", items="a..b", at="@"
    )
    problems = generic.problems_of(wrong)
    assert set(problems) == {"key", "title", "link", "details", "items"}
    # Functions are known only when they are called.
    with pytest.raises(Malformed, match=r"^labels: Unknown function"):
        generic.occurrences(generic.JsonMapping(key="id", labels="unknown(@)"), {"id": 1})


def test_an_expression_that_could_blow_a_body_up_is_refused() -> None:
    for expression in (
        "|".join(["[@,@][]"] * 40),
        "|".join(["{a:@,b:@}.*[]"] * 40),
        "|".join(["[to_string([@,@])]"] * 12),
    ):
        assert "builds fewer" in generic.problems_of(generic.JsonMapping(key=expression))["key"]
        with pytest.raises(Malformed, match="builds fewer"):
            generic.occurrences(generic.JsonMapping(key=expression), {"id": 1})


def test_an_expression_that_does_not_fit_the_body_is_malformed() -> None:
    for expression in ("join(',', @)", "length(id)", "max(@)", "list[::0]", "ends_with(id, 'x')", "sum(@)"):
        with pytest.raises(Malformed, match=r"^title: "):
            generic.occurrences(generic.JsonMapping(key="id", title=expression), {"id": 1, "list": [1]})


@pytest.mark.parametrize(
    ("state", "act"),
    [
        ("Resolved", Act.RESOLVE), ("OK", Act.RESOLVE), (" up ", Act.RESOLVE), ("ACK", Act.ACKNOWLEDGE),
        ("firing", Act.TRIGGER), (None, Act.TRIGGER), (0, Act.TRIGGER), ({"ok": 1}, Act.TRIGGER),
        ("resolved not", Act.TRIGGER),
    ],
)  # fmt: skip
def test_the_words_of_a_state(state: Any, act: Act) -> None:
    [occurrence] = generic.occurrences(
        generic.JsonMapping(key="id", state="state"), {"id": 7, "state": state}
    )
    assert (occurrence.key, occurrence.act) == ("7", act)


def test_a_mapping_may_have_words_of_its_own() -> None:
    mapping = generic.JsonMapping(
        key="id",
        state="on",
        resolved=frozenset({"false"}),
        acknowledged=frozenset({"held"}),
        noted=frozenset({"0"}),
    )
    states = {
        False: Act.RESOLVE,
        True: Act.TRIGGER,
        "Held": Act.ACKNOWLEDGE,
        "0": Act.NOTE,
        "ok": Act.TRIGGER,
    }
    for state, act in states.items():
        assert [each.act for each in generic.occurrences(mapping, {"id": 1, "on": state})] == [act]


def _is_signed(
    signature: str,
    *,
    body: bytes = BODY,
    secret: str = SECRET,
    timestamp: str | None = None,
    now: datetime = NOW,
) -> bool:
    return grafana.is_signed(body, secret=secret, signature=signature, timestamp=timestamp, now=now)
