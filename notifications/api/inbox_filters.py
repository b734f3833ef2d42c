"""What an inbox can be narrowed by, and its pages."""

from typing import Any

import django_filters  # type: ignore[import-untyped]
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from config.rest.api import NewestFirst
from config.rest.filters import StrictFilterSet
from notifications.inbox import pages


class InboxFilter(StrictFilterSet):
    unread = django_filters.ChoiceFilter(
        choices=[("true", "Unread"), ("false", "Read")], label="Unread or read ones only."
    )
    kind = django_filters.CharFilter(max_length=64)

    def filter_queryset(self, queryset: Any) -> pages.Wanted:
        """Return which of one's own items are asked for; ``pages`` looks for them by itself."""
        chosen = self.form.cleaned_data
        unread = chosen["unread"] == "true" if chosen["unread"] else None
        return pages.Wanted(self.request.user, unread=unread, kind=chosen["kind"] or None)


class InboxPages(NewestFirst):
    """Unread first and then newest, by cursors that keep the order of when the list was begun."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.base_url: str = request.build_absolute_uri()
        size = self.get_page_size(request)
        given = request.query_params.get(self.cursor_query_param)
        try:
            cursor = None if given is None else pages.Cursor.decode(given)
        except ValueError:
            raise self._not_ours()
        self.found = pages.page(queryset, cursor=cursor, size=size)
        return self.found.items

    def get_next_link(self) -> str | None:
        return self._link(self.found.next)

    def get_previous_link(self) -> str | None:
        return self._link(self.found.previous)

    def _link(self, cursor: pages.Cursor | None) -> str | None:
        if cursor is None:
            return None
        return replace_query_param(self.base_url, self.cursor_query_param, cursor.encode())
