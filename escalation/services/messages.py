"""What is told in an escalation: the same texts for each of its notifications, rendered once."""

from collections.abc import Sequence
from typing import Final

from django.conf import settings

from escalation.acknowledge_links import MARK
from escalation.models import EscalationProcess
from escalation.policies.plan import KIND
from notifications.engine.planned import Planned
from notifications.engine.recipients import Recipient
from notifications.messages.compose import notification_of
from notifications.models import Notification, Severity
from notifications.reasons import Reason

#: What the messages of drills are told as; whether by which channel, those of escalations decide.
DRILL: Final = f"{KIND}.drill"
#: By how much quiet hours hold a message back, in its data.
HELD_S: Final = "held_s"
# What all notifications of a process have in common.
_SHARED: Final = ("kind", "title", "body", "texts", "severity", "source_type", "source_id")


def planned(
    process: EscalationProcess,
    recipients: Sequence[Recipient],
    *,
    severity: str = Severity.CRITICAL,
    first: int = 1,
    is_last_resort: bool = False,
) -> list[Planned]:
    """Return the deliveries to make, each with a notification of its own, numbered from ``first``.

    The last resort is told how the process ended.
    """
    text = notification_of(
        kind=DRILL if process.is_drill else KIND,
        data={},
        context={
            "process_id": process.process_id,
            "started_at": process.started_at.timestamp(),
            "policy": process.policy_version.policy.name if process.policy_version else "",
            "outcome": process.state if is_last_resort else "",
            "mail_subject": settings.MAIL_SUBJECT,
            "mail_body": settings.MAIL_BODY,
            "details": process.details,
            "page": f"{settings.PUBLIC_URL}/escalations/{process.pk}/",
        },
        marks={"acknowledge": MARK},
        severity=severity,
        source_type=EscalationProcess.SOURCE,
        source_id=str(process.pk),
        dedup_key="",
    )
    shared = {name: getattr(text, name) for name in _SHARED}
    found = []
    for number, recipient in enumerate(recipients, start=first):
        told = {"process_id": process.process_id, "process": str(process.pk), "number": number}
        if is_last_resort:
            told[EscalationProcess.LAST_RESORT] = True
        if recipient.at is not None:
            told["at"] = recipient.at.isoformat()
            if recipient.is_told and recipient.reason == Reason.QUIET_HOURS:
                told[HELD_S] = (recipient.due_at - recipient.at).total_seconds()
        data, key = {**recipient.data, **told}, f"escalation:{process.pk}:{number}"
        found.append(Planned.for_recipient(recipient, Notification(**shared, data=data, dedup_key=key)))
    return found
