"""Caller ids: which number phone calls show."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from accounts.admin import StaffViews
from notifications.models import CallerId


@admin.register(CallerId)
class CallerIdAdmin(StaffViews, ModelAdmin):
    """The longest prefix that fits the called number counts, else the one named default."""

    list_display = ("prefix", "number")
    search_fields = ("prefix", "number")
    fields = (("prefix", "number"),)
