"""What the pages of the engine's own tables share."""

from typing import Any, Final

from django.contrib.admin import SimpleListFilter
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator
from unfold.views import ChangeList

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


class ByValue(SimpleListFilter):
    """One of a field's known values: Django's own filter would ask the whole table for them."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{str(self.parameter_name): self.value()}) if self.value() else queryset


class NeverEdited:
    """Shown to whoever may see it, changed by nobody."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class CountedList(ChangeList):
    """Counts what filters find, as "Select all" says; nothing without one, nor further than ``MOST``."""

    MOST: Final = 100_000

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        on_page = len(self.result_list)
        # Django's paginator that counts nothing says 9,999,999,999.
        self.result_count = on_page
        if self.has_active_filters or self.query:
            found = self.queryset.order_by()[: self.MOST + 1].count()
            self.result_count = found if found <= self.MOST else on_page


class NotedList(CountedList):
    """Says whose notices were shown, so that domains which log their readings can."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.model_admin.note_reading(request, list(self.result_list))


class NotesReadings:
    """Pages of rows that may be of a domain which logs who reads what."""

    def note_reading(self, request: HttpRequest, rows: list[Any]) -> None:
        """Say that these rows are shown to whoever asks."""
        raise NotImplementedError

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[CountedList]:
        return NotedList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        found = super().get_object(request, object_id, from_field)  # type: ignore[misc]
        if found is not None:
            self.note_reading(request, [found])
        return found


class ReadOnlyAdmin(NeverEdited, StaffViews, ModelAdmin):
    """Rows that the engine writes: shown, never edited. The tables are large, so nothing counts them."""

    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[CountedList]:
        return CountedList
