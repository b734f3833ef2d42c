"""What the pages of the engine's own tables share."""

from typing import Final

from django.db.models import Model
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator

from accounts.admin import StaffViews

STATUS_COLOURS: Final = {
    "Pending": "info",
    "Sending": "info",
    "Sent": "success",
    "Failed": "danger",
    "Expired": "danger",
    "Cancelled": "warning",
    "Suppressed": "default",
}


class NeverEdited:
    """Shown to whoever may see it, changed by nobody."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyAdmin(NeverEdited, StaffViews, ModelAdmin):
    """Rows that the engine writes: shown, never edited. The tables are large, so nothing counts them."""

    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50
