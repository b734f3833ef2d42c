"""Policies for the operators: changed as JSON, version by version, and simulated."""

import json
from datetime import UTC, datetime
from typing import Any, Final

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from accounts.admin import StaffViews
from accounts.models import User
from accounts.validators import validate_time_zone
from config import clock
from escalation.admin.base import TakesAway, listed
from escalation.models import Policy
from escalation.policies import definition as definitions
from escalation.policies import parsing, selectors
from escalation.policies.definition import Definition
from escalation.policies.words import shown_rows
from escalation.services import policies as services
from notifications.models import Severity

NEW: Final = [
    {"after_s": 0, "targets": [{"type": "user", "user_id": "", "channels": []}]},
    {"after_s": 120, "targets": [{"type": "address", "channel": "phone", "address": ""}]},
]
FIELDS: Final = (
    "steps", "repeats", "repeat_every_s", "repeat_until_acknowledged", "acknowledge_timeout_s", "severity",
    "time_zone", "last_resort",
)  # fmt: skip


class _LinesFormField(forms.JSONField):
    """JSON, shown line by line."""

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


class StepsFormField(_LinesFormField):
    """Steps as JSON."""

    def clean(self, value: Any) -> tuple[definitions.Step, ...]:
        return parsing.steps_of(super().clean(value))


class TargetsFormField(_LinesFormField):
    """Targets of a last resort as JSON; none if it is empty."""

    def clean(self, value: Any) -> tuple[definitions.Target, ...]:
        return parsing.targets_of(super().clean(value) or [])


def _whole(most: int, label: str, help_text: str, **options: Any) -> forms.IntegerField:
    widget = UnfoldAdminIntegerFieldWidget
    return forms.IntegerField(max_value=most, label=label, help_text=help_text, widget=widget, **options)


class PolicyForm(forms.ModelForm):
    steps = StepsFormField(
        initial=NEW,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 18, "spellcheck": "false"}),
        help_text="Each has after_s (seconds) and targets: a user (user_id) or a schedule (schedule_id, and "
        "whom: on_call, everyone or next), with channels to use only some; or an address (channel, address). "
        "A step or a target may have only (weekdays, begin, end, severity): it is left out unless that "
        "holds when it is due.",
    )
    repeats = _whole(definitions.MAX_REPEATS, "Repeats", "Further rounds.", min_value=0, initial=0)
    repeat_every_s = _whole(
        definitions.MAX_S,
        "Repeat every … seconds",
        "From the beginning of one round to the next.",
        min_value=0,
        initial=0,
    )
    acknowledge_timeout_s = _whole(
        definitions.MAX_S,
        "Acknowledgement holds for … seconds",
        "After that the process resumes. Leave empty for never.",
        min_value=1,
        required=False,
    )
    repeat_until_acknowledged = forms.BooleanField(
        widget=UnfoldBooleanSwitchWidget,
        required=False,
        label="Repeat until acknowledged",
        help_text="In place of a number of repeats; for a day at most.",
    )
    last_resort = TargetsFormField(
        initial=[],
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "spellcheck": "false"}),
        help_text="Who is told once nobody took it: targets as those of a step. "
        "If empty, the installation's own (LAST_RESORT).",
    )
    severity = forms.ChoiceField(
        choices=Severity.choices,
        widget=UnfoldAdminSelectWidget,
        initial=Severity.CRITICAL,
        help_text="Critical messages are sent in quiet hours too.",
    )

    time_zone = forms.CharField(
        max_length=64,
        required=False,
        initial="UTC",
        validators=[validate_time_zone],
        widget=UnfoldAdminTextInputWidget,
        help_text="Of the hours and weekdays of conditions, such as Europe/Paris. Leave empty for UTC.",
    )

    class Meta:
        model = Policy
        fields = ("name",)
        widgets = {"name": UnfoldAdminTextInputWidget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            newest = selectors.newest_version(self.instance)
            self.initial = {**self.initial, **{name: getattr(newest, name) for name in FIELDS}}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                services.definition_check(self.definition())
            except ValidationError as error:
                for field, problems in error.message_dict.items():
                    self.add_error(field if field in self.fields else None, problems)
        return cleaned

    def clean_time_zone(self) -> str:
        return self.cleaned_data["time_zone"] or "UTC"

    def definition(self) -> Definition:
        return Definition(**{name: self.cleaned_data[name] for name in FIELDS})


@admin.register(Policy)
class PolicyAdmin(TakesAway, StaffViews, ModelAdmin):
    """To delete one is to take it away: what was started by it goes on, and its history stays."""

    form = PolicyForm
    fields = (
        "name", "problems", "steps", ("repeats", "repeat_every_s", "repeat_until_acknowledged"),
        ("acknowledge_timeout_s", "severity"), "time_zone", "last_resort",
    )  # fmt: skip
    readonly_fields = ("problems",)
    list_display = ("name", "version", "changed_at")
    search_fields = ("name",)
    change_form_before_template = "escalation/admin/simulate_link.html"
    change_form_after_template = "escalation/admin/versions.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.simulate_view)
        return [path("<uuid:pk>/simulate/", view, name="escalation_policy_simulate"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Policy]:
        return selectors.policies().order_by("name")

    @display(description="Problems")
    def problems(self, policy: Any) -> str:
        found = [] if policy._state.adding else selectors.problems_now(selectors.newest_version(policy))
        return listed(((each.explanation,) for each in found), otherwise="None.")

    @display(description="Version")
    def version(self, policy: Any) -> int:
        return int(policy.newest[0].number)

    @display(description="Changed")
    def changed_at(self, policy: Any) -> datetime:
        return policy.newest[0].created_at

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        policy = self.get_object(request, object_id) if object_id else None
        versions = policy.versions.select_related("created_by")[:50] if policy else ()
        return super().changeform_view(
            request, object_id, form_url, {**(extra_context or {}), "versions": versions}
        )

    def save_model(self, request: HttpRequest, obj: Policy, form: Any, change: bool) -> None:
        by = request.user if isinstance(request.user, User) else None
        if change:
            changes = {name: form.cleaned_data[name] for name in FIELDS}
            services.policy_update(policy=obj, name=obj.name, changes=changes, by=by)
            return
        made, _ = services.policy_create(name=obj.name, definition=form.definition(), by=by)
        obj.pk, obj._state.adding = made.pk, False

    def delete_model(self, request: HttpRequest, obj: Policy) -> None:
        services.policy_remove(policy=obj)

    def simulate_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Show who would be told when; tells nobody."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        policy = get_object_or_404(selectors.policies(), pk=pk)
        at, problem = _moment(request.GET.get("at", ""))
        version = selectors.newest_version(policy)
        severity = request.GET.get("severity", "")
        severity = severity if severity in Severity.values else version.severity
        recipients = selectors.simulated(version, at=at, severity=severity)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Simulation of {policy}, version {version.number}",
            "opts": self.opts,
            "policy": policy,
            "at": at,
            "problem": problem,
            "severity": severity,
            "severities": Severity.choices,
            "rows": shown_rows(recipients, started_at=at),
        }
        return TemplateResponse(request, "escalation/admin/simulation.html", context)


def _moment(given: str) -> tuple[datetime, str]:
    """Return the time that a form gave, in UTC, or now with what was wrong with it."""
    if not given:
        return clock.now(), ""
    try:
        at = datetime.fromisoformat(given)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        if 2000 <= at.year < 2100:
            return at, ""
    except ValueError:
        pass
    return clock.now(), "Expected a time from the year 2000 up to 2100. This shows the plan for now."
