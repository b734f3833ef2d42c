"""People whom the dating bot speaks for."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from accounts.admin import ActsOnPeople, StaffViews
from dating.models import BotAccount


@admin.register(BotAccount)
class BotAccountAdmin(StaffViews, ActsOnPeople, ModelAdmin):
    list_display = ("number", "user", "created_at")
    list_select_related = ("user",)
    search_fields = ("=number", "user__email", "user__first_name", "user__last_name")
    autocomplete_fields = ("user",)
    show_full_result_count = False
