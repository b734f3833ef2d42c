"""What is told in an escalation: the same texts for each of its notifications, rendered once."""

from collections.abc import Sequence

from django.conf import settings

from escalation.acknowledge_links import MARK
from escalation.models import EscalationProcess
from escalation.policies.plan import KIND
from notifications.engine.planned import Planned
from notifications.engine.recipients import Recipient
from notifications.messages.compose import notification_of
from notifications.models import Notification, Severity


def planned(
    process: EscalationProcess,
    recipients: Sequence[Recipient],
    *,
    severity: str = Severity.CRITICAL,
    first: int = 1,
) -> list[Planned]:
    """Return the deliveries to make, each with a notification of its own, numbered from ``first``."""
    text = notification_of(
        kind=KIND,
        data={},
        context={
            "process_id": process.process_id,
            "started_at": process.started_at.timestamp(),
            "policy": process.policy_version.policy.name if process.policy_version else "",
            "mail_subject": settings.MAIL_SUBJECT,
            "mail_body": settings.MAIL_BODY,
            "page": f"{settings.PUBLIC_URL.rstrip('/')}/escalations/{process.pk}/",
        },
        marks={"acknowledge": MARK},
        severity=severity,
        source_type=EscalationProcess.SOURCE,
        source_id=str(process.pk),
        dedup_key="",
    )
    return [
        Planned.for_recipient(recipient, _numbered(text, process, number, recipient))
        for number, recipient in enumerate(recipients, start=first)
    ]


def _numbered(
    text: Notification, process: EscalationProcess, number: int, recipient: Recipient
) -> Notification:
    told = {"process_id": process.process_id, "process": str(process.pk), "number": number}
    if recipient.at is not None:
        told["at"] = recipient.at.isoformat()
    return Notification(
        kind=text.kind,
        title=text.title,
        body=text.body,
        texts=text.texts,
        severity=text.severity,
        source_type=text.source_type,
        source_id=text.source_id,
        data={**recipient.data, **told},
        dedup_key=f"escalation:{process.pk}:{number}",
    )
