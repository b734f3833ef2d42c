"""Integrations for the operators: the address and key to set in a system, and what it sent last."""

import json
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import display

from accounts.admin import StaffViews
from escalation.admin.base import DeletesEach, listed
from escalation.models import IntakeRequest, Integration, Policy, Route
from escalation.receiving import setting_up
from escalation.receiving.addresses import url_of
from notifications.admin.base import ReadOnlyAdmin
from notifications.admin.deliveries import link

SHOWN: Final = 20


class _LivePolicies(forms.ModelForm):
    """Offers only policies that there are."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "policy" in self.fields:
            policies: Any = self.fields["policy"]
            policies.queryset = Policy.objects.filter(deleted_at=None)


class IntegrationForm(_LivePolicies):
    class Meta:
        model = Integration
        fields = ("name", "format", "shop", "policy", "severity", "mapping", "is_enabled")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("mapping") is None:
            cleaned["mapping"] = {}
        if not self.errors:
            given = Integration(
                format=cleaned.get("format") or self.instance.format, mapping=cleaned["mapping"]
            )
            try:
                setting_up.integration_check(given)
            except ValidationError as error:
                self.add_error("mapping", error.message_dict["mapping"])
        return cleaned


@admin.register(Integration)
class IntegrationAdmin(DeletesEach, StaffViews, ModelAdmin):
    """To delete one deletes all that it brought; what is open of it tells nobody any more."""

    form = IntegrationForm
    fields = (
        ("name", "format"), ("shop", "policy"), ("severity", "is_enabled"), "mapping", "url", "key",
        "last_requests",
    )  # fmt: skip
    readonly_fields = ("url", "key", "last_requests")
    list_display = ("name", "format", "shop", "policy", "is_enabled")
    list_filter = ("format", "is_enabled")
    list_select_related = ("shop", "policy")
    search_fields = ("name",)
    autocomplete_fields = ("shop",)
    change_form_outer_before_template = "escalation/admin/renew_key.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.renew_key))
        return [
            path("<uuid:pk>/renew-key/", view, name="escalation_integration_renew_key"),
            *super().get_urls(),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Integration | None = None) -> tuple[str, ...]:
        # What a system sends is of its format, and so is what was kept.
        return (*self.readonly_fields, "format") if obj else self.readonly_fields

    @display(description="Address to set")
    def url(self, integration: Integration) -> str:
        return "–" if integration._state.adding else url_of(integration)

    @display(description="Key to set")
    def key(self, integration: Integration) -> str:
        return "–" if integration._state.adding else integration.key

    @display(description="Last requests")
    def last_requests(self, integration: Integration) -> str:
        if integration._state.adding:
            return "–"
        rows = (
            (
                f"{row.received_at:%Y-%m-%d %H:%M:%S}",
                link("escalation_intakerequest", row.pk, str(row.status)),
                summary_of(row),
            )
            for row in integration.requests.all()[:SHOWN]
        )
        return listed(rows, line="{} UTC — {}: {}", otherwise="Nothing yet.")

    def renew_key(self, request: HttpRequest, pk: Any) -> HttpResponse:
        integration = get_object_or_404(Integration, pk=pk)
        if not self.has_change_permission(request, integration):
            messages.error(request, "You need the permission to change integrations.")
        else:
            setting_up.integration_renew_key(integration=integration)
            messages.success(request, "There is a new key. The earlier one no longer works.")
        return redirect("admin:escalation_integration_change", pk)

    def delete_model(self, request: HttpRequest, obj: Integration) -> None:
        setting_up.integration_remove(integration=obj, by=str(request.user), via="admin")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        return [f"{each}, with its requests and groups" for each in objs], {}, set(), []


def summary_of(request: IntakeRequest) -> str:
    """Say in one line what came of a request."""
    if request.error:
        return request.error
    made = [f"{each['outcome']} {each['key']}" for each in request.made[:5]]
    more = f", and {len(request.made) - 5} more" if len(request.made) > 5 else ""
    return f"{', '.join(made)}{more}" if made else "nothing"


@admin.register(IntakeRequest)
class IntakeRequestAdmin(ReadOnlyAdmin):
    list_display = ("received_at", "integration", "status", "summary")
    list_filter = ("received_at",)
    list_select_related = ("integration",)
    fields = (("integration", "received_at", "status"), "error", "body", "made_of_it", "id")
    readonly_fields = ("made_of_it", "id")

    @display(description="What came of it")
    def summary(self, request: IntakeRequest) -> str:
        return summary_of(request)

    @display(description="What came of it")
    def made_of_it(self, request: IntakeRequest) -> SafeString:
        return format_html('<pre class="overflow-x-auto">{}</pre>', json.dumps(request.made, indent=2))


@admin.register(Route)
class RouteAdmin(StaffViews, ModelAdmin):
    """Asked by position, the lowest first."""

    form = _LivePolicies
    fields = (
        ("name", "position"), "matchers", "policy", "group_by",
        ("group_wait_s", "group_interval_s", "repeat_interval_s"), ("is_shadow", "is_enabled"),
    )  # fmt: skip
    list_display = ("name", "position", "policy", "is_shadow", "is_enabled")
    list_select_related = ("policy",)
    search_fields = ("name",)
    ordering = ("position", "id")
