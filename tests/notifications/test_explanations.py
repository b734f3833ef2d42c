"""Every state of a delivery is explained in a sentence."""

import pytest

from notifications.explanations import explain
from notifications.models import Delivery


@pytest.mark.parametrize(
    ("status", "reason", "attempts", "sentence"),
    [
        ("sent", "", 1, "Told by webhook."),
        ("sent", "", 3, "Told by webhook, on attempt 3."),
        ("pending", "", 0, "Waiting to be sent."),
        ("pending", "retry", 1, "Waiting to be tried again after one failed attempt."),
        ("pending", "retry", 2, "Waiting to be tried again after 2 failed attempts."),
        ("sending", "", 1, "Being sent right now."),
        ("suppressed", "level", 0, "Not told: prefers critical alerts only."),
        ("suppressed", "disabled", 0, "Not told: this contact point is switched off."),
        ("suppressed", "on_holiday", 0, "Not told: on holiday."),
        ("cancelled", "contact_point_removed", 0, "Stopped: the contact point was removed first."),
        ("cancelled", "", 0, "Stopped: no reason was recorded."),
        ("expired", "too_old", 2, "Gave up: it could not be sent before it was too old to matter."),
        ("failed", "exhausted", 3, "Failed: every attempt failed; it can be replayed."),
        ("failed", "strange_thing", 3, "Failed: strange thing."),
    ],
)
def test_it_says_why(status: str, reason: str, attempts: int, sentence: str) -> None:
    delivery = Delivery(channel="webhook", status=status, reason=reason, attempts=attempts)
    assert explain(delivery) == sentence


@pytest.mark.parametrize("status", Delivery.Status.values)
def test_every_status_has_a_sentence(status: str) -> None:
    sentence = explain(Delivery(channel="webhook", status=status))
    assert sentence[0].isupper()
    assert sentence.endswith(".")
