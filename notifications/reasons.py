"""Why a delivery is as it is: each reason in one word, and in a sentence for people.

Stored as the word. No choices of the field: rows may have words of an earlier version, or of a later one.
"""

from django.db.models import TextChoices


class Reason(TextChoices):
    """In the order of the table in docs/architecture.md, which says with which status each stands."""

    LEVEL = "level", "Not told: prefers critical alerts only."
    DISABLED = "disabled", "Not told: this contact point is switched off."
    UNCONFIRMED = (
        "unconfirmed",
        "Not told: this contact point is not confirmed yet, by the code that was sent there.",
    )
    UNSUBSCRIBED = "unsubscribed", "Not told: does not want this kind of message by this channel."
    NO_CONTACT_POINT = (
        "no_contact_point",
        "Not told: has no contact point on the channels that were asked for.",
    )
    GROUPED = "grouped", "Not told: grouped with an earlier alert of the same shop and label."
    LIMIT_PERSON = (
        "limit_person",
        "Not told: this person had as many text messages and calls within a day as anybody may.",
    )
    LIMIT_ADDRESS = (
        "limit_address",
        "Not told: this number had as many text messages and calls within a day as any may.",
    )
    LIMIT_REPEATS = (
        "limit_repeats",
        "Not told: this address had as many messages of this kind within a day as any may.",
    )
    NUMBER_REFUSED = (
        "number_refused",
        "Not told: this server calls and texts no number of this kind (PHONE_PREFIXES).",
    )

    QUIET_HOURS = "quiet_hours", "Held until their quiet hours end."
    DIGEST = "digest", "Held until their quiet hours end; then told with others in one message."
    RETRY = "retry", "Waiting to be tried again: it failed in a way that may pass."
    LEASE_LOST = "lease_lost", "Waiting to be sent: the worker that had it was lost."
    AWAY = "away", "Waiting to be sent: the message broker that it goes through can't be reached."
    TOO_FAST = "too_fast", "Waiting to be sent: its destination wants to be sent to more slowly."

    REJECTED = "rejected", "Failed: the destination refused it for good; trying again would change nothing."
    GONE = (
        "gone",
        "Failed: the provider calls the address dead; a contact point that still had it is now off.",
    )
    EXHAUSTED = "exhausted", "Failed: every attempt failed; it can be replayed."
    UNDELIVERED = (
        "undelivered",
        "Failed: the provider took it, then reported that it did not arrive; it can be replayed.",
    )
    WORKERS_LOST = "workers_lost", "Failed: each worker that tried was lost; it can be replayed."

    REVOKED = "revoked", "Stopped while it was being sent: the attempt failed and is not repeated."
    REVOKED_LOST = (
        "revoked_lost",
        "Stopped while it was being sent, by a worker that was lost: it may have been sent.",
    )
    CONTACT_POINT_REMOVED = "contact_point_removed", "Stopped: the contact point was removed first."
    CANCELLED_BY_OPERATOR = "cancelled_by_operator", "Stopped by an operator before it was sent."
    LOCKED_OUT = "locked_out", "Stopped: the person's account was locked."
    PERSON_LEFT = "person_left", "Stopped: the person deleted their account."
    STOPPED = "stopped", "Stopped with its escalation before it was sent."
    ACKNOWLEDGED = "acknowledged", "Not needed any more: somebody acknowledged the escalation first."
    FINISHED = "finished", "Stopped: its escalation had nothing left to send, and is over."
    RESUMED = "resumed", "Replaced: the acknowledgement that put it off ran out, and it was planned again."
    PLAN_CHANGED = "plan_changed", "Stopped: the plan of the evening changed."
    OVERTAKEN = "overtaken", "Not needed any more: something that was said later took its place."

    DELIVERED = "delivered", "The provider confirms it."
    ANSWERED = "answered", "The call was answered."
    VOICEMAIL = "voicemail", "A voicemail or a fax answered the call."
    HUNG_UP = "hung_up", "The call was hung up before anybody answered, since it was not needed any more."

    TOO_OLD = "too_old", "Gave up: it could not be sent before it was too old to matter."
