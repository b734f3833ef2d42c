"""Every state of a delivery is explained in a sentence."""

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from notifications.explanations import explain
from notifications.models import Delivery


@pytest.mark.parametrize(
    ("status", "reason", "attempts", "sentence"),
    [
        ("sent", "", 1, "Told by webhook."),
        ("sent", "", 3, "Told by webhook, on attempt 3."),
        ("sent", "delivered", 1, "Told by webhook; the provider confirms it."),
        ("pending", "", 0, "Waiting to be sent."),
        ("pending", "retry", 1, "Waiting to be tried again after one failed attempt."),
        ("pending", "retry", 2, "Waiting to be tried again after 2 failed attempts."),
        ("sending", "", 1, "Being sent right now."),
        ("suppressed", "level", 0, "Not told: prefers critical alerts only."),
        ("suppressed", "grouped", 0, "Not told: grouped with an earlier alert of the same shop and label."),
        ("suppressed", "disabled", 0, "Not told: this contact point is switched off."),
        (
            "suppressed",
            "unsubscribed",
            0,
            "Not told: does not want this kind of message by this channel.",
        ),
        (
            "suppressed",
            "digest",
            0,
            "Part of one message after their quiet hours: see delivery 0198c7f2-54b1-7d6e-8a53-6f2b1f0c9e11.",
        ),
        ("pending", "quiet_hours", 0, "Held until their quiet hours end, at 2026-03-29 05:01 UTC."),
        (
            "pending",
            "digest",
            0,
            "Held until their quiet hours end, at 2026-03-29 05:00 UTC; "
            "then told with others in one message.",
        ),
        ("pending", "quiet_hours", 1, "Waiting to be tried again after one failed attempt."),
        ("sending", "quiet_hours", 1, "Being sent right now."),
        ("suppressed", "on_holiday", 0, "Not told: on holiday."),
        ("cancelled", "contact_point_removed", 0, "Stopped: the contact point was removed first."),
        ("cancelled", "", 0, "Stopped: no reason was recorded."),
        ("expired", "too_old", 2, "Gave up: it could not be sent before it was too old to matter."),
        ("failed", "exhausted", 3, "Failed: every attempt failed; it can be replayed."),
        (
            "failed",
            "undelivered",
            1,
            "Failed: the provider took it, then reported that it did not arrive; it can be replayed.",
        ),
        ("failed", "strange_thing", 3, "Failed: strange thing."),
    ],
)
def test_it_says_why(status: str, reason: str, attempts: int, sentence: str) -> None:
    delivery = Delivery(
        channel="webhook",
        address="https://hooks.example.com/1",
        status=status,
        reason=reason,
        attempts=attempts,
        due_at=datetime(2026, 3, 29, 7, 1, tzinfo=ZoneInfo("Europe/Paris")),
        digest_id=UUID("0198c7f2-54b1-7d6e-8a53-6f2b1f0c9e11"),
    )
    assert explain(delivery) == sentence


@pytest.mark.parametrize("status", Delivery.Status.values)
def test_every_status_has_a_sentence(status: str) -> None:
    sentence = explain(Delivery(channel="webhook", status=status))
    assert sentence[0].isupper()
    assert sentence.endswith(".")


def test_what_is_so_old_that_its_address_is_erased_is_not_said_to_be_replayable() -> None:
    erased = Delivery(channel="webhook", address="", status="failed", reason="exhausted", attempts=3)
    assert explain(erased) == (
        "Failed: every attempt failed; it is so old that its address is erased, and can't be replayed."
    )
    console = Delivery(channel="console", address="", status="failed", reason="exhausted", attempts=3)
    assert explain(console) == "Failed: every attempt failed; it can be replayed."
