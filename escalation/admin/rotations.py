"""Rotations for the operators: who takes turns, who stands in, who is on call."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from accounts.admin import SavesChanges, StaffViews
from config import clock
from escalation.admin.base import TakesAway
from escalation.models import Rotation, RotationMember, RotationOverride
from escalation.policies.words import name_of
from escalation.rotations import links, selectors
from escalation.rotations.turns import on_call
from escalation.services import rotations as services


class MemberInline(StaffViews, TabularInline):
    model = RotationMember
    extra = 0
    verbose_name_plural = "People, in the order of their turns"
    autocomplete_fields = ("user",)
    ordering = ("position", "pk")

    def get_queryset(self, request: HttpRequest) -> QuerySet[RotationMember]:
        return super().get_queryset(request).select_related("user")


class OverrideInline(StaffViews, TabularInline):
    model = RotationOverride
    extra = 0
    verbose_name_plural = "Who stands in (times in UTC)"
    autocomplete_fields = ("user",)
    ordering = ("-starts_at",)
    per_page = 20

    def get_queryset(self, request: HttpRequest) -> QuerySet[RotationOverride]:
        return super().get_queryset(request).select_related("user")


@admin.register(Rotation)
class RotationAdmin(TakesAway, StaffViews, SavesChanges, ModelAdmin):
    """To delete one is to take it away: policies that name it tell nobody by it any more."""

    fields = (
        "name", ("kind", "shift_h"), "time_zone", ("starts_on", "handoff_at"), "now_on_call", "calendar",
    )  # fmt: skip
    readonly_fields = ("now_on_call", "calendar")
    list_display = ("name", "kind", "time_zone", "now_on_call")
    search_fields = ("name",)
    inlines = (MemberInline, OverrideInline)
    change_form_outer_before_template = "escalation/admin/renew_link.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.renew_link))
        return [
            path("<uuid:pk>/renew-link/", view, name="escalation_rotation_renew_link"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rotation]:
        rotations = Rotation.objects.filter(deleted_at=None).order_by("name")
        return selectors.with_turns(rotations, since=clock.now())

    @display(description="On call now")
    def now_on_call(self, rotation: Any) -> str:
        if not hasattr(rotation, "in_order"):  # a new one
            return "–"
        shift = on_call(selectors.turns_of(rotation), clock.now())
        if shift is None:
            return "nobody"
        who = name_of(selectors.members_by_id(rotation).get(shift.user_id))
        return f"{who} until {shift.ends_at:%Y-%m-%d %H:%M} UTC{' (stands in)' if shift.stands_in else ''}"

    @display(description="Calendar")
    def calendar(self, rotation: Rotation) -> str:
        if rotation._state.adding:
            return "–"
        url = links.url_of(links.Target(rotation.pk, rotation.link_version))
        return format_html('<a class="break-all underline" href="{}">{}</a>', url, url)

    def renew_link(self, request: HttpRequest, pk: Any) -> HttpResponse:
        rotation = get_object_or_404(Rotation, pk=pk, deleted_at=None)
        if not self.has_change_permission(request, rotation):
            messages.error(request, "You need the permission to change rotations.")
        else:
            services.rotation_renew_link(rotation=rotation)
            messages.success(request, "There is a new link. Earlier links no longer work.")
        return redirect("admin:escalation_rotation_change", pk)

    def delete_model(self, request: HttpRequest, obj: Rotation) -> None:
        services.rotation_remove(rotation=obj)
