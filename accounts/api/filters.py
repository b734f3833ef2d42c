"""What the list of users can be narrowed by."""

import django_filters  # type: ignore[import-untyped]
from django.db.models import QuerySet

from accounts import selectors
from accounts.models import Role, User
from config.rest.filters import StrictFilterSet, by


class UserFilter(StrictFilterSet):
    search = django_filters.CharFilter(
        method=by(selectors.users_found), max_length=100, label="Words of the name or email."
    )
    role = django_filters.ChoiceFilter(choices=Role.choices)
    is_active = django_filters.ChoiceFilter(choices=[("true", "Yes"), ("false", "No")], method="active")

    def active(self, queryset: QuerySet[User], name: str, value: str) -> QuerySet[User]:
        return queryset.filter(is_active=value == "true")
