"""When in the week an escalation would tell nobody by its policy's conditions. Pure."""

from django.core.exceptions import ValidationError

from escalation.policies import conditions
from escalation.policies.definition import Definition, rounds_of
from escalation.schedules.hours import joined
from notifications.models import Severity


def check_conditions(definition: Definition) -> None:
    """Check that a process with the policy's own severity can tell somebody.

    Raises:
        ValidationError: its conditions leave out all that it says; the message is by field.
    """
    if _told_within_week(definition, definition.severity):
        return
    other = next(value for value in Severity.values if value != definition.severity)
    message = (
        f"Its conditions are for {other} only: as a {definition.severity} one it would tell nobody, ever."
    )
    raise ValidationError({"severity": message})


def condition_gaps(definition: Definition) -> list[str]:
    """Return at which times of the week a start would tell nobody by the conditions, in a sentence each."""
    found = []
    for severity in Severity.values:
        gaps = conditions.rest(_told_within_week(definition, severity))
        if gaps:
            found.append(
                f"A {severity} escalation that starts {conditions.in_words(gaps)} ({definition.time_zone}) "
                "would tell nobody: no condition holds."
            )
    return found


def _told_within_week(definition: Definition, severity: str) -> list[conditions.Stretch]:
    """Return when in the week a start tells somebody, in any of its rounds, by the conditions."""
    found: list[conditions.Stretch] = []
    for step in definition.steps:
        held: list[conditions.Stretch] = []
        for only in {target.only for target in step.targets}:
            if {step.only.severity, only.severity} <= {"", severity}:
                held += conditions.common(conditions.stretches(step.only), conditions.stretches(only))
        if not held or found == conditions.WEEK:
            continue
        for round_ in range(rounds_of(definition)):
            found += conditions.shifted(held, -step.after_s - round_ * definition.repeat_every_s)
        found = joined(found)
    return found
