"""Who replayed, cancelled or tested what."""

from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from notifications.admin.base import ReadOnlyAdmin
from notifications.models import DeliveryAction


@admin.register(DeliveryAction)
class DeliveryActionAdmin(ReadOnlyAdmin):
    list_display = ("at", "action", "by", "via", "count", "left_out")
    list_filter = ("action", "via", "at")
    search_fields = ("by",)
    search_help_text = "Who did it, or the id of a delivery."
    ordering = ("-id",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[DeliveryAction], search_term: str
    ) -> tuple[QuerySet[DeliveryAction], bool]:
        try:
            found = UUID(search_term.strip())
        except ValueError:
            return super().get_search_results(request, queryset, search_term)
        return queryset.filter(deliveries__contains=[found]), False
