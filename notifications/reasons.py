"""Why a delivery is as it is: each reason in one word, and in a sentence for people.

Stored as the word. No choices of the field: rows may have words of an earlier version, or of a later one.
"""

from typing import Final

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy


class Reason(TextChoices):
    """In the order of the table in docs/architecture.md, which says with which status each stands."""

    LEVEL = "level", gettext_lazy("Not told: prefers critical alerts only.")
    DISABLED = "disabled", gettext_lazy("Not told: this contact point is switched off.")
    UNCONFIRMED = (
        "unconfirmed",
        gettext_lazy("Not told: this contact point is not confirmed yet, by the code that was sent there."),
    )
    UNSUBSCRIBED = (
        "unsubscribed",
        gettext_lazy("Not told: does not want this kind of message by this channel."),
    )
    SEVERITY = (
        "severity",
        gettext_lazy("Not told: wants nothing of this severity by this channel."),
    )
    NO_CONTACT_POINT = (
        "no_contact_point",
        gettext_lazy("Not told: has no contact point on the channels that were asked for."),
    )
    GROUPED = "grouped", gettext_lazy("Not told: grouped with an earlier alert of the same shop and label.")
    LIMIT_PERSON = (
        "limit_person",
        gettext_lazy(
            "Not told: this person had as many text messages and calls within a day as anybody may."
        ),
    )
    LIMIT_ADDRESS = (
        "limit_address",
        gettext_lazy("Not told: this number had as many text messages and calls within a day as any may."),
    )
    LIMIT_REPEATS = (
        "limit_repeats",
        gettext_lazy("Not told: this address had as many messages of this kind within a day as any may."),
    )
    NUMBER_REFUSED = (
        "number_refused",
        gettext_lazy("Not told: this server calls and texts no number of this kind (PHONE_PREFIXES)."),
    )

    QUIET_HOURS = "quiet_hours", gettext_lazy("Held until their quiet hours end.")
    HOURS = "hours", gettext_lazy("Held until the hours that they set for this channel.")
    DIGEST = "digest", gettext_lazy("Held until their quiet hours end; then told with others in one message.")
    RETRY = "retry", gettext_lazy("Waiting to be tried again: it failed in a way that may pass.")
    LEASE_LOST = "lease_lost", gettext_lazy("Waiting to be sent: the worker that had it was lost.")
    AWAY = (
        "away",
        gettext_lazy("Waiting to be sent: the message broker that it goes through can't be reached."),
    )
    TOO_FAST = (
        "too_fast",
        gettext_lazy("Waiting to be sent: its destination wants to be sent to more slowly."),
    )

    REJECTED = (
        "rejected",
        gettext_lazy("Failed: the destination refused it for good; trying again would change nothing."),
    )
    GONE = (
        "gone",
        gettext_lazy(
            "Failed: the provider calls the address dead; a contact point that still had it is now off."
        ),
    )
    EXHAUSTED = "exhausted", gettext_lazy("Failed: every attempt failed; it can be replayed.")
    UNDELIVERED = (
        "undelivered",
        gettext_lazy(
            "Failed: the provider took it, then reported that it did not arrive; it can be replayed."
        ),
    )
    WORKERS_LOST = (
        "workers_lost",
        gettext_lazy("Failed: each worker that tried was lost; it can be replayed."),
    )

    REVOKED = (
        "revoked",
        gettext_lazy("Stopped while it was being sent: the attempt failed and is not repeated."),
    )
    REVOKED_LOST = (
        "revoked_lost",
        gettext_lazy("Stopped while it was being sent, by a worker that was lost: it may have been sent."),
    )
    CONTACT_POINT_REMOVED = (
        "contact_point_removed",
        gettext_lazy("Stopped: the contact point was removed first."),
    )
    CANCELLED_BY_OPERATOR = (
        "cancelled_by_operator",
        gettext_lazy("Stopped by an operator before it was sent."),
    )
    LOCKED_OUT = "locked_out", gettext_lazy("Stopped: the person's account was locked.")
    PERSON_LEFT = "person_left", gettext_lazy("Stopped: the person deleted their account.")
    STOPPED = "stopped", gettext_lazy("Stopped with its escalation before it was sent.")
    ACKNOWLEDGED = (
        "acknowledged",
        gettext_lazy("Not needed any more: somebody acknowledged the escalation first."),
    )
    FINISHED = "finished", gettext_lazy("Stopped: its escalation had nothing left to send, and is over.")
    RESUMED = (
        "resumed",
        gettext_lazy("Replaced: the acknowledgement that put it off ran out, and it was planned again."),
    )
    PLAN_CHANGED = "plan_changed", gettext_lazy("Stopped: the plan of the evening changed.")
    OVERTAKEN = (
        "overtaken",
        gettext_lazy("Not needed any more: something that was said later took its place."),
    )

    DELIVERED = "delivered", gettext_lazy("The provider confirms it.")
    ANSWERED = "answered", gettext_lazy("The call was answered.")
    VOICEMAIL = "voicemail", gettext_lazy("A voicemail or a fax answered the call.")
    HUNG_UP = (
        "hung_up",
        gettext_lazy("The call was hung up before anybody answered, since it was not needed any more."),
    )

    TOO_OLD = "too_old", gettext_lazy("Gave up: it could not be sent before it was too old to matter.")


#: Of what waits until a time that somebody prefers.
HELD: Final = (Reason.QUIET_HOURS, Reason.HOURS, Reason.DIGEST)
