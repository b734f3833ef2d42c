"""Those who take part: their profiles, their registrations, and what they say of each other."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from accounts.admin import ActsOnPeople, SavesChanges, StaffViews
from dating.models import DatingProfile, Reaction, Registration
from notifications.admin.base import ReadOnlyAdmin


@admin.register(DatingProfile)
class DatingProfileAdmin(StaffViews, ActsOnPeople, SavesChanges, ModelAdmin):
    list_display = ("user", "birthday", "city", "seeks", "manual_score")
    list_filter = ("seeks", "manual_score")
    list_select_related = ("user",)
    search_fields = ("user__email", "user__first_name", "user__last_name", "city")
    autocomplete_fields = ("user",)
    show_full_result_count = False


@admin.register(Registration)
class RegistrationAdmin(ReadOnlyAdmin):
    """Changed by those who register, and on the run-sheet."""

    list_display = ("user", "event", "state", "left_out", "no_shows", "registered_at")
    list_filter = ("state", "left_out")
    list_select_related = ("user", "event")
    search_fields = ("user__email", "event__title")
    ordering = ("-registered_at",)


@admin.register(Reaction)
class ReactionAdmin(ReadOnlyAdmin):
    """Reports above all: nobody but the staff sees them."""

    list_display = ("kind", "by", "about", "event", "text", "created_at")
    list_filter = ("kind", "created_at")
    list_select_related = ("by__user", "about__user", "event")
    search_fields = ("by__user__email", "about__user__email", "event__title")
    ordering = ("-created_at",)
