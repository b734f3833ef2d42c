"""A policy as a form: a row for each target, in place of JSON."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final, Self
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.forms.utils import ErrorDict
from django.utils.translation import gettext, gettext_lazy

from accounts.models import User
from accounts.validators import validate_time_zone
from escalation.models import LayerMember, Schedule
from escalation.policies.conditions import ALWAYS, Condition
from escalation.policies.definition import (
    EVERYONE,
    MAX_REPEATS,
    MAX_S,
    MAX_STEPS,
    NEXT,
    ON_CALL,
    Definition,
    Step,
    Target,
)
from escalation.policies.parsing import steps_of
from escalation.policies.words import name_of
from escalation.schedules.hours import WEEKDAYS
from notifications.channels import registry
from notifications.channels.labels import channel_label
from notifications.models import Severity

#: Of people, so many can be chosen from a list; others by their email address.
MOST_LISTED: Final = 200
_SOMEBODY: Final = "somebody"
_DAYS: Final = (
    gettext_lazy("Mon"), gettext_lazy("Tue"), gettext_lazy("Wed"), gettext_lazy("Thu"), gettext_lazy("Fri"),
    gettext_lazy("Sat"), gettext_lazy("Sun"),
)  # fmt: skip

Choices = list[tuple[str, Any]]


class RowForm(forms.Form):
    """One target, after how long, and when alone.

    ``step`` keeps together what was one step; with an ``s`` its condition is that step's own.
    """

    after = forms.DecimalField(
        label=gettext_lazy("After minutes"),
        min_value=0,
        max_value=MAX_S // 60,
        widget=forms.NumberInput({"step": "any", "inputmode": "decimal"}),
    )
    who = forms.ChoiceField(label=gettext_lazy("Tell"))
    where = forms.CharField(
        label=gettext_lazy("Email of the person, or the address"), required=False, max_length=2048
    )
    channels = forms.MultipleChoiceField(
        label=gettext_lazy("By"), required=False, widget=forms.CheckboxSelectMultiple
    )
    severity = forms.ChoiceField(
        label=gettext_lazy("Only if"),
        required=False,
        choices=[("", gettext_lazy("Any severity")), *Severity.choices],
    )
    weekdays = forms.MultipleChoiceField(
        label=gettext_lazy("Only on"),
        required=False,
        choices=list(zip(WEEKDAYS, _DAYS, strict=True)),
        widget=forms.CheckboxSelectMultiple,
    )
    begin = forms.TimeField(
        label=gettext_lazy("Only from"),
        required=False,
        widget=forms.TimeInput({"type": "time"}, format="%H:%M"),
    )
    end = forms.TimeField(
        label=gettext_lazy("until"), required=False, widget=forms.TimeInput({"type": "time"}, format="%H:%M")
    )
    step = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, who: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["who"].choices = who  # type: ignore[attr-defined]
        self.fields["channels"].choices = _personal()  # type: ignore[attr-defined]

    @property
    def has_condition(self) -> bool:
        names = ("severity", "weekdays", "begin", "end")
        return any(self[name].value() for name in names) or any(name in self.errors for name in names)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if "who" in cleaned:
            try:
                cleaned["target"] = self._target(cleaned)
            except ValidationError as error:
                self.add_error("where", error)
        if (cleaned.get("begin") is None) != (cleaned.get("end") is None):
            missing = "begin" if cleaned.get("begin") is None else "end"
            if missing not in self.errors:
                self.add_error(missing, gettext("Hours need a beginning and an end."))
        return cleaned

    def _target(self, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        kind, _, rest = cleaned["who"].partition(":")
        channels, where = cleaned.get("channels", []), cleaned.get("where", "").strip()
        match kind:
            case "schedule" | "rotation":
                pk, _, whom = rest.partition(":")
                said = {"type": kind, f"{kind}_id": pk, "channels": channels}
                return said | ({"whom": whom} if whom else {})
            case "user":
                return {"type": "user", "user_id": rest, "channels": channels}
            case "address":
                address = registry.get(rest).normalised_address(where)
                return {"type": "address", "channel": rest, "address": address}
            case _:
                user = User.objects.filter(email__iexact=where, is_active=True).first()
                if user is None:
                    raise ValidationError(gettext("There is nobody with this email address."))
                return {"type": "user", "user_id": str(user.pk), "channels": channels}

    def only(self) -> dict[str, Any]:
        said = self.cleaned_data
        found: dict[str, Any] = {"weekdays": said["weekdays"]} if said["weekdays"] else {}
        if said["begin"] is not None and said["end"] is not None:
            found |= {"begin": f"{said['begin']:%H:%M}", "end": f"{said['end']:%H:%M}"}
        return found | ({"severity": said["severity"]} if said["severity"] else {})


class PolicyForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=100)
    severity = forms.ChoiceField(
        label=gettext_lazy("Severity"),
        choices=Severity.choices,
        help_text=gettext_lazy("Critical messages are sent in quiet hours too."),
    )
    repeats = forms.IntegerField(
        label=gettext_lazy("Further rounds"), min_value=0, max_value=MAX_REPEATS, initial=0
    )
    repeat_until_acknowledged = forms.BooleanField(
        label=gettext_lazy("Repeat until somebody acknowledges"),
        required=False,
        help_text=gettext_lazy("In place of a number of rounds; for a day at most."),
    )
    repeat_every = forms.DecimalField(
        label=gettext_lazy("A round every … minutes"),
        min_value=0,
        max_value=MAX_S // 60,
        initial=0,
        widget=forms.NumberInput({"step": "any", "inputmode": "decimal"}),
    )
    acknowledged_for = forms.DecimalField(
        label=gettext_lazy("Acknowledged for … minutes"),
        required=False,
        min_value=1,
        max_value=MAX_S // 60,
        widget=forms.NumberInput({"step": "any", "inputmode": "decimal"}),
        help_text=gettext_lazy("Then it goes on, unless it has been stopped. Leave empty for ever."),
    )
    time_zone = forms.CharField(
        label=gettext_lazy("Time zone of its hours"), max_length=64, validators=[validate_time_zone]
    )
    may_have_holes = forms.BooleanField(
        label=gettext_lazy("Save it though a step reaches nobody now"), required=False
    )
    #: The number of the version that the form was made of; 0 for a new policy.
    version = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    count = forms.IntegerField(min_value=0, max_value=MAX_STEPS * 20, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, definition: Definition, **kwargs: Any) -> None:
        initial = {**initial_of(definition), **kwargs.pop("initial", {})}
        super().__init__(data, initial=initial, **kwargs)
        self.was = definition
        who = _whom(definition)
        if data is None:
            made = [(None, row) for row in rows_of(definition)] or [(None, {"after": 0})]
        else:
            made = [(data, {}) for _ in range(self._asked())]
        self.rows = [
            RowForm(given, prefix=f"row-{number}", initial=row, who=who, auto_id="id_%s")
            for number, (given, row) in enumerate(made)
        ]
        self.initial["count"] = len(self.rows)

    def _asked(self) -> int:
        try:
            return min(max(int(self.data.get("count", 0)), 0), MAX_STEPS * 20)
        except ValueError:
            return 0

    def all_valid(self) -> bool:
        """Check all rows, and the form itself, so that whatever is wrong is shown."""
        return all([self.is_valid(), *(row.is_valid() for row in self.rows)])

    def as_typed(self) -> Self:
        """Return it with what was typed, and nothing said of what is wrong: somebody is at it still."""
        everything: list[forms.Form] = [self, *self.rows]
        for form in everything:
            form._errors = ErrorDict()  # type: ignore[attr-defined]
        return self

    def definition(self) -> Definition:
        """Return what it says.

        Raises:
            ValidationError: the steps are not as they should be.
        """
        given = self.cleaned_data
        timeout = given["acknowledged_for"]
        return replace(
            self.was,
            steps=steps_of(list(_steps(self.rows))),
            repeats=given["repeats"],
            repeat_every_s=_seconds(given["repeat_every"]),
            acknowledge_timeout_s=None if timeout is None else _seconds(timeout),
            severity=given["severity"],
            time_zone=given["time_zone"],
            repeat_until_acknowledged=given["repeat_until_acknowledged"],
        )


def initial_of(definition: Definition) -> dict[str, Any]:
    timeout = definition.acknowledge_timeout_s
    return {
        "severity": definition.severity,
        "repeats": definition.repeats,
        "repeat_until_acknowledged": definition.repeat_until_acknowledged,
        "repeat_every": _minutes(definition.repeat_every_s),
        "acknowledged_for": None if timeout is None else _minutes(timeout),
        "time_zone": definition.time_zone,
    }


def rows_of(definition: Definition) -> list[dict[str, Any]]:
    """Return what the rows show of a definition; raises ValueError where a row can't say it."""
    found = []
    for number, step in enumerate(definition.steps, start=1):
        for target in step.targets:
            if ALWAYS not in (step.only, target.only):
                raise ValueError("Both a step and its target have a condition.")
            only = step.only if target.only == ALWAYS else target.only
            found.append(
                {
                    "after": _minutes(step.after_s),
                    "step": f"{number}s" if step.only != ALWAYS else str(number),
                    **_target_row(target),
                    **_condition_row(only),
                }
            )
    return found


def _target_row(target: Target) -> dict[str, Any]:
    if target.type == "address":
        return {"who": f"address:{target.channels[0]}", "where": target.address}
    return {"who": _key(target.type, target.id, target.whom), "channels": list(target.channels)}


def _key(type_: str, pk: UUID | None, whom: str) -> str:
    return f"{type_}:{pk}" + (f":{whom}" if whom != ON_CALL else "")


def _condition_row(only: Condition) -> dict[str, Any]:
    return {
        "severity": only.severity,
        "weekdays": [WEEKDAYS[day] for day in only.weekdays],
        "begin": only.begins,
        "end": only.ends,
    }


def _steps(rows: Sequence[RowForm]) -> Iterator[dict[str, Any]]:
    """Yield steps as JSON has them: what was one stays one, and what is new joins what is due then."""
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for row in rows:
        after_s, step, only = _seconds(row.cleaned_data["after"]), row.cleaned_data["step"], row.only()
        is_of_step = step.endswith("s")
        if not step:
            step = next((other for at, other in found if at == after_s and not other.endswith("s")), "new")
        key = (after_s, f"{step} {json.dumps(only, sort_keys=True)}s" if is_of_step else step)
        made = found.setdefault(key, {"after_s": after_s, "targets": []})
        target = row.cleaned_data["target"]
        if is_of_step and only:
            made["only"] = only
        elif only:
            target = {**target, "only": only}
        made["targets"].append(target)
    yield from found.values()


def _seconds(minutes: Decimal) -> int:
    return round(minutes * 60)


def _minutes(seconds: int) -> Decimal:
    return Decimal(seconds) / 60 if seconds % 60 else Decimal(seconds // 60)


def _personal() -> Choices:
    names = sorted(name for name, each in registry.CHANNELS.items() if each.for_contacts)
    return [(name, channel_label(name)) for name in names if registry.is_offered(name) or name == "inbox"]


def _whom(definition: Definition) -> Choices:
    """Return who can be chosen: schedules, people in them or in this policy, others, and addresses."""
    return [
        ("", gettext("Choose one")),
        (gettext("Schedules"), _schedules(definition)),
        (gettext("People"), [*_people(definition), (_SOMEBODY, gettext("Somebody, by their email address"))]),
        (gettext("An address"), _addresses(definition)),
    ]


def _schedules(definition: Definition) -> Choices:
    whom = {ON_CALL: gettext("who is on call"), EVERYONE: gettext("everyone"), NEXT: gettext("the next one")}
    there = Schedule.objects.filter(deleted_at=None).order_by("name").values_list("pk", "name")
    # What policies called them before they had layers.
    old = [each for each in _targets(definition) if each.type == "rotation"]
    return [
        *(
            (_key("schedule", pk, key), f"{name}: {words}")
            for pk, name in there
            for key, words in whom.items()
        ),
        *((_key("rotation", each.id, each.whom), whom[each.whom]) for each in old),
    ]


def _people(definition: Definition) -> Choices:
    named = User.objects.filter(pk__in=definition.ids("user"))
    members = User.objects.filter(
        is_active=True, pk__in=LayerMember.objects.filter(layer__schedule__deleted_at=None).values("user")
    )
    people = {user.pk: name_of(user) for user in (*named, *members.order_by("email")[:MOST_LISTED])}
    return [(f"user:{pk}", name) for pk, name in sorted(people.items(), key=lambda each: each[1])]


def _addresses(definition: Definition) -> Choices:
    offered = {name for name in registry.ADDRESS_FIELDS if registry.is_offered(name)}
    named = {each.channels[0] for each in _targets(definition) if each.type == "address"}
    return [(f"address:{name}", channel_label(name)) for name in sorted(offered | named)]


def _targets(definition: Definition) -> Iterable[Target]:
    return (target for step in definition.steps for target in step.targets)


NEW: Final = Definition(steps=())


def is_shown_whole(definition: Definition) -> bool:
    """Whether the rows can say all of it."""
    try:
        rows_of(definition)
    except ValueError:
        return False
    return True


def for_whoever_tries(definition: Definition, user: User, channels: Iterable[str]) -> Definition:
    """Return the same steps at the same times, all of them to one person by channels that they have."""
    own = set(channels)

    def to_them(target: Target) -> Target:
        by = tuple(sorted(set(target.channels) & own))
        return Target("user", id=user.pk, channels=by)

    steps = tuple(
        Step(step.after_s, tuple(dict.fromkeys(map(to_them, step.targets)))) for step in definition.steps
    )
    return replace(definition, steps=steps, repeats=0, repeat_until_acknowledged=False, last_resort=())
