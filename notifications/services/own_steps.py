"""A person's own steps for escalations: setting them, where they lead, and what they come to."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext, gettext_lazy

from accounts.models import User
from notifications.channels import registry
from notifications.engine.fanout import Decision, preview
from notifications.engine.own_steps import recipients_in_steps
from notifications.engine.recipients import people_with_preferences, unusable
from notifications.explanations import explain, held_sentence, sentence_of
from notifications.models import ContactPoint, Delivery, Preference, Severity
from notifications.own_steps import KIND, MAX_S, MOST, OwnStep, in_order, own_steps_of

NOWHERE = gettext_lazy("This leads nowhere: all your contact points are told then instead.")


def own_steps_set(*, user: User, **steps: Sequence[OwnStep]) -> Preference:
    """Set a person's own steps for each severity that is given, and leave the others. None at all: no steps.

    What is planned already stays as it is.

    Raises:
        ValidationError: one leads to none of their contact points, or there are too many; by severity.
    """
    with transaction.atomic():
        Preference.objects.get_or_create(user=user)
        preference = Preference.objects.select_for_update().get(user=user)
        theirs = ContactPoint.objects.filter(user=user, deleted_at=None)
        own = set(theirs.values_list("pk", flat=True))
        problems = {severity: _wrong_with(each, own) for severity, each in steps.items()}
        if any(problems.values()):
            raise ValidationError({name: texts for name, texts in problems.items() if texts})
        stored = {**preference.steps}
        for severity, each in steps.items():
            stored[severity] = [step.as_json() for step in in_order(each)]
        preference.steps = {severity: each for severity, each in stored.items() if each}
        preference.save()
    return preference


def _wrong_with(steps: Sequence[OwnStep], own: Collection[UUID]) -> list[str]:
    if len(steps) > MOST:
        return [f"Expected at most {MOST} steps."]
    if len(set(steps)) < len(steps):
        return ["Two of the steps are the same."]
    found = []
    for number, step in enumerate(steps, start=1):
        if step.contact_point_id is not None and step.contact_point_id not in own:
            found.append(f"step {number}: contact_point_id: There is no such contact point.")
        elif step.contact_point_id is None and step.channel not in own_step_channels():
            found.append(f"step {number}: channel: Expected one of: {', '.join(own_step_channels())}.")
        if not 0 <= step.after_s <= MAX_S:
            found.append(f"step {number}: after_s: Expected whole seconds from 0 to {MAX_S}.")
    return found


def own_step_channels() -> list[str]:
    """Return the channels that a step can name: the inbox is told at once anyway."""
    return sorted(name for name, each in registry.CHANNELS.items() if each.for_contacts and name != "inbox")


def own_steps_naming(point: ContactPoint) -> list[str]:
    """Return the severities whose own steps lead nowhere once this contact point is gone."""
    preference = Preference.objects.filter(user=point.user_id).first()
    others = ContactPoint.objects.filter(user=point.user_id, deleted_at=None).exclude(pk=point.pk)
    left = list(others.values_list("channel", "pk"))
    return [
        severity
        for severity in Severity.values
        for steps in [own_steps_of(preference.steps, severity) if preference else []]
        if any(
            step.leads_to(point.channel, point.pk) and not any(step.leads_to(*each) for each in left)
            for step in steps
        )
    ]


def own_steps_shown(
    preference: Preference, points: Iterable[ContactPoint]
) -> dict[str, list[dict[str, Any]]]:
    """Return somebody's own steps by severity, each with why it leads nowhere, if it does.

    Args:
        points: their contact points.
    """
    usable = [(point.channel, point.pk) for point in points if not unusable(point)]
    return {
        severity: [
            {
                "after_s": step.after_s,
                "channel": step.channel,
                "contact_point_id": step.contact_point_id,
                "problem": "" if any(step.leads_to(*each) for each in usable) else NOWHERE,
            }
            for step in own_steps_of(preference.steps, severity)
        ]
        for severity in Severity.values
    }


def decisions_foreseen(*, user: User, kind: str, severity: str, at: datetime) -> list[dict[str, Any]]:
    """Return how somebody would be told of something at a time: by their own steps, or at once everywhere.

    Each says ``contact_point_id``, ``channel``, ``outcome`` (``now``, ``later``, ``held`` or ``not_told``),
    ``due_at``, ``reason``, ``held_until`` and an ``explanation``. Nothing is sent.
    """
    by_steps = decisions_in_steps(user=user, kind=kind, severity=severity, at=at)
    return by_steps or [
        _as_foreseen(each, at) for each in preview(user=user, kind=kind, severity=severity, at=at)
    ]


def _as_foreseen(decision: Decision, at: datetime) -> dict[str, Any]:
    outcome = "held" if decision.reason else "now"
    if decision.status == Delivery.Status.SUPPRESSED:
        outcome = "not_told"
    if outcome == "now":
        said = gettext("Told by %(channel)s, at once.") % {"channel": decision.channel}
    else:
        said = explain(
            Delivery(
                channel=decision.channel,
                status=decision.status,
                reason=decision.reason,
                due_at=decision.due_at or at,
            )
        )
    return {
        **decision._asdict(),
        "outcome": outcome,
        "due_at": decision.held_until or decision.due_at or at,
        "explanation": said,
    }


def decisions_in_steps(*, user: User, kind: str, severity: str, at: datetime) -> list[dict[str, Any]]:
    """Return what would become of an escalation by somebody's own steps; empty if they have none for it."""
    if kind != KIND:
        return []
    person = people_with_preferences([user])[user.pk]
    if not person.preference or not own_steps_of(person.preference.steps, severity):
        return []
    found = []
    for to in recipients_in_steps(person, kind=kind, severity=severity, at=at):
        outcome, said = "now", f"Told by {to.channel}."
        if not to.is_told:
            outcome, said = "not_told", sentence_of(to.reason, otherwise="Not told")
        elif to.reason:
            outcome, said = "held", held_sentence(to.due_at, reason=to.reason)
        elif to.due_at > at:
            outcome = "later"
        found.append(
            {
                "contact_point_id": to.contact_point and to.contact_point.pk,
                "channel": to.channel,
                "outcome": outcome,
                "due_at": to.due_at,
                "reason": to.reason,
                "held_until": to.due_at if outcome == "held" else None,
                "explanation": f"{said} {to.detail}".rstrip(),
            }
        )
    return found
