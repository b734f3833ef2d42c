"""What the operators' pages of escalations share."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


class DeletesEach:
    """Rows that a service deletes, each by itself."""

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for row in queryset:
            self.delete_model(request, row)  # type: ignore[attr-defined]


class TakesAway(DeletesEach):
    """Rows whose service says what goes with them; so there is nothing to ask of Django's collector."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        return [str(each) for each in objs], {}, set(), []


def listed(rows: Iterable[Sequence[object]], *, line: str = "{}", otherwise: str = "Nothing.") -> SafeString:
    """Return a line of HTML for each row, filled with its values."""
    items = format_html_join("", f"<li>{line}</li>", rows)
    return format_html("<ol>{}</ol>", items) if items else SafeString(otherwise)
